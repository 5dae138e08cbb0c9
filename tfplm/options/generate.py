"""How text is generated: the keywords of `model.generate`, and the flags of `tfplm generate`."""

import dataclasses
from collections.abc import Sequence
from typing import Literal

from tfplm.options.base import Options, flag

EARLY_STOPPING = ("false", "true", "never")
NONE = -1  # "no such token", where None means "as the model's configuration says"


@dataclasses.dataclass(kw_only=True)
class GenerationOptions:
    """Keywords of `model.generate`; their names and meanings are those of Hugging Face's `generate`.

    Token ids that are None are the model's own, -1 means none. `eos_token_id` and `forced_eos_token_id` may be one id
    or several; `stop_sequences` one sequence of ids or several; `early_stopping` may be a bool.

    Raises:
        ValueError: a value outside its range, or options that contradict each other.
    """

    max_new_tokens: int = flag(20, "most tokens to generate")
    min_new_tokens: int = flag(0, "tokens to generate before the text may end")
    num_beams: int = flag(1, "continuations that beam search keeps; 1: no beam search")
    length_penalty: float = flag(1.0, "beam search divides a text's log-probability by its length to this power")
    early_stopping: Literal["false", "true", "never"] = flag(
        "false", "when beam search has num_beams finished texts, true: stop; false: unless a better one is likely; never: "
                 "unless a better one is possible")
    no_repeat_ngram_size: int = flag(0, "this many tokens in a row occur once only; 0: no such rule")
    repetition_penalty: float = flag(1.0, "divides the scores of tokens that occurred before; 1: no penalty")
    do_sample: bool = flag(False, "draw tokens from their distribution")
    temperature: float = flag(1.0, "sampling: below 1 favours likely tokens, above 1 unlikely ones")
    top_k: int | None = flag(None, "sampling: draw from this many likeliest tokens only")
    top_p: float | None = flag(None, "sampling: from the likeliest tokens that have this probability together")
    min_p: float | None = flag(None, "sampling: from tokens with this share or more of the likeliest one's probability")
    typical_p: float | None = flag(None, "sampling: from the most typical tokens that have this probability together")
    num_return_sequences: int = flag(1, "texts for each prompt")
    seed: int | None = flag(None, "of sampling: the same seed gives the same text (default: another one each time)")
    eos_token_id: list[int] | None = flag(
        None, "tokens that end a text")
    pad_token_id: int | None = flag(None, "fills rows behind their end (default: the end token)")
    decoder_start_token_id: int | None = flag(None, "encoder-decoders: the first token; mBART: the target language")
    forced_bos_token_id: int | None = flag(None, "the token to begin with, after decoder_start_token_id")
    forced_eos_token_id: list[int] | None = flag(
        None, "the token to end with when max_new_tokens are reached")
    stop_sequences: list[int] | None = flag(
        None, "ids of tokens that, in this order, end a text")

    def __post_init__(self):
        for name in ("eos_token_id", "forced_eos_token_id"):
            setattr(self, name, _ids(getattr(self, name)))
        self.stop_sequences = _sequences(self.stop_sequences)
        if isinstance(self.early_stopping, bool):
            self.early_stopping = str(self.early_stopping).lower()
        self._check_ranges()
        self._check_combinations()

    def _check_ranges(self):
        at_least = {"max_new_tokens": 1, "min_new_tokens": 0, "num_beams": 1, "num_return_sequences": 1,
                    "no_repeat_ngram_size": 0, "top_k": 1}
        for name, least in at_least.items():
            value = getattr(self, name)
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < least):
                raise ValueError(f"{name} is {value!r}, expected an int of at least {least}")
        for name in ("temperature", "repetition_penalty"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is {getattr(self, name)!r}, expected more than 0"
                                 + ("; for the likeliest token use do_sample=False" if name == "temperature" else ""))
        for name in ("top_p", "min_p", "typical_p"):
            value = getattr(self, name)
            if value is not None and not 0 < value <= 1:
                raise ValueError(f"{name} is {value!r}, expected a probability above 0 and at most 1")
        if self.early_stopping not in EARLY_STOPPING:
            raise ValueError(f"early_stopping is {self.early_stopping!r}, expected True, False or 'never'")

    def _check_combinations(self):
        if self.min_new_tokens > self.max_new_tokens:
            raise ValueError(f"min_new_tokens is {self.min_new_tokens}, more than max_new_tokens {self.max_new_tokens}")
        if self.num_beams > 1 and self.num_return_sequences > self.num_beams:
            raise ValueError(f"num_return_sequences is {self.num_return_sequences}, but only num_beams "
                             f"{self.num_beams} texts are kept: raise num_beams")
        if self.num_return_sequences > 1 and self.num_beams == 1 and not self.do_sample:
            raise ValueError(f"num_return_sequences is {self.num_return_sequences}, but greedy search has one result: "
                             "use do_sample=True or num_beams")
        drawn = [name for name in ("top_k", "top_p", "min_p", "typical_p") if getattr(self, name) is not None]
        if (drawn or self.temperature != 1) and not self.do_sample:
            raise ValueError(f"{(drawn or ['temperature'])[0]} is for sampling: add do_sample=True")


@dataclasses.dataclass(kw_only=True)
class GenerateOptions(Options, GenerationOptions):
    """Continues prompts, or, with an encoder-decoder, writes what follows from them (a translation, a summary)."""

    RUN = "tfplm.models.generation.command:generate"

    source: str = flag(help="folder of the model and its tokenizer, or a name on the Hugging Face hub", positional=True)
    prompts: list[str] = flag(
        factory=list, help="texts to continue; none: a text a line of standard input", positional=True)
    seed: int | None = flag(None, "of sampling: the same seed gives the same text (default: another one each time)")
    stop: list[str] | None = flag(
        None, "texts before which the generated text ends")
    stream: bool = flag(False, "print tokens as they come; one prompt, no beam search")
    full: bool = flag(False, "print the prompt before its continuation")
    batch_size: int = flag(8, "prompts generated together")
    dtype: Literal["float32", "bfloat16"] = flag("float32", "of weights and computation")


def _ids(value: int | Sequence[int] | None) -> list[int] | None:
    """One id, several, or -1 for none -> a list without -1."""
    if value is None:
        return None
    values = [value] if isinstance(value, int) else [int(number) for number in value]
    return [number for number in values if number != NONE]


def _sequences(value) -> list[list[int]]:
    """One sequence of ids or several -> a list of sequences."""
    value = list(value or ())
    sequences = [value] if value and not isinstance(value[0], Sequence) else [list(inner) for inner in value]
    if not all(sequences):
        raise ValueError("stop_sequences has an empty sequence: every text would end at once")
    return [[int(number) for number in sequence] for sequence in sequences]

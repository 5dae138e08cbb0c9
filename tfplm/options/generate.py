"""Options of text generation: the keyword arguments of `model.generate`, and the flags of `tfplm generate`."""

import dataclasses
from collections.abc import Sequence
from typing import Literal

from tfplm.options.base import Dtype, Options, flag

EARLY_STOPPING = ("false", "true", "never")
NONE = -1  # no such token, whereas None means the value of the model's configuration


@dataclasses.dataclass(kw_only=True)
class GenerationOptions:
    """Keyword arguments of `model.generate`, with the names and meanings of Hugging Face's `generate`.

    A token id of None is that of the model, -1 means none. `eos_token_id` and `forced_eos_token_id` may be one id or
    several, `stop_sequences` one sequence of ids or several, and `early_stopping` a bool.

    Raises:
        ValueError: for a value outside its range, or contradictory options.
    """

    HEADING = "generation"

    max_new_tokens: int = flag(20, "maximum number of tokens to generate")
    min_new_tokens: int = flag(0, "minimum number of tokens to generate")
    num_beams: int = flag(1, "number of beams; 1: no beam search")
    length_penalty: float = flag(1.0, "beam search divides the log-probability of a text by its length to this power")
    early_stopping: Literal["false", "true", "never"] = flag(
        "false", "when num_beams texts are finished, true: stop; false: stop unless a better text is likely; never: "
                 "stop unless a better text is possible")
    no_repeat_ngram_size: int = flag(0, "n-grams of this size may occur only once; 0: no limit")
    repetition_penalty: float = flag(1.0, "divides the scores of tokens that have already occurred; 1: no penalty")
    do_sample: bool = flag(False, "sample tokens from their distribution")
    temperature: float = flag(1.0, "sampling: below 1 favours likely tokens, above 1 unlikely ones")
    top_k: int | None = flag(None, "sampling: from this many most likely tokens")
    top_p: float | None = flag(None, "sampling: from the most likely tokens with this total probability")
    min_p: float | None = flag(None, "sampling: from tokens with at least this share of the highest probability")
    typical_p: float | None = flag(None, "sampling: from the most typical tokens with this total probability")
    num_return_sequences: int = flag(1, "number of texts per prompt")
    seed: int | None = flag(None, "seed of sampling: the same seed gives the same text (default: random)")
    eos_token_id: list[int] | None = flag(
        None, "tokens that end a text")
    pad_token_id: int | None = flag(None, "token that fills rows after their end (default: the end token)")
    decoder_start_token_id: int | None = flag(None, "encoder-decoders: the first token; mBART: the target language")
    forced_bos_token_id: int | None = flag(None, "the first generated token, after decoder_start_token_id")
    forced_eos_token_id: list[int] | None = flag(
        None, "the last token when max_new_tokens is reached")
    stop_sequences: list[int] | None = flag(
        None, "a sequence of token ids that ends a text")

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
            raise ValueError(f"min_new_tokens is {self.min_new_tokens}, expected at most max_new_tokens, "
                             f"{self.max_new_tokens}")
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
    """Continue prompts, or, with an encoder-decoder, generate text from them (a translation, a summary).

    A masked language model (BERT) continues a prompt by Gibbs sampling: --max-new-tokens masks after it are sampled again
    and again, each given all others.
    """

    RUN = "tfplm.models.generation.command:generate"
    EXAMPLES = ('tfplm generate gpt2 "Once upon a time" --max-new-tokens 50 --do-sample --top-p 0.9 --stream',
                'tfplm generate t5-small "translate English to German: The house is small." --num-beams 4')
    EXPLAINED = ("source", "prompts", "max_new_tokens", "num_beams", "do_sample", "temperature", "top_k", "top_p",
                 "repetition_penalty", "seed", "stop", "stream", "full", "num_return_sequences")

    source: str = flag(help="folder of the model and its tokenizer, or a name on the Hugging Face hub", positional=True)
    prompts: list[str] = flag(
        factory=list, help="texts to continue (default: standard input, one per line)", positional=True)
    seed: int | None = flag(None, "seed of sampling: the same seed gives the same text (default: random)")
    stop: list[str] | None = flag(
        None, "texts at which generation stops; they are not printed")
    stream: bool = flag(False, "print tokens as they are generated; one prompt, no beam search")
    full: bool = flag(False, "print the prompt before its continuation")
    updates: Literal["sequential", "random", "parallel"] = flag(
        "sequential", "masked models: the positions that a sweep samples: one after another, at random, all at once")
    sweeps: int = flag(10, "masked models: number of times that every position is sampled")
    burn_in: int = flag(5, "masked models: number of first sweeps that sample from the whole distribution, not the top_k")
    batch_size: int = flag(8, "prompts generated together")
    dtype: Dtype = flag("auto", "dtype of weights and computation; auto: the faster one, see `tfplm info`")


def _ids(value: int | Sequence[int] | None) -> list[int] | None:
    """Converts one id, several, or -1 for none to a list without -1."""
    if value is None:
        return None
    values = [value] if isinstance(value, int) else [int(token) for token in value]
    return [token for token in values if token != NONE]


def _sequences(value) -> list[list[int]]:
    """Converts one sequence of ids or several to a list of sequences."""
    value = list(value or ())
    sequences = [value] if value and not isinstance(value[0], Sequence) else [list(inner) for inner in value]
    if not all(sequences):
        raise ValueError("stop_sequences has an empty sequence, at which every text would end immediately: remove it")
    return [[int(token) for token in sequence] for sequence in sequences]

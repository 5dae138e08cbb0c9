"""Options of `tfplm perplexity`, and the keywords of the function."""

import dataclasses
from typing import Literal

from tfplm.options.base import Options, flag


@dataclasses.dataclass(kw_only=True)
class ScoringOptions:
    """Keywords of `tfplm.models.scoring.perplexity.perplexity` beside the source and the texts.

    Raises ValueError for a value outside its range.
    """

    max_length: int | None = flag(None, "tokens of a window, special ones included (default: the model's positions, "
                                        "at most 1024; masked models: at most 128)")
    stride: int | None = flag(None, "tokens between two windows of a long text; the rest of a window is context only. "
                                    "Smaller is slower and nearer to unbounded context (default: half a window)")
    max_tokens: int | None = flag(None, "stop after so many scored tokens of all texts together")
    batch_size: int = flag(8, "windows that go through the model together; masked models: 8 times as many masked rows")
    bos: bool = flag(False, "causal models: also score the first token, after the begin-of-text token")

    def __post_init__(self):
        for name, least in (("max_length", 2), ("stride", 1), ("max_tokens", 1), ("batch_size", 1)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise ValueError(f"{name} is {value}, expected at least {least}")


@dataclasses.dataclass(kw_only=True)
class PerplexityOptions(Options, ScoringOptions):
    """Perplexity of texts under a language model: exp of the mean negative log-probability of a token.

    Causal models (GPT): each token given those before it. Masked models (BERT): pseudo-perplexity, each token given all
    others, one forward pass a token (Salazar et al. 2020). Encoder-decoders: lines SOURCE TAB TARGET, each token of the
    target given the source and the target before it. Perplexities of models with different vocabularies cannot be
    compared with each other.
    """

    RUN = "tfplm.models.scoring.perplexity:run"

    source: str = flag(help="folder of the model and its tokenizer, or a name on the Hugging Face hub", positional=True)
    text: list[str] = flag(
        help="files, globs, folders, .gz, or - for standard input", positional=True)
    by: Literal["file", "line"] = flag("file", "what one text is, whose tokens see each other; encoder-decoders: line")
    per_text: bool = flag(False, "also print the perplexity of every text")
    encoding: str = flag("utf-8", "of the text files")
    dtype: Literal["float32", "bfloat16"] = flag("float32", "of weights and computation")

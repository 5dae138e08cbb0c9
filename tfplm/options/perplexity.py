"""Options of `tfplm perplexity`, and the keyword arguments of the function."""

import dataclasses
from typing import Literal

from tfplm.options.base import Dtype, ResultOptions, flag


@dataclasses.dataclass(kw_only=True)
class ScoringOptions:
    """Keyword arguments of `tfplm.models.scoring.perplexity.perplexity`.

    Raises ValueError for a value outside its range.
    """

    HEADING = "windows of text"

    max_length: int | None = flag(None, "tokens in a window, including special tokens (default: the model's positions, "
                                        "at most 1024; masked models: at most 128)")
    stride: int | None = flag(None, "scored tokens in each window of a long text; the rest is context. A smaller "
                                    "stride is slower and closer to unlimited context (default: half a window)")
    max_tokens: int | None = flag(None, "stop after scoring this many tokens of all texts together")
    batch_size: int = flag(8, "windows processed together; masked models: 8 times as many masked rows")
    bos: bool = flag(False, "causal models: also score the first token, after the beginning-of-text token")

    def __post_init__(self):
        for name, least in (("max_length", 2), ("stride", 1), ("max_tokens", 1), ("batch_size", 1)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise ValueError(f"{name} is {value}, expected at least {least}")


@dataclasses.dataclass(kw_only=True)
class PerplexityOptions(ResultOptions, ScoringOptions):
    """Compute the perplexity of texts under a language model: the exponential of the mean negative
    log-probability of a token.

    Causal models (GPT): each token given the previous ones. Masked models (BERT): pseudo-perplexity, each token given
    all others, one forward pass per token (Salazar et al. 2020). Encoder-decoders: lines SOURCE TAB TARGET, each target
    token given the source and the previous target tokens. Perplexities of models with different vocabularies are not
    comparable.
    """

    RUN = "tfplm.models.scoring.perplexity:run"
    EXAMPLES = ("tfplm perplexity gpt2 novel.txt", "tfplm perplexity model sentences.txt --by line --per-text")
    UNUSED = ("seed",)

    source: str = flag(help="folder of the model and its tokenizer, or a name on the Hugging Face hub", positional=True)
    text: list[str] = flag(
        help="files, globs, folders, .gz, or - for standard input", positional=True)
    by: Literal["file", "line"] = flag("file", "the unit of text, which bounds the context; encoder-decoders: line")
    per_text: bool = flag(False, "also print the perplexity of each text")
    encoding: str = flag("utf-8", "encoding of the text files")
    dtype: Dtype = flag("float32", "dtype of weights and computation; auto: the faster one, see `tfplm info`")

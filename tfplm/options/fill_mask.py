"""Options of `tfplm fill-mask`."""

import dataclasses
from typing import Literal

from tfplm.options.base import Options, flag


@dataclasses.dataclass(kw_only=True)
class FillMaskOptions(Options):
    """Show the likeliest tokens at the masks of texts: of the arguments, of a file, or of standard input, one a line.

    A mask is written as the model's vocabulary spells it: [MASK] (BERT, ALBERT, ELECTRA), <mask> (RoBERTa, BART).
    A Chinese word of two characters takes two masks.
    """

    RUN = "tfplm.models.scoring.fill_mask:run"

    source: str = flag(help="folder of the model and its tokenizer, or a name on the Hugging Face hub", positional=True)
    texts: list[str] = flag(
        factory=list, help="texts with masks; none: read --file or standard input", positional=True)
    file: str | None = flag(None, "read the texts from this file, a text a line")
    top_k: int = flag(5, "candidates of each mask")
    batch_size: int = flag(16, "texts that go through the model together")
    dtype: Literal["float32", "bfloat16"] = flag("float32", "of weights and computation")

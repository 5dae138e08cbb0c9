"""Options of `tfplm fill-mask`."""

import dataclasses

from tfplm.options.base import Dtype, ResultOptions, flag


@dataclasses.dataclass(kw_only=True)
class FillMaskOptions(ResultOptions):
    """Show the most likely tokens at the masks of texts, given as arguments, in a file, or on standard input.

    Write a mask as in the model's vocabulary: [MASK] (BERT, ALBERT, ELECTRA), <mask> (RoBERTa, BART). A Chinese word of
    two characters takes two masks.
    """

    RUN = "tfplm.models.scoring.fill_mask:run"
    EXAMPLES = ('tfplm fill-mask bert-base-uncased "Paris is the [MASK] of France."',
                "tfplm fill-mask model --file masked.txt --top-k 3 --json")
    UNUSED = ("seed", "quiet")

    source: str = flag(help="folder of the model and its tokenizer, or a name on the Hugging Face hub", positional=True)
    texts: list[str] = flag(
        factory=list, help="texts with masks (default: read --file or standard input)", positional=True)
    file: str | None = flag(None, "read the texts from this file, one per line")
    top_k: int = flag(5, "candidates for each mask")
    batch_size: int = flag(16, "texts processed together")
    dtype: Dtype = flag("auto", "dtype of weights and computation; auto: the faster one, see `tfplm info`")

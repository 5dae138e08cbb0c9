"""Options of `tfplm next-sentence`."""

import dataclasses
from typing import Literal

from tfplm.options.base import Dtype, ResultOptions, flag


@dataclasses.dataclass(kw_only=True)
class NextSentenceOptions(ResultOptions):
    """Tell whether one text follows another, by a model pre-trained for that: next sentence (BERT), order (ALBERT).

    --order compares both orders, and tells which of the two texts comes first.
    """

    RUN = "tfplm.models.scoring.next_sentence:run"
    EXAMPLES = ('tfplm next-sentence bert-base-chinese "师徒四人历经艰险" "取得真经"',
                "tfplm next-sentence model --file pairs.tsv --order -o order.tsv")
    UNUSED = ("seed", "quiet")

    source: str = flag(help="folder of the model and its tokenizer, or a name on the Hugging Face hub", positional=True)
    texts: list[str] = flag(
        factory=list, help="first and second texts, alternating (default: read --file or standard input)", positional=True)
    file: str | None = flag(None, "read the pairs from this file, lines FIRST TAB SECOND")
    order: bool = flag(False, "compare both orders of the two texts")
    objective: Literal["auto", "nsp", "sop", "sop3"] = flag(
        "auto", "what the model was trained for: next sentence, order, or both; auto: by its options or family")
    batch_size: int = flag(16, "pairs processed together")
    dtype: Dtype = flag("auto", "dtype of weights and computation; auto: the faster one, see `tfplm info`")

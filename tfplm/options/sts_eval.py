"""Options of `tfplm sts-eval`."""

import dataclasses
from typing import Literal

from tfplm.options.base import Options, flag
from tfplm.options.encode import EncoderOptions


@dataclasses.dataclass(kw_only=True)
class StsEvalOptions(Options, EncoderOptions):
    """Semantic textual similarity: how well the cosines of sentence vectors agree with people's scores.

    Spearman's and Pearson's correlation x 100 over pairs with scores (STS-B) or with 0 and 1 (AFQMC, LCQMC). The layout
    of the files is found out: two texts and a number a line, or columns with names (GLUE's sentence1, sentence2,
    score).

    --table compares poolings and layers, each with and without whitening; --whiten whitens the one that the other
    flags describe. Without --whiten-text it is fitted on the sentences of the data themselves, without their scores, as
    in the papers.
    """

    RUN = "tfplm.embed.commands.sts_eval:run"

    data: list[str] = flag(help="files of pairs with scores, or folders with such files", positional=True)
    split: Literal["train", "dev", "test"] = flag("dev", "which file of a folder")
    table: bool = flag(False, "a table of poolings, layers and whitening")
    whiten: bool = flag(False, "whiten the vectors")
    components: int | None = flag(None, "dimensions of the whitened vectors (default: all; in the table also 256)")
    whiten_text: list[str] = flag(factory=list, help="text files, a text a line, on which whitening is fitted")
    save_whitening: str | None = flag(None, "write the fitted whitening to this .npz file")
    prompt: str | None = flag(None, "written before each text: a prompt's name in the folder, or the prompt itself")
    encoding: str = flag("utf-8", "of the files")

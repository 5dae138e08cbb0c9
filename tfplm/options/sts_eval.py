"""Options of `tfplm sts-eval`."""

import dataclasses
from typing import Literal

from tfplm.options.base import Options, flag
from tfplm.options.encode import EncoderOptions


@dataclasses.dataclass(kw_only=True)
class StsEvalOptions(Options, EncoderOptions):
    """Semantic textual similarity: correlate the cosines of sentence vectors with human scores.

    Prints Spearman's and Pearson's correlation x 100 over pairs with scores (STS-B) or with 0 and 1 (AFQMC, LCQMC). The
    layout of the files is detected: two texts and a number per line, or named columns (GLUE's sentence1, sentence2,
    score).

    --table compares poolings and layers, each with and without whitening; --whiten whitens the vectors described by the
    other flags. Without --whiten-text, whitening is fitted to the sentences of the data, without their scores, as in
    the papers.
    """

    RUN = "tfplm.embed.commands.sts_eval:run"

    data: list[str] = flag(help="files of pairs with scores, or folders with such files", positional=True)
    split: Literal["train", "dev", "test"] = flag("dev", "the file of a folder to use")
    table: bool = flag(False, "print a table of poolings, layers and whitening")
    whiten: bool = flag(False, "whiten the vectors")
    components: int | None = flag(None, "dimensions of the whitened vectors (default: all; in the table also 256)")
    whiten_text: list[str] = flag(factory=list, help="text files, one text per line, to fit the whitening to")
    save_whitening: str | None = flag(None, "write the fitted whitening to this .npz file")
    overwrite: bool = flag(False, "write this file again, if it exists")
    prompt: str | None = flag(None, "prefix of each text: a prompt's name in the folder, or the prompt itself")
    encoding: str = flag("utf-8", "encoding of the files")

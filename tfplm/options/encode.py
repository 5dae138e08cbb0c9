"""Options of `tfplm encode`, and those that all verbs about sentence vectors have."""

import dataclasses
from typing import Literal

from tfplm.options.base import Options, flag


@dataclasses.dataclass(kw_only=True)
class EncoderOptions:
    """What makes vectors of texts; to be inherited beside `Options`."""

    init: str = flag(help="folder of the model (also of sentence-transformers, or a TF1 checkpoint), or a name on the "
                          "Hugging Face hub")
    pooling: list[str] = flag(
        factory=list, help="how tokens become a vector, as bert-as-service calls it: REDUCE_MEAN, REDUCE_MAX, "
                           "REDUCE_MEAN_MAX, CLS_TOKEN, SEP_TOKEN, CLS_POOLED, CLASSIFICATION, REGRESSION (or mean, "
                           "max, cls, last); several stand side by side (default: what a folder of "
                           "sentence-transformers says, else REDUCE_MEAN)")
    layers: list[int] = flag(
        factory=list, help="layers, -1 the last, 0 the first; several stand side by side (default: -1)")
    average_layers: bool = flag(False, "the mean of the layers in place of side by side; --layers 0 -1: first-last")
    mask_cls_sep: bool = flag(False, "hide the first and the last token of each text, as bert-as-service does")
    normalize: bool | None = flag(None, "vectors of length 1 (default: what the folder says, else no)")
    max_length: int | None = flag(None, "tokens of a text, special ones included (default: what the folder says, else "
                                        "the model's positions)")
    whitening: str | None = flag(None, "whiten with this .npz file, as `tfplm sts-eval --save-whitening` writes it")
    dtype: Literal["float32", "bfloat16"] = flag("float32", "of weights and computation; vectors are float32")


@dataclasses.dataclass(kw_only=True)
class EncodeOptions(Options, EncoderOptions):
    """Write the vector of each line of text files, in their order, as a NumPy array or a Parquet file.

    The files may be larger than memory. A killed run that is started again goes on where it was (.npy). The array is
    read by np.load("vectors.npy"), with mmap_mode="r" without loading it.
    """

    RUN = "tfplm.embed.commands.encode_file:run"

    text: list[str] = flag(help="files, globs, folders, .gz, or - for standard input; a text a line", positional=True)
    output: str = flag("vectors.npy", "file of the vectors, .npy or .parquet", short="-o")
    pairs: bool = flag(False, "a line is two texts, divided by a tab or by ' ||| '")
    prompt: str | None = flag(None, "written before each text: a prompt's name in the folder, or the prompt itself")
    workers: int = flag(1, "processes, each with a model of its own and its share of the cores")
    batch_tokens: int = flag(2048, "places of a batch")
    encoding: str = flag("utf-8", "of the text files")

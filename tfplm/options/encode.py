"""Options of `tfplm encode`, and those shared by all verbs about sentence vectors."""

import dataclasses

from tfplm.options.backend import BackendOptions
from tfplm.options.base import Dtype, Options, flag


@dataclasses.dataclass(kw_only=True)
class EncoderOptions(BackendOptions):
    """The encoder of sentence vectors; a mixin for `Options`."""

    HEADING = "vectors"

    init: str = flag(help="folder of the model (also of sentence-transformers, or a TF1 checkpoint), or a name on the "
                          "Hugging Face hub")
    pooling: list[str] = flag(
        factory=list, help="pooling of tokens, by bert-as-service's names: REDUCE_MEAN, REDUCE_MAX, REDUCE_MEAN_MAX, "
                           "CLS_TOKEN, SEP_TOKEN, CLS_POOLED, CLASSIFICATION, REGRESSION (or mean, max, cls, last); "
                           "several are concatenated (default: that of a sentence-transformers folder, else "
                           "REDUCE_MEAN)")
    layers: list[int] = flag(
        factory=list, help="layers, -1 is the last, 0 the first; several are concatenated (default: -1)")
    average_layers: bool = flag(False, "average the layers instead of concatenating them; --layers 0 -1: first-last")
    mask_cls_sep: bool = flag(False, "mask the first and the last token of each text, as bert-as-service does")
    normalize: bool | None = flag(None, "scale vectors to length 1 (default: as in the folder, else no)")
    max_length: int | None = flag(None, "maximum tokens of a text, including special tokens (default: as in the "
                                        "folder, else the model's positions)")
    whitening: str | None = flag(None, "whiten with this .npz file, written by `tfplm sts-eval --save-whitening`")
    dtype: Dtype = flag("auto", "dtype of weights and computation; auto: the faster one, see `tfplm info`; vectors are "
                                "float32")


@dataclasses.dataclass(kw_only=True)
class EncodeOptions(Options, EncoderOptions):
    """Write the vectors of the lines of text files, in order, as a NumPy array or a Parquet file.

    The files may be larger than memory. After a kill, run the same command again to resume (.npy). Read the array with
    np.load("vectors.npy"), or map it into memory with mmap_mode="r".
    """

    RUN = "tfplm.embed.commands.encode_file:run"
    EXAMPLES = ("tfplm encode sentences.txt --init bert-base-chinese -o vectors.npy",
                "tfplm encode pairs.tsv --pairs --init model --pooling CLS_TOKEN -o vectors.parquet")
    UNUSED = ("seed",)

    text: list[str] = flag(help="files, globs, folders, .gz, or - for standard input; one text per line",
                           positional=True)
    output: str = flag("vectors.npy", "file to write, .npy or .parquet")
    overwrite: bool = flag(False, "write the file again, if it exists")
    pairs: bool = flag(False, "each line is two texts, separated by a tab or by ' ||| '")
    prompt: str | None = flag(None, "prefix of each text: a prompt's name in the folder, or the prompt itself")
    workers: int = flag(1, "number of processes, each with its own model and its share of the cores")
    batch_tokens: int = flag(2048, "tokens in a batch, including padding")
    encoding: str = flag("utf-8", "encoding of the text files")

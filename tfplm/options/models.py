"""Options of `tfplm params`, `tfplm presets` and `tfplm convert`."""

import dataclasses
from typing import Literal

from tfplm.options.architecture import ArchitectureOptions
from tfplm.options.base import Options, ResultOptions, flag


@dataclasses.dataclass(kw_only=True)
class ParamsOptions(ResultOptions, ArchitectureOptions):
    """Count the parameters of a preset or of a saved model, without allocating them.

    With flags for its architecture, such as --embedding-size or --share, those of a variant of it.
    """

    RUN = "tfplm.models.pretrained.listing:params"
    EXAMPLES = ("tfplm params bert-base-chinese --by-layer",
                "tfplm params albert-base-v2 --embedding-size 768 --share attention --by-weight")
    EXPLAINED = ("head", "by_layer", "by_weight", "embedding_size", "share", "num_hidden_layers", "hidden_size")
    UNUSED = ("seed", "quiet", "config")

    model: str = flag(help="preset (see `tfplm presets`), or directory or hub name OWNER/NAME of a model", positional=True)
    head: str | None = flag(None, "include the parameters of this head, e.g. masked_lm")
    by_layer: bool = flag(False, "print a table by module and layer")
    by_weight: bool = flag(False, "print a table of all weights, with their shapes")


@dataclasses.dataclass(kw_only=True)
class PresetsOptions(ResultOptions):
    """List the presets: named architectures, their sizes and papers, and the hub names of published weights."""

    RUN = "tfplm.models.pretrained.listing:presets"
    EXAMPLES = ("tfplm presets", "tfplm presets albert --json")
    UNUSED = ("seed", "quiet", "config")

    family: str | None = flag(None, "only presets of this model_type, e.g. albert", positional=True)


@dataclasses.dataclass(kw_only=True)
class ConvertOptions(Options):
    """Convert a checkpoint, with its head and tokenizer, and print the report on its tensors."""

    RUN = "tfplm.models.pretrained.converting:convert"
    EXAMPLES = ("tfplm convert chinese_L-12_H-768_A-12 bert-hf", "tfplm convert bert-hf bert-tf1 --format tf1")
    UNUSED = ("seed", "config")
    ALIASES = {"output": "target", "o": "target"}

    source: str = flag(help="directory or hub name of the model to read", positional=True)
    target: str = flag(help="directory to write (for keras: a directory or a FILE.keras)", positional=True)
    format: Literal["hf", "tf1", "keras"] = flag("hf", "layout to write: Hugging Face, Google's TF1, or Keras")
    head: str | None = flag(None, "head to read and write; 'none' for no head (default: the head of the checkpoint)")
    overwrite: bool = flag(False, "write the target again, if it exists")
    dtype: Literal["float32", "bfloat16", "float16"] = flag("float32", "dtype of the weights")

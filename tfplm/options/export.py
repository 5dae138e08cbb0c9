"""Options of `tfplm export`."""

import dataclasses
from typing import Literal

from tfplm.options.base import Options, flag
from tfplm.options.generate import GenerationOptions
from tfplm.options.reading import Reading


@dataclasses.dataclass(kw_only=True)
class ExportOptions(Options, Reading, GenerationOptions):
    """Write a model for other programs: ONNX Runtime, OpenVINO, TensorFlow without tfplm, or LiteRT.

    The export is checked against the model on real texts before it appears in TARGET. Its report of size, speed and
    agreement is printed, and written to TARGET/export.json. A language model as a SavedModel generates with the options
    of `tfplm generate`, which are fixed in it.
    """

    RUN = "tfplm.export.run:run"
    EXAMPLES = ("tfplm export all-MiniLM-L6-v2 minilm-onnx --format onnx",
                "tfplm export model model-int8 --format openvino --precision int8 --calibrate texts.txt --data dev.tsv")
    EXPLAINED = ("source", "target", "format", "precision", "pooling", "layers", "normalize", "max_length", "head",
                 "calibrate", "texts", "data", "max_new_tokens", "num_beams", "do_sample", "json", "overwrite")
    UNUSED = ("seed", "config")
    ALIASES = {"output": "target", "o": "target"}

    seed: int = flag(0, "seed of every random choice")  # that of sampling is an input of the export
    source: str = flag(help="folder or hub name of the model: of sentence-transformers, of tfplm finetune, or any other",
                       positional=True)
    target: str = flag(help="folder to write", positional=True)
    format: Literal["saved_model", "onnx", "openvino", "litert"] = flag(
        help="onnx and openvino (extras of the same names), saved_model for TensorFlow Serving, or litert")
    precision: Literal["float32", "float16", "int8"] = flag(
        "float32", "float16: half of the size; int8: a quarter, and faster products on CPUs")
    pooling: list[str] = flag(factory=list, help="write sentence vectors with this pooling, as for `tfplm encode` "
                                                 "(default: that of a sentence-transformers folder)")
    layers: list[int] = flag(factory=list, help="layers to pool, -1 is the last (default: -1)")
    normalize: bool | None = flag(None, "scale vectors to length 1 (default: as in the folder, else no)")
    max_length: int | None = flag(None, "maximum tokens of a text (default: as in the folder, else the model's positions)")
    head: str | None = flag(None, "head of the model, 'none' for its hidden states (default: the head of the checkpoint)")
    calibrate: list[str] = flag(factory=list, help="files with texts of your own, one per line, for int8: ranges of "
                                                   "values are measured on them once (static), and not at each call "
                                                   "(dynamic)")
    texts: list[str] = flag(factory=list, help="files with real texts, on which the export is checked and timed "
                                               "(default: texts in several languages, and those of Python's manuals)")
    data: str | None = flag(None, "labelled file: the scores of the model and of the export are part of the report "
                                  "(of sentence vectors: pairs of texts with a number)")
    json: bool = flag(False, "print the report as JSON")
    overwrite: bool = flag(False, "write the target again, if an earlier export is there")

    def __post_init__(self):
        super().__post_init__()
        if self.pooling and self.head not in (None, "none"):
            raise ValueError(f"the pooling is {', '.join(self.pooling)} and the head {self.head}; expected one of them, as "
                             "pooling gives vectors, and a head its own outputs: leave one of them out")
        if self.calibrate and self.precision != "int8":
            raise ValueError(f"there are texts to calibrate, but the precision is {self.precision}; expected int8 with "
                             "them: add --precision int8, or leave them out")

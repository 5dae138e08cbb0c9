"""Options of the program that runs a model."""

import dataclasses
from typing import Literal

from tfplm.options.base import flag


@dataclasses.dataclass(kw_only=True)
class BackendOptions:
    """The program that runs the model; a mixin for `Options`."""

    HEADING = "program"

    backend: Literal["tensorflow", "onnx", "openvino"] = flag(
        "tensorflow", "program that runs the model: onnx (ONNX Runtime) and openvino get it exported, once, into a folder "
                      ".tfplm beside it (extras onnx, openvino)")
    precision: Literal["float32", "float16", "int8"] | None = flag(
        None, "precision of another backend: int8 products are the fastest, float16 weights the same as float32 on CPUs "
              "(default: float32)")

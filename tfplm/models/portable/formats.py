"""The formats for other programs: which there are, and what they need."""

import dataclasses
import importlib
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import numpy as np

from tfplm.core.suggest import did_you_mean
from tfplm.models.portable.portable import Portable
from tfplm.models.portable.session import Session


@dataclasses.dataclass(frozen=True)
class Format:
    """A format, which is one module with two functions:

        write(portable, folder, precision, calibration)    writes the file(s) into a folder that exists
        open_session(folder, threads)                      a `Session` of what `write` has written

    Attributes:
        module: the name of that module.
        extra: the extra of `setup.py` with its packages, "" if it needs none.
        packages: what `write` imports; runtime: what `open_session` imports.
        precisions: what it can write. int8 is "static" with calibration, "dynamic" without.
    """

    name: str
    module: str
    extra: str = ""
    packages: tuple[str, ...] = ()
    runtime: tuple[str, ...] = ()
    precisions: tuple[str, ...] = ("float32", "float16", "int8")

    def load(self, packages: Sequence[str] = ()) -> ModuleType:
        """The module; raises ImportError for a package that is not installed."""
        extra = f"'.[{self.extra}]'"
        if missing := [name for name in packages if importlib.util.find_spec(name) is None]:
            raise ImportError(f"the format {self.name} needs {' and '.join(missing)}, which "
                              f"{'is' if len(missing) == 1 else 'are'} not installed: pip install -e {extra}")
        return importlib.import_module(self.module)


FORMATS = {each.name: each for each in (
    Format("onnx", "tfplm.models.portable.onnx", "onnx", ("tf2onnx", "onnx", "onnxruntime"), ("onnxruntime",)),
    Format("saved_model", "tfplm.models.portable.saved_model", precisions=("float32",)),
    Format("litert", "tfplm.models.portable.litert", "litert", (), ("ai_edge_litert",)),
    Format("openvino", "tfplm.models.portable.openvino", "openvino", ("openvino",), ("openvino",)),
)}


def format_of(name: str, precision: str = "float32") -> Format:
    """The format with this name; raises ValueError for an unknown name, and for a precision that it has not."""
    if name not in FORMATS:
        raise ValueError(f"there is no format '{name}'{did_you_mean(name, FORMATS)}; expected one of {', '.join(FORMATS)}")
    found = FORMATS[name]
    if precision not in found.precisions:
        raise ValueError(f"the precision is {precision!r}; expected one of {', '.join(found.precisions)} for the format "
                         f"{name}: choose one of them")
    return found


def write(portable: Portable, folder: Path, name: str, precision: str = "float32",
          calibration: Sequence[dict[str, np.ndarray]] = ()) -> None:
    """Writes `portable` into a folder.

    Args:
        name: of the format.
        precision: "float32", "float16" (weights) or "int8" (products of matrices).
        calibration: batches, with which ranges of values are measured for static int8; none: dynamic int8, for which
            they are measured at each call.

    Raises ValueError for an unknown format or precision, ImportError for a missing package.
    """
    found = format_of(name, precision)
    found.load(found.packages).write(portable, folder, precision, calibration)


def open_session(folder: Path, name: str, threads: int | None = None) -> Session:
    """Opens what `write` has written. threads: that the runtime uses; None: as many as there are cores.

    Raises ImportError for a missing package, FileNotFoundError if there is no such file.
    """
    found = format_of(name)
    return found.load(found.runtime).open_session(folder, threads)

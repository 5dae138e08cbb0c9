"""The format ONNX: `onnx/model.onnx`, for ONNX Runtime and all programs that run it."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tfplm.core.files import naming_the_space, replacing
from tfplm.models.portable.graph import freeze
from tfplm.models.portable.portable import Portable
from tfplm.models.portable.session import Session, existing_file

FILE = "onnx/model.onnx"
_DTYPES = {"tensor(int64)": np.int64, "tensor(int32)": np.int32, "tensor(float)": np.float32}


def part(folder: Path, name: str) -> Path:
    """The file of a further function, see `Portable.also`."""
    return folder / "onnx" / f"{name}.onnx"


def write(portable: Portable, folder: Path, precision: str, calibration: Sequence[dict[str, np.ndarray]]) -> None:
    """Writes `onnx/model.onnx`, and a file for each further function, see `formats.write`.

    Further functions have other inputs than the calibration, so that int8 is dynamic in their files.
    """
    _write(portable, folder / FILE, precision, calibration)
    for name, further in portable.also.items():
        _write(further, part(folder, name), precision, ())


def _write(portable: Portable, file: Path, precision: str, calibration: Sequence[dict[str, np.ndarray]]) -> None:
    from tfplm.models.portable import onnx_precision
    from tfplm.models.portable.onnx_graph import convert

    model = convert(freeze(portable))
    file.parent.mkdir(parents=True, exist_ok=True)
    with naming_the_space(file, model.ByteSize()), replacing(file) as temporary:
        if precision == "int8":
            with tempfile.TemporaryDirectory() as scratch:
                onnx_precision.write_int8(model, temporary, Path(scratch), calibration)
        else:
            if precision == "float16":
                onnx_precision.to_float16_weights(model)
            temporary.write_bytes(model.SerializeToString())


def open_session(folder: Path, threads: int | None = None) -> "OnnxSession":
    """Opens the file, or the file in the folder, that `write` has written."""
    return OnnxSession(existing_file(folder, FILE, "onnx"), threads)


class OnnxSession(Session):
    """A model in ONNX Runtime, on the CPU."""

    def __init__(self, file: Path, threads: int | None = None):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3  # errors only
        if threads is not None:
            options.intra_op_num_threads = threads
        self._session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
        self.inputs = {each.name: np.dtype(_DTYPES[each.type]) for each in self._session.get_inputs()}
        self.outputs = tuple(each.name for each in self._session.get_outputs())

    def run(self, batch):
        return dict(zip(self.outputs, self._session.run(None, batch)))

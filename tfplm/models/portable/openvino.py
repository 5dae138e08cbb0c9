"""The format OpenVINO: `openvino/openvino_model.xml` and `.bin`, for OpenVINO's runtime."""

import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tfplm.core.files import naming_the_space
from tfplm.models.portable.graph import freeze
from tfplm.models.portable.portable import Frozen, Portable
from tfplm.models.portable.session import Session, existing_file

FILE = "openvino/openvino_model.xml"


def part(folder: Path, name: str) -> Path:
    """The file of a further function, see `Portable.also`."""
    return folder / "openvino" / f"openvino_{name}.xml"


def write(portable: Portable, folder: Path, precision: str, calibration: Sequence[dict[str, np.ndarray]]) -> None:
    """Writes `openvino/openvino_model.xml` and `.bin`, and two files for each further function, see `formats.write`.

    int8 needs the package nncf: dynamic compresses weights only; static also computes products in int8.
    """
    _write(portable, folder / FILE, precision, calibration)
    for name, further in portable.also.items():
        _write(further, part(folder, name), precision, ())


def _write(portable: Portable, file: Path, precision: str, calibration: Sequence[dict[str, np.ndarray]]) -> None:
    import openvino

    file.parent.mkdir(parents=True, exist_ok=True)
    # in the same file system, so that the files are moved at once
    with tempfile.TemporaryDirectory(dir=file.parent) as scratch, naming_the_space(file, portable.weight_bytes):
        model = read(freeze(portable), Path(scratch))
        if precision == "int8":
            model = to_int8(model, calibration)
        written = Path(scratch, file.name)
        openvino.save_model(model, written, compress_to_fp16=precision == "float16")
        for suffix in (".bin", ".xml"):  # the second one last: without it there is no model
            written.with_suffix(suffix).replace(file.with_suffix(suffix))


def read(frozen: Frozen, scratch: Path):
    """The OpenVINO model of a frozen graph, with the public names of inputs and outputs."""
    import openvino

    file = scratch / "frozen.pb"
    file.write_bytes(frozen.graph.SerializeToString())
    model = openvino.Core().read_model(file)  # `convert_model` does the same, and reports its use over the network
    for names, ports in ((frozen.inputs, model.inputs), (frozen.outputs, model.outputs)):
        for name, tensor in names.items():
            port = next(port for port in ports if {tensor, tensor.partition(":")[0], name} & port.get_names())
            port.get_tensor().set_names({name})
    return model


def to_int8(model, calibration: Sequence[dict[str, np.ndarray]]):
    """The model with int8 weights, and with calibration also with int8 products."""
    import importlib.util

    if importlib.util.find_spec("nncf") is None:
        raise ImportError("int8 for OpenVINO needs nncf, which is not installed: pip install -e '.[openvino]', or choose "
                          "--precision float16")
    import nncf

    nncf.set_log_level(40)  # errors only
    if not calibration:
        return nncf.compress_weights(model, mode=nncf.CompressWeightsMode.INT8_SYM)
    batches = [{name: np.asarray(batch[name], np.int64) for name in map(_name, model.inputs)} for batch in calibration]
    return nncf.quantize(model, nncf.Dataset(batches), model_type=nncf.ModelType.TRANSFORMER,
                         subset_size=len(batches))


def _name(port) -> str:
    """The public name of an input or output; operations that a compilation removes leave theirs beside it, with a `:`."""
    return next((name for name in sorted(port.get_names()) if ":" not in name), port.get_any_name())


def open_session(folder: Path, threads: int | None = None) -> "OpenVinoSession":
    """Opens the file, or the file in the folder, that `write` has written."""
    return OpenVinoSession(existing_file(folder, FILE, "openvino"), threads)


class OpenVinoSession(Session):
    """A model in OpenVINO's runtime, on the CPU, with products in float32 where they are not int8."""

    def __init__(self, file: Path, threads: int | None = None):
        import openvino

        settings = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
        if threads is not None:
            settings["INFERENCE_NUM_THREADS"] = threads
        self._compiled = openvino.Core().compile_model(file, "CPU", settings)
        self.inputs = {_name(port): np.dtype(port.get_element_type().to_dtype()) for port in self._compiled.inputs}
        self.outputs = tuple(map(_name, self._compiled.outputs))
        self._requests = threading.local()

    def run(self, batch):
        if not hasattr(self._requests, "mine"):  # one request cannot serve two threads at once
            self._requests.mine = self._compiled.create_infer_request()
        results = self._requests.mine.infer(batch, share_inputs=True)
        return {name: np.array(results[name]) for name in self.outputs}

"""The format LiteRT (TensorFlow Lite): `litert/model.tflite`, for phones and small machines."""

import contextlib
import dataclasses
import os
import re
import tempfile
import threading
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow.lite.python import schema_py_generated as schema
from tensorflow.lite.tools import flatbuffer_utils

from tfplm.core.files import naming_the_space, replacing
from tfplm.models.portable.graph import LIMIT, trace
from tfplm.models.portable.portable import Portable
from tfplm.models.portable.session import Session, existing_file

FILE = "litert/model.tflite"
_SIGNATURE = "serving_default"
_CALIBRATED = 128  # tokens of a row with which ranges are measured


def write(portable: Portable, folder: Path, precision: str, calibration: Sequence[dict[str, np.ndarray]]) -> None:
    """Writes `litert/model.tflite`, see `formats.write`: batches and lengths of any size, LiteRT's own operations only.

    int8 without calibration: int8 weights of 1,024 values or more, products in int8 with ranges measured at each call;
    with calibration: products with weights in int8 with fixed ranges, and tables of embeddings, see `_products_alone`.

    Raises ValueError for weights of more than 2 GB, which a flatbuffer cannot have, and for operations that LiteRT lacks.
    """
    smaller = {"float32": 1, "float16": 2, "int8": 4}[precision]
    if portable.weight_bytes > LIMIT * smaller:
        raise ValueError(f"the weights have {portable.weight_bytes >> 20} MB in float32; expected at most "
                         f"{LIMIT * smaller >> 20} MB for LiteRT with {precision}, as a flatbuffer has at most 2 GB: "
                         "choose a smaller --precision, or --format saved_model")
    data = _converted(portable, precision, calibration)
    with naming_the_space(folder / FILE, len(data)), replacing(folder / FILE) as temporary:
        temporary.write_bytes(data)


def _converted(portable: Portable, precision: str, calibration: Sequence[dict[str, np.ndarray]]) -> bytes:
    module = tf.Module()
    # ranges are measured with batches of the main function alone
    parts = {_SIGNATURE: portable, **({} if calibration else portable.also)}
    signatures = {name: trace(dataclasses.replace(part, ids=tf.int32), "lite") for name, part in parts.items()}
    module.weights = [variable for concrete in signatures.values() for variable in concrete.variables]
    with tempfile.TemporaryDirectory() as scratch, _quiet():
        tf.saved_model.save(module, scratch, signatures=signatures)
        converter = tf.lite.TFLiteConverter.from_saved_model(scratch, signature_keys=list(signatures))
        if precision != "float32":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if precision == "float16":
            converter.target_spec.supported_types = [tf.float16]
        if precision == "int8" and calibration:
            batches = _of_one_shape(calibration, tuple(portable.inputs))
            converter.representative_dataset = lambda: ((_SIGNATURE, batch) for batch in batches)
            ops = tf.lite.OpsSet
            converter.target_spec.supported_ops = [ops.TFLITE_BUILTINS_INT8, ops.TFLITE_BUILTINS]
        try:
            return _products_alone(converter) if calibration else converter.convert()
        except Exception as error:  # ConverterError is private
            raise ValueError(f"LiteRT cannot express the model: {_reason(error)}; expected operations of LiteRT only: "
                             "export it with --format onnx or saved_model") from error


def _products_alone(converter: tf.lite.TFLiteConverter) -> bytes:
    """The file in which products with weights and the tables of embeddings are int8.

    With 255 values for the whole range, which masks and outliers widen, scores of attention and norms would be noise; the
    same holds for products that make rows narrower, as what a non-linearity gives has outliers: these stay float32.
    """
    tools = tf.lite.experimental
    others = [name for name in vars(schema.BuiltinOperator) if name.isupper() and name not in ("FULLY_CONNECTED", "GATHER")]
    debugger = tools.QuantizationDebugger(converter=converter, debug_dataset=lambda: iter(()),
                                          debug_options=tools.QuantizationDebugOptions(denylisted_ops=others))
    narrowing = _narrowing(debugger.get_nondebug_quantized_model())
    debugger.options = tools.QuantizationDebugOptions(denylisted_ops=others, denylisted_nodes=narrowing)
    return debugger.get_nondebug_quantized_model()


def _narrowing(data: bytes) -> list[str]:
    """The names of the outputs of products `[..., in]` -> `[..., out]` with more inputs than outputs."""
    model = flatbuffer_utils.convert_bytearray_to_object(bytearray(data))
    names = []
    for graph in model.subgraphs:
        for operator in graph.operators:
            if model.operatorCodes[operator.opcodeIndex].builtinCode == schema.BuiltinOperator.FULLY_CONNECTED:
                outputs, inputs = graph.tensors[operator.inputs[1]].shape
                if inputs > outputs:
                    names.append(graph.tensors[operator.outputs[0]].name.decode())
    return names


def _of_one_shape(batches: Sequence[dict[str, np.ndarray]], names: tuple[str, ...]) -> list[dict[str, np.ndarray]]:
    """The batches with as many rows and tokens as the largest one, int32: LiteRT measures ranges with one shape only.

    Rows are padded with zeros, and truncated to `_CALIBRATED` tokens; a batch that is too small gets its rows again.
    """
    shapes = [np.shape(batch[name]) for batch in batches for name in names]
    rows, length = max(shape[0] for shape in shapes), min(_CALIBRATED, max(shape[-1] for shape in shapes))

    def same(array: np.ndarray) -> np.ndarray:
        array = np.asarray(array, np.int32)[..., :length]
        widths = [(0, 0)] * (array.ndim - 1) + [(0, length - array.shape[-1])]
        return np.take(np.pad(array, widths), np.arange(rows) % len(array), axis=0)

    return [{name: same(batch[name]) for name in names} for batch in batches]


def _reason(error: Exception) -> str:
    """What the converter says of an operation, without the long list of places where it is; else the first line."""
    found = re.search(r"'tf\.\w+' op [^\n]*", str(error))
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (found.group() if found else lines[0] if lines else repr(error))[:300]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hides what the converter's C++ code writes to standard error, and that it uses the interpreter of TensorFlow."""
    saved, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(null, 2)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*Interpreter is deprecated")
            yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(null)


def open_session(folder: Path, threads: int | None = None) -> "LiteRtSession":
    """Opens the file, or the file in the folder, that `write` has written."""
    return LiteRtSession(existing_file(folder, FILE, "litert"), threads)


class LiteRtSession(Session):
    """A model in LiteRT's interpreter: one of the functions of a file."""

    def __init__(self, file: Path, threads: int | None = None, main: str = _SIGNATURE):
        from ai_edge_litert.interpreter import Interpreter

        self._file, self._threads = file, threads
        self._interpreter = Interpreter(str(file), num_threads=threads or os.cpu_count())
        self._run = self._interpreter.get_signature_runner(main)
        self._lock = threading.Lock()  # an interpreter has one set of tensors
        self.inputs = {name: np.dtype(detail["dtype"]) for name, detail in self._run.get_input_details().items()}
        self.outputs = tuple(self._run.get_output_details())
        self.parts = tuple(name for name in self._interpreter.get_signature_list() if name != _SIGNATURE)

    def part(self, name):
        return LiteRtSession(self._file, self._threads, name) if name in self.parts else super().part(name)

    def run(self, batch):
        try:
            with self._lock:
                return {name: np.array(array) for name, array in self._run(**batch).items()}
        except RuntimeError as error:
            shapes = {name: array.shape for name, array in batch.items()}
            raise ValueError(f"LiteRT cannot run {self._file.name} with inputs of the shapes {shapes} ({error}); expected "
                             "shapes that fit together, and operations that it can run: export the model with --format "
                             "onnx or saved_model") from error

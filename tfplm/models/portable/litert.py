"""The format LiteRT (TensorFlow Lite): `litert/model.tflite`, for phones and small machines."""

import contextlib
import dataclasses
import os
import tempfile
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from tfplm.core.files import naming_the_space, replacing
from tfplm.models.portable.graph import LIMIT, trace
from tfplm.models.portable.portable import Portable
from tfplm.models.portable.session import Session

FILE = "litert/model.tflite"
_SIGNATURE = "serving_default"


def write(portable: Portable, folder: Path, precision: str, calibration: Sequence[dict[str, np.ndarray]]) -> None:
    """Writes `litert/model.tflite`, see `formats.write`: batches and lengths of any size, LiteRT's own operations only.

    int8 without calibration: int8 weights, products in int8 with ranges measured at each call where LiteRT has them; with
    calibration: also int8 values between the operations, except for operations that LiteRT has in float32 alone.

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
            names = tuple(portable.inputs)
            converter.representative_dataset = lambda: (
                (_SIGNATURE, {name: np.asarray(batch[name], np.int32) for name in names}) for batch in calibration)
            ops = tf.lite.OpsSet
            converter.target_spec.supported_ops = [ops.TFLITE_BUILTINS_INT8, ops.TFLITE_BUILTINS]
        try:
            return converter.convert()
        except Exception as error:  # ConverterError is private
            raise ValueError(f"LiteRT cannot express the model: {_first_line(error)}; expected operations of LiteRT only: "
                             "export it with --format onnx or saved_model") from error


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return next((line for line in lines if "error:" in line or "op" in line), lines[0] if lines else repr(error))[:300]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hides what the converter's C++ code writes to standard error."""
    saved, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(null, 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(null)


def open_session(folder: Path, threads: int | None = None) -> "LiteRtSession":
    """Opens the file, or the file in the folder, that `write` has written."""
    file = folder / FILE if folder.is_dir() else folder
    if not file.is_file():
        raise FileNotFoundError(f"there is no {file}; expected a folder that tfplm export --format litert wrote: export the "
                                "model first")
    return LiteRtSession(file, threads)


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
        with self._lock:
            return {name: np.array(array) for name, array in self._run(**batch).items()}

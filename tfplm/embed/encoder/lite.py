"""A function of one array as a program of LiteRT: XNNPACK packs its weights once, and starts an operation in no time.

For few tokens TensorFlow's and XLA's products rearrange the weights at each call, which takes longer than multiplying.
"""

import atexit
import contextlib
import os
import subprocess
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tensorflow as tf

from tfplm.core.terminal.import_noise import held_stderr

_THREADS = "TF_NUM_INTRAOP_THREADS"
_TIMEOUT = 900  # seconds of a conversion, after which it is given up
# the conversion holds Python's lock for seconds, and takes several times the memory of the weights, so it has a process
_CONVERT = """
import sys
import tensorflow as tf
with open(sys.argv[2], "wb") as file:
    file.write(tf.lite.TFLiteConverter.from_saved_model(sys.argv[1]).convert())
"""


class LiteProgram:
    """`program(array)`: the result of the converted function; one call at a time, others wait.

    Args:
        function: an int32 tensor of this shape -> a float32 tensor, by operations that LiteRT has.
        shape: of the array. weights: the variables that the function reads; their values become the program's.

    Raises OSError or RuntimeError if it cannot be converted or loaded.
    """

    def __init__(self, function: Callable, shape: tuple[int, ...], weights: list):
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:  # Windows keeps files that are open
            saved, file = Path(folder, "saved"), Path(folder, "program.tflite")
            module = tf.Module()
            module.weights = weights
            module.run = tf.function(function, autograph=False, input_signature=[tf.TensorSpec(shape, tf.int32)])
            tf.saved_model.save(module, str(saved), signatures=module.run.get_concrete_function())
            _convert(saved, file)
            self._interpreter = _interpreter(file)  # maps the file, which the system keeps as long as it is used
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._output = self._interpreter.get_output_details()[0]["index"]
        self._lock = threading.Lock()

    def __call__(self, array: np.ndarray) -> np.ndarray:
        with self._lock:
            self._interpreter.set_tensor(self._input, array)
            self._interpreter.invoke()
            return self._interpreter.get_tensor(self._output)


def _convert(saved: Path, file: Path) -> None:
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
    process = subprocess.Popen([sys.executable, "-c", _CONVERT, str(saved), str(file)], cwd=saved.parent, env=environment,
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    atexit.register(process.kill)
    try:
        _, errors = process.communicate(timeout=_TIMEOUT)
    except subprocess.TimeoutExpired as error:
        raise RuntimeError(f"the conversion took more than {_TIMEOUT} seconds") from error
    finally:
        process.kill()
        atexit.unregister(process.kill)
    if process.returncode:
        lines = errors.decode(errors="replace").strip().splitlines() or [f"exit status {process.returncode}"]
        raise RuntimeError(next((line for line in reversed(lines) if "rror" in line), lines[-1]).strip()[:200])


def _interpreter(file: Path):
    with warnings.catch_warnings(), held_stderr(b"INFO: Created TensorFlow Lite"):
        warnings.simplefilter("ignore")  # that it has moved
        try:
            from ai_edge_litert.interpreter import Interpreter
        except ImportError:
            Interpreter = tf.lite.Interpreter
        result = Interpreter(model_path=str(file), num_threads=_threads())
        result.allocate_tensors()
    return result


def _threads() -> int:
    """As many as TensorFlow's operations have."""
    with contextlib.suppress(ValueError):
        if given := tf.config.threading.get_intra_op_parallelism_threads() or int(os.environ.get(_THREADS, 0)):
            return given
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


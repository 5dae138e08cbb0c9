"""Programs for short single texts, in which weights are constants.

A matrix product with few rows spends most of its time on the memory layout of the kernel, and operations take longer to
start than to run. So the first program, compiled after few calls, has few operations (see `one_cluster`), or in float32
is one XLA program. The second, made after many calls, is LiteRT's, whose layout is prepared once.
"""

import collections
import contextlib
import logging
import threading
from collections.abc import Callable
from typing import Literal, get_args

import keras
import numpy as np
import tensorflow as tf

from tfplm.embed.encoder.lite import LiteProgram
from tfplm.layers.attention import one_cluster
from tfplm.layers.kernels.plain import plain_kernels
from tfplm.models.model import PretrainedModel

_WIDTHS = (16, 32, 64)
LONGEST = _WIDTHS[-1]  # tokens; longer texts spend their time inside the operations
# calls with texts of one width, after which a program is compiled for it, and LiteRT's is made, in another process, which
# takes seconds; of frozen weights 1 and _CALLS
_CALLS, _MANY_CALLS = 16, 100
_CLOSE = 1e-4  # maximum difference of the two programs' components, relative to the largest
UNASKED = 256 << 20  # maximum bytes of weights that become constants without `freeze`: they use memory three times
_LIMIT = 1900 << 20  # maximum bytes of a graph
_ROWS = ("input_ids", "token_type_ids", "position_ids", "sequence_ids", "token_index")
State = Literal["private", "shared", "frozen"]


class Ownership:
    """Tracks if the weights of a model may change; all encoders of a model share one object.

    state: "private": only the encoders have the model, so no other code changes it; "shared": other code has it as
    well; "frozen": other code may have it, but has promised not to change it. version: increases whenever a state is
    set, so that programs with older weights are compiled again.
    """

    def __init__(self, state: State):
        self.version = 0
        self.set(state)

    def set(self, state: State) -> None:
        if state not in get_args(State):
            raise ValueError(f"weights is {state!r}; expected one of {', '.join(get_args(State))}: change it")
        self.state, self.version = state, self.version + 1

    def lend(self) -> None:
        """Records that other code has the model, too; "frozen" stays."""
        if self.state == "private":
            self.state = "shared"


class SingleTexts:
    """`single_texts(batch)`: the vector of a batch with one text, or None if no program is compiled for it.

    The program is compiled in the background for each of few widths, after some texts with this width. It is used as
    long as the weights cannot change, see `Ownership`.

    Args:
        model: the model whose weights, except embedding tables, become constants.
        function: the arrays of `rows.assemble`, as tensors -> float32 `[1,H]`.
        ownership: the ownership of the model.
    """

    def __init__(self, model: PretrainedModel, function: Callable, ownership: Ownership):
        self.model, self.function, self.ownership = model, function, ownership
        self.weights = [variable for variable in model.weights if not variable.path.endswith("/embeddings")]
        self.bytes = _bytes(self.weights)
        self.whole = model.compute_dtype == "float32"  # bfloat16 is faster by oneDNN, and LiteRT does not have it
        self.lite = self.whole and _bytes(model.weights) <= _LIMIT and not tf.config.list_physical_devices("GPU")
        self._current = None

    def check(self) -> None:
        """Raises ValueError if the weights are too large for a graph."""
        if self.bytes > _LIMIT:
            raise ValueError(f"the weights of {self.model.name} have {self.bytes >> 20} MB; expected at most "
                             f"{_LIMIT >> 20} MB to freeze them: do not call `freeze` for this model")

    def __call__(self, batch: dict[str, np.ndarray]) -> np.ndarray | None:
        state, version = self.ownership.state, self.ownership.version
        if state == "shared" or (state == "private" and self.bytes > UNASKED):
            self._current = None
            return None
        current = self._current  # other threads may set the attribute to None
        if current is None or current.version != version:
            current = self._current = _Compiled(self, version)
        return current(batch)


class _Compiled:
    """The programs with one version of the weights."""

    def __init__(self, texts: SingleTexts, version: int):
        self.texts, self.version = texts, version
        self.started, self.ready = set(), set()  # widths whose compilation has started, and has finished
        self.lite: dict[int, LiteProgram] = {}
        self._program, self._lock, self._calls = None, threading.Lock(), collections.Counter()
        self._lite_started = set() if texts.lite else set(_WIDTHS)

    def __call__(self, batch: dict[str, np.ndarray]) -> np.ndarray | None:
        width = next(width for width in _WIDTHS if width >= batch["input_ids"].shape[1])
        self._calls[width] += 1
        frozen = self.texts.ownership.state == "frozen"
        if self._calls[width] >= (1 if frozen else _CALLS) and width not in self.started:
            self.started.add(width)
            threading.Thread(target=self._compile, args=(batch, width)).start()
        if width not in self.ready:
            return None
        if width in self.lite:
            return self.lite[width](_table(batch, width))
        if self._calls[width] >= (_CALLS if frozen else _MANY_CALLS) and width not in self._lite_started:
            self._lite_started.add(width)
            threading.Thread(target=self._convert, args=(batch, width), daemon=True).start()
        return self._program(tf.constant(_table(batch, width))).numpy()

    def _compile(self, batch: dict[str, np.ndarray], width: int) -> None:
        try:
            with self._lock:
                if self._program is None:
                    self._program = self._trace()
                self._program(tf.constant(_table(batch, width)))
        except tf.errors.OpError as error:  # an operation that XLA does not support
            logging.getLogger(__name__).info("single texts of %d tokens are not compiled: %s", width, error)
        else:
            self.ready.add(width)

    def _convert(self, batch: dict[str, np.ndarray], width: int) -> None:
        table = _table(batch, width)

        def single(table):
            with one_cluster(), plain_kernels():
                return self._single(table)

        try:
            with self._lock:
                program = LiteProgram(single, table.shape, [variable.value for variable in self.texts.model.weights])
            expected, found = self._program(tf.constant(table)).numpy(), program(table)
            if found.shape != expected.shape or not np.abs(found - expected).max() <= _CLOSE * np.abs(expected).max():
                raise RuntimeError("its vectors differ from the model's")
        except Exception as error:  # no more than a speed is lost, and converters raise all kinds
            logging.getLogger(__name__).info("single texts of %d tokens have no program of LiteRT: %s", width, error)
        else:
            self.lite[width] = program

    def _trace(self):
        """The function with weights as constants, and with kernels joined if one product can replace several."""
        values = [(variable, keras.ops.convert_to_numpy(variable)) for variable in self.texts.weights]

        def single(table):
            with contextlib.ExitStack() as stack:
                constants = [(variable, tf.constant(value)) for variable, value in values]
                stack.enter_context(keras.StatelessScope(constants))
                stack.enter_context(one_cluster())
                if self.texts.whole:
                    stack.enter_context(plain_kernels())
                return self._single(table)

        signature = tf.TensorSpec([len(_ROWS) + 1, None], tf.int32)
        program = tf.function(single, autograph=False, jit_compile=self.texts.whole or None)
        return program.get_concrete_function(signature)

    def _single(self, table):
        batch = {name: table[row:row + 1] for row, name in enumerate(_ROWS)}
        return self.texts.function({**batch, "lengths": table[-1, :1]})


def _bytes(weights: list) -> int:
    return sum(int(np.prod(weight.shape)) * tf.as_dtype(weight.dtype).size for weight in weights)


def _table(batch: dict[str, np.ndarray], width: int) -> np.ndarray:
    """The arrays of a text as one, padded to one of few widths, for each of which a program is compiled; the last row
    has the length."""
    table = np.zeros((len(_ROWS) + 1, width), np.int32)
    for row, name in enumerate(_ROWS):
        table[row, :batch[name].shape[1]] = batch[name][0]
    table[-1, 0] = batch["lengths"][0]
    return table

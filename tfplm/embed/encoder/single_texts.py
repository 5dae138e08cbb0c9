"""The program of short texts that come one by one: its weights are constants, laid out for the processor once.

A product of few rows spends most of its time on the layout of its kernel, which a variable goes through at each call; and
operations take longer to start than to do, so there are few of them (see `one_cluster`).
"""

import collections
import logging
import threading
from collections.abc import Callable
from typing import Literal, get_args

import keras
import numpy as np
import tensorflow as tf

from tfplm.core.rounding import power_of_two
from tfplm.layers.attention import one_cluster
from tfplm.models.model import PretrainedModel

LONGEST = 64  # tokens; a longer text spends its time inside the operations
_CALLS = 16  # with texts of one width, before the program is compiled for it
UNASKED = 256 << 20  # bytes of weights that are made constants without a promise: they are in memory three times then
_LIMIT = 1900 << 20  # bytes that a graph can hold
_ROWS = ("input_ids", "token_type_ids", "position_ids", "sequence_ids", "token_index")
State = Literal["private", "shared", "frozen"]


class Ownership:
    """Whether the weights of a model may change; one object for all encoders of that model.

    state: "private", only the encoders have the model, so that nobody changes it; "shared", other code has it as well;
    "frozen", other code may have it and has promised not to change it. version: grows when a state is set, so that
    programs with older weights are made again.
    """

    def __init__(self, state: State):
        self.version = 0
        self.set(state)

    def set(self, state: State) -> None:
        if state not in get_args(State):
            raise ValueError(f"weights is {state!r}, expected one of {', '.join(get_args(State))}")
        self.state, self.version = state, self.version + 1

    def lend(self) -> None:
        """From now on other code has the model, too; a promise still holds."""
        if self.state == "private":
            self.state = "shared"


class SingleTexts:
    """`single_texts(batch)`: the vector of a batch of one text, or None where no compiled program serves.

    The program is compiled in the background, for each of few widths after some texts of it. It is used as long as the
    weights cannot change, see `Ownership`.

    Args:
        model: whose weights, but tables of embeddings, become constants.
        function: a batch as `rows.assemble` makes it, as tensors -> float32 `[1,H]`.
        ownership: of the model.
    """

    def __init__(self, model: PretrainedModel, function: Callable, ownership: Ownership):
        self.model, self.function, self.ownership = model, function, ownership
        self.weights = [variable for variable in model.weights if not variable.path.endswith("/embeddings")]
        self.bytes = sum(int(np.prod(v.shape)) * tf.as_dtype(v.dtype).size for v in self.weights)
        self._current = None

    def check(self) -> None:
        """ValueError for more weights than a graph can hold."""
        if self.bytes > _LIMIT:
            raise ValueError(f"the weights of {self.model.name} have {self.bytes >> 20} MB, of which a program can hold "
                             f"{_LIMIT >> 20}: it cannot be frozen")

    def __call__(self, batch: dict[str, np.ndarray]) -> np.ndarray | None:
        state, version = self.ownership.state, self.ownership.version
        if state == "shared" or (state == "private" and self.bytes > UNASKED):
            self._current = None
            return None
        current = self._current  # other threads may forget it meanwhile
        if current is None or current.version != version:
            current = self._current = _Compiled(self, version)
        return current(batch)


class _Compiled:
    """The program with the weights of one moment."""

    def __init__(self, texts: SingleTexts, version: int):
        self.texts, self.version = texts, version
        self.started, self.ready = set(), set()  # widths that are being compiled or are, and that are
        self._program, self._lock, self._calls = None, threading.Lock(), collections.Counter()

    def __call__(self, batch: dict[str, np.ndarray]) -> np.ndarray | None:
        width = max(16, power_of_two(batch["input_ids"].shape[1]))
        if width in self.ready:
            return self._program(tf.constant(_table(batch, width))).numpy()
        self._calls[width] += 1
        enough = 1 if self.texts.ownership.state == "frozen" else _CALLS
        if self._calls[width] >= enough and width not in self.started:
            self.started.add(width)
            threading.Thread(target=self._compile, args=(batch, width)).start()
        return None

    def _compile(self, batch: dict[str, np.ndarray], width: int) -> None:
        try:
            with self._lock:
                if self._program is None:
                    self._program = self._trace()
                self._program(tf.constant(_table(batch, width)))
        except tf.errors.OpError as error:  # an operation that XLA has not
            logging.getLogger(__name__).info("single texts of %d tokens are not compiled: %s", width, error)
        else:
            self.ready.add(width)

    def _trace(self):
        """Weights as constants, kernels joined where one product can do the work of several."""
        values = [(variable, keras.ops.convert_to_numpy(variable)) for variable in self.texts.weights]

        def single(table):
            batch = {name: table[row:row + 1] for row, name in enumerate(_ROWS)}
            with keras.StatelessScope([(variable, tf.constant(value)) for variable, value in values]), one_cluster():
                return self.texts.function({**batch, "lengths": table[-1, :1]})

        signature = tf.TensorSpec([len(_ROWS) + 1, None], tf.int32)
        return tf.function(single, autograph=False).get_concrete_function(signature)


def _table(batch: dict[str, np.ndarray], width: int) -> np.ndarray:
    """A text's arrays as one, padded to one of few widths, each of which is compiled; in the last row the length."""
    table = np.zeros((len(_ROWS) + 1, width), np.int32)
    for row, name in enumerate(_ROWS):
        table[row, :batch[name].shape[1]] = batch[name][0]
    table[-1, 0] = batch["lengths"][0]
    return table

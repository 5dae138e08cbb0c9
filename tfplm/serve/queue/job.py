"""A request on its way through the server: its inputs, their outputs as they come, and the result."""

import sys
import time
from collections.abc import Callable, Hashable, Iterable
from typing import Any

_ITEM = 50  # bytes of a token beside its characters, or of a number


class Job:
    """One request; its inputs may be encoded in several batches, and the outputs are put together in order.

    Args:
        inputs: what is to be encoded: texts, or lists and tuples of texts or numbers.
        join: makes the result of the outputs of all inputs.
        done: called once, from any thread, when there is a `result` or an `error`; never after `cancel`.
        owner: who asked, so that the work can be dropped when that client has left.

    After `done`: `error` (str or None), and without one `result`. `bytes`: of the inputs in memory, roughly.
    """

    def __init__(self, inputs: list, join: Callable[[list], Any], done: Callable[["Job"], None], owner: Hashable = None):
        self.inputs, self.join, self.done, self.owner = inputs, join, done, owner
        self.received, self.bytes = time.monotonic(), memory_of(inputs)
        self.finished = self.cancelled = False
        self.error: str | None = None
        self.result: Any = None
        self._outputs: list = [None] * len(inputs)
        self._missing = len(inputs)

    def __len__(self) -> int:
        return len(self.inputs)

    def add(self, start: int, outputs: list) -> bool:
        """Takes the outputs of the inputs from `start` on; True when all have come."""
        self._outputs[start:start + len(outputs)] = outputs
        self._missing -= len(outputs)
        return self._missing == 0

    def assemble(self) -> None:
        """Makes the result."""
        outputs, self._outputs = self._outputs, []
        self.result = self.join(outputs)


def memory_of(inputs: list) -> int:
    """Bytes of texts, or of lists and what is in them; what several of them refer to counts each time."""
    return sys.getsizeof(inputs) + sum(map(_memory, inputs))


def _memory(value: str | Iterable) -> int:
    size = sys.getsizeof(value)
    if isinstance(value, list | tuple):
        size += _ITEM * len(value)
        if value and isinstance(value[0], str):
            size += sys.getsizeof("".join(value))  # faster than each by itself
    return size

"""A request on its way through the server: its sequences, and its vectors as they come."""

import sys
import time
from collections.abc import Callable, Hashable

import numpy as np

from tfplm.serve.engines.engine import Encoded, EngineInfo
from tfplm.serve.zmq.protocol import Sequence

_TOKEN = 50  # bytes of a token beside its characters, or of a number


class Job:
    """One request; its parts may be encoded in several batches and are put together in order.

    Args:
        sequences: what is to be encoded.
        done: called once, from any thread, when there are `vectors` or an `error`; never after `cancel`.
        owner: who asked, so that the work can be dropped when he has gone.

    After `done`: `error` (str or None), and without one `vectors`, `lengths`, `tokens` as in `Encoded`. `bytes`: of the
    sequences in memory, roughly.
    """

    def __init__(self, sequences: list[Sequence], done: Callable[["Job"], None], owner: Hashable = None):
        self.sequences, self.done, self.owner = sequences, done, owner
        self.received, self.bytes = time.monotonic(), memory_of(sequences)
        self.finished = self.cancelled = False
        self.error: str | None = None
        self.vectors = self.lengths = self.tokens = None
        self._parts: dict[int, Encoded] = {}
        self._missing = len(sequences)

    def __len__(self) -> int:
        return len(self.sequences)

    def add(self, start: int, part: Encoded) -> bool:
        """Takes the vectors of the sequences from `start` on; whether all have come."""
        self._parts[start] = part
        self._missing -= len(part.vectors)
        return self._missing == 0

    def assemble(self, info: EngineInfo) -> None:
        """Puts the parts together: `vectors` and what belongs to them."""
        parts = [self._parts[start] for start in sorted(self._parts)]
        self._parts = {}
        self.lengths = np.concatenate([part.lengths for part in parts])
        if all(part.tokens is not None for part in parts):
            self.tokens = [tokens for part in parts for tokens in part.tokens]
        length = info.fixed_length or int(self.lengths.max())
        if not info.per_token:
            # a copy: a part of a batch's array would keep the whole of it in memory
            self.vectors = np.concatenate([part.vectors for part in parts])
        else:
            self.vectors = np.zeros((len(self), length, info.dimension), info.dtype)
            row = 0
            for part in parts:
                width = min(length, part.vectors.shape[1])
                self.vectors[row:row + len(part.vectors), :width] = part.vectors[:, :width]
                row += len(part.vectors)


def memory_of(sequences: list[Sequence]) -> int:
    """Bytes of texts, or of lists and what is in them; what is there once for many of them counts each time."""
    return sys.getsizeof(sequences) + sum(map(_memory, sequences))


def _memory(sequence: Sequence) -> int:
    size = sys.getsizeof(sequence)
    if isinstance(sequence, list):
        size += _TOKEN * len(sequence)
        if isinstance(sequence[0], str):
            size += sys.getsizeof("".join(sequence))  # faster than each by itself
    return size

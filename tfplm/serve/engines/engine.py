"""What a server needs of a model: the `Engine` protocol. `tfplm.serve.engines.sentence_engine` has the real one."""

import dataclasses
from typing import Protocol

import numpy as np

from tfplm.serve.zmq.protocol import Sequence


@dataclasses.dataclass(frozen=True)
class EngineInfo:
    """What is known of an engine before it has encoded anything.

    dimension: numbers of one vector. per_token: a vector for each token (pooling NONE): `[N,T,dimension]`, where T is
    `fixed_length`, or without one that of the request's longest row, at most `max_length`. vocab_size: rows of the
    model's embedding. settings: options that the model decided, by name, for SHOW_CONFIG.
    """

    dimension: int
    dtype: str = "float32"
    per_token: bool = False
    fixed_length: int | None = None
    max_length: int | None = None
    vocab_size: int = 0
    settings: dict = dataclasses.field(default_factory=dict)

    @property
    def row_shape(self) -> tuple[int, ...]:
        """The shape of a failed request's rows."""
        return (self.fixed_length or 1, self.dimension) if self.per_token else (self.dimension,)

    def reply_bytes(self, sequences: list[Sequence]) -> int:
        """The bytes of these sequences' vectors, or somewhat more; a text has hardly more tokens than characters."""
        length = 1
        if self.per_token:
            longest = max(map(len, sequences)) + 3
            length = self.fixed_length or min(longest, self.max_length or longest)
        return len(sequences) * length * self.dimension * np.dtype(self.dtype).itemsize


@dataclasses.dataclass(frozen=True)
class Encoded:
    """Vectors of some sequences, `[N,dimension]` or `[N,T,dimension]` with zeros behind a row's last token.

    lengths: tokens of each row, int32 `[N]`, special ones included. tokens: these tokens, if they are to be shown.
    """

    vectors: np.ndarray
    lengths: np.ndarray
    tokens: list[list[str]] | None = None


class Engine(Protocol):
    """Encodes batches; called from one thread at a time, which need not be the one that made it."""

    info: EngineInfo

    def encode(self, sequences: list[Sequence]) -> Encoded:
        """Vectors of texts, lists of tokens and lists of ids, in any mixture."""

    def check(self) -> None:
        """Raises `WorkerDied` where the engine cannot encode any more."""

    def restart(self) -> None:
        """Makes a dead engine anew, or raises the reason why that is impossible."""

    def close(self) -> None:
        """Frees what the engine holds."""


class WorkerDied(RuntimeError):
    """The process of an engine has ended in the middle of its work; what it worked on may be tried once more."""

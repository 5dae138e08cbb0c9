"""The engine interface: what a server needs of a model, whatever the model gives.

A kind of engine is one file: a class with `encode`, and `make_engine(options, number)`. What the server must know of it
without the model is its `EngineInfo`.
"""

import abc
import dataclasses
from typing import Any, Generic, TypeVar

In = TypeVar("In")
Out = TypeVar("Out")


@dataclasses.dataclass(frozen=True, kw_only=True)
class EngineInfo(Generic[In, Out]):
    """What is known of an engine without its model. An engine in a worker process sends it through a pipe, so that it is
    pickled, and the module of a subclass should import no TensorFlow.

    interfaces: the HTTP interfaces of the engine, modules of `tfplm.serve.http.routes`. output_bytes: memory of one
    output. settings: options that the model decided, by name, for SHOW_CONFIG. parameters: of the model. warm_seconds: that
    it was compiled for, None if it was not.
    """

    interfaces: tuple[str, ...] = ()
    output_bytes: int = 0
    settings: dict = dataclasses.field(default_factory=dict)
    parameters: int = 0
    warm_seconds: float | None = None

    def join(self, outputs: list[Out]) -> Any:
        """The result of a request from the outputs of all its inputs, in order. By default their list."""
        return outputs

    def cost(self, inputs: list[In]) -> int:
        """Bytes of memory that the result for these inputs takes, or somewhat more."""
        return len(inputs) * self.output_bytes


class Engine(abc.ABC, Generic[In, Out]):
    """Gives an output for each input; called from one thread at a time, which need not be the one that made it.

    The outputs of an input must not depend on the inputs beside it: a batch holds those of many requests.
    """

    info: EngineInfo[In, Out]

    @abc.abstractmethod
    def encode(self, inputs: list[In]) -> list[Out]:
        """The outputs of a batch, in the order of the inputs. Any error fails the requests of the batch."""

    def join(self, outputs: list[Out]) -> Any:
        """The result of a request, see `EngineInfo.join`."""
        return self.info.join(outputs)

    def cost(self, inputs: list[In]) -> int:
        """Bytes of a request's result, see `EngineInfo.cost`."""
        return self.info.cost(inputs)

    def check(self) -> None:
        """Raises `WorkerDied` where the engine cannot encode any more."""

    def abort(self) -> None:
        """Ends an `encode` in another thread that takes too long, where that is possible."""

    def restart(self) -> None:
        """Makes a dead engine again, or raises the reason why that is impossible."""

    def close(self) -> None:
        """Frees what the engine holds."""


class WorkerDied(RuntimeError):
    """The process of an engine has ended in the middle of its work; what it worked on may be tried once more."""

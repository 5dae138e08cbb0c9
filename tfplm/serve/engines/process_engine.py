"""An engine in a process of its own, which may die without taking the server with it."""

import contextlib
import multiprocessing
import os
import signal
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from typing import Any

from tfplm.core.terminal.import_noise import hold_import_noise
from tfplm.options.serve import ServeOptions
from tfplm.serve.engines.engine import Engine, In, Out, WorkerDied


class ProcessEngine(Engine[In, Out]):
    """Passes batches to an engine that `make(*arguments)` makes in a child process.

    `make` is a module's function and `arguments` can be pickled, for the child is spawned: TensorFlow does not survive
    a fork. Inputs and outputs are pickled through a pipe, which no other program can reach.

    The child starts to load at once; `info` is there after `ready()`.

    Args:
        start_timeout: seconds until the child's engine must be there.
        timeout: seconds for one batch, after which the child counts as hung and is killed; None: for ever.
    """

    def __init__(self, make: Callable[..., Engine[In, Out]], arguments: tuple = (), start_timeout: float = 600.0,
                 timeout: float | None = None):
        self.make, self.arguments, self.start_timeout, self.timeout = make, arguments, start_timeout, timeout
        self._launch()

    def _launch(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, there = context.Pipe()
        self._process = context.Process(target=_work, args=(there, self.make, self.arguments), daemon=True,
                                        name="tfplm-engine")
        self._process.start()
        there.close()  # the child alone holds it, so that its end is seen here

    def ready(self) -> None:
        """Waits for the child's engine; RuntimeError with the reason where it could not be made."""
        try:
            kind, value = self._receive(self.start_timeout)
        except WorkerDied as error:
            raise RuntimeError(f"the engine was not made: {error}") from None
        if kind == "failed":
            self.close()
            raise RuntimeError(value)
        self.info = value

    @property
    def pid(self) -> int | None:
        return self._process.pid

    def encode(self, inputs: list[In]) -> list[Out]:
        try:
            self._pipe.send(inputs)
        except (OSError, ValueError) as error:
            raise self._died(f"it does not listen ({error})") from None
        kind, value = self._receive(self.timeout)
        if kind == "failed":
            raise RuntimeError(value)
        return value

    def check(self) -> None:
        if not self._process.is_alive():
            raise self._died("while idle")

    def abort(self) -> None:
        self._process.kill()

    def restart(self) -> None:
        self.close()
        self._launch()
        self.ready()

    def close(self) -> None:
        """Ends the child, which has nothing to save; an `encode` in another thread raises WorkerDied."""
        self._process.kill()
        self._process.join()
        self._pipe.close()

    def _receive(self, timeout: float | None):
        ready = wait([self._pipe, self._process.sentinel], timeout)
        if not ready:
            self._process.kill()
            raise self._died(f"killed: no answer within {timeout:g} s")
        try:
            return self._pipe.recv()
        except (OSError, EOFError):
            raise self._died("in the middle of its work") from None
        except BaseException:  # such as no memory for all of it: where the next answer begins is not known any more
            self._process.kill()
            raise

    def _died(self, when: str) -> WorkerDied:
        self._process.join(5)
        return WorkerDied(f"process {self._process.pid} ended with exit code {self._process.exitcode}, {when}")


def start_engines(make: Callable[..., Engine], arguments: list[tuple], start_timeout: float = 600.0,
                  timeout: float | None = None) -> list[ProcessEngine]:
    """One engine for each tuple of arguments, ready; all children load at the same time."""
    engines = []
    try:
        for each in arguments:
            engines.append(ProcessEngine(make, each, start_timeout, timeout))
        for engine in engines:
            engine.ready()
    except BaseException:
        for engine in engines:
            engine.close()
        raise
    return engines


def _work(pipe: Connection, make: Callable[..., Engine], arguments: tuple) -> None:
    """The child: makes the engine, and encodes batches until the pipe is closed."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):  # they reach the whole group; the server decides, and kills
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    try:
        engine = make(*arguments)
        pipe.send(("ready", engine.info))
    except BaseException as error:
        with contextlib.suppress(OSError):  # the server may have ended before the model was there
            pipe.send(("failed", f"{type(error).__name__}: {error}"))
        return
    with contextlib.suppress(OSError, EOFError):  # the server has closed the pipe, or ended
        while True:
            inputs = pipe.recv()
            answer: tuple[str, Any]
            try:
                answer = "done", engine.encode(inputs)
            except BaseException as error:  # such as a panic of a library in Rust
                answer = "failed", f"{type(error).__name__}: {error}"
            pipe.send(answer)


def make_in_process(options: ServeOptions, number: int) -> Engine:
    """The engine of worker `number`, in a process that does nothing else."""
    share = max(1, (os.cpu_count() or 1) // options.num_worker)
    os.environ.setdefault("OMP_NUM_THREADS", str(share))
    hold_import_noise()
    from tfplm.serve.engines.catalogue import make_engine

    return make_engine(options, number)

"""Threads that take batches from the scheduler and have them encoded, each by an engine of its own."""

import logging
import threading
import time
from collections.abc import Callable, Sequence

from tfplm.serve.engines.engine import Engine, WorkerDied
from tfplm.serve.queue.scheduler import Scheduler, Slice

log = logging.getLogger("tfplm.serve")


class Workers:
    """One thread for each engine, from `start` until the scheduler is closed and empty. Nothing that an engine raises ends
    one earlier.

    A dead engine is made again, after a pause that doubles with every failed attempt; as long as no engine is alive
    all requests are answered with the reason at once.

    Args:
        engines: ready to encode. encoded: called after every batch with the number of inputs and the seconds it took.
        pauses: seconds before the first and at most before any further attempt to make an engine again.
    """

    def __init__(self, scheduler: Scheduler, engines: Sequence[Engine],
                 encoded: Callable[[int, float], None] = lambda inputs, seconds: None,
                 pauses: tuple[float, float] = (0.1, 30.0)):
        self.scheduler, self.engines, self.encoded, self.pauses = scheduler, engines, encoded, pauses
        self.alive = [True] * len(engines)
        self.restarts = 0
        self._stopped = threading.Event()
        self._threads = [threading.Thread(target=self._work, args=(number,), name=f"tfplm-worker-{number}", daemon=True)
                         for number in range(len(engines))]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def join(self, timeout: float | None = None) -> bool:
        """Waits up to `timeout` seconds until the closed scheduler is empty, then closes the engines. Returns whether all
        was encoded."""
        end = None if timeout is None else time.monotonic() + timeout
        for thread in self._threads:
            thread.join(None if end is None else max(0.0, end - time.monotonic()))
        self._stopped.set()
        done = not any(thread.is_alive() for thread in self._threads)
        for engine in self.engines:
            engine.close()
        return done

    # below, BaseException: a panic of a library in Rust is no Exception

    def _work(self, number: int) -> None:
        while not self._stopped.is_set():
            try:
                if not self._serve(number):
                    return
            except BaseException:
                log.exception("worker %d: an error of the server itself; the worker continues", number)
                self._stopped.wait(self.pauses[0])

    def _serve(self, number: int) -> bool:
        """One batch, if there is one within a second; False when there will be no more."""
        try:
            self.engines[number].check()
        except WorkerDied as error:
            self._restart(number, error)
            return True
        batch = self.scheduler.take(timeout=1.0)
        if batch:
            self._encode(self.engines[number], batch)
        return batch is not None

    def _encode(self, engine: Engine, batch: list[Slice]) -> None:
        start = time.perf_counter()
        inputs = [each for part in batch for each in part.inputs]
        try:
            self.scheduler.finish(batch, engine.encode(inputs))
        except BaseException as error:
            log.warning("a batch of %d sequences failed: %s: %s", len(inputs), type(error).__name__, error)
            self.scheduler.fail(batch, error)
        self.encoded(len(inputs), time.perf_counter() - start)

    def _restart(self, number: int, reason: Exception) -> None:
        log.warning("worker %d: %s; starting it again", number, reason)
        self.alive[number], (pause, longest) = False, self.pauses
        while not self._stopped.is_set():
            try:
                self.engines[number].restart()
                self.alive[number] = True
                self.restarts += 1
                log.info("worker %d is back", number)
                return
            except BaseException as error:
                log.error("worker %d cannot be started: %s: %s", number, type(error).__name__, error)
                if not any(self.alive):
                    self.scheduler.fail_all(f"no worker is running: {type(error).__name__}: {error}")
            self._stopped.wait(pause)
            pause = min(2 * pause, longest)

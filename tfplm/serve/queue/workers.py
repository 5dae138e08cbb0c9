"""Threads that take batches from the scheduler to the engines, and make dead engines again."""

import contextlib
import logging
import math
import threading
import time
from collections.abc import Callable, Sequence

from tfplm.serve.engines.engine import Engine, WorkerDied
from tfplm.serve.queue.scheduler import Scheduler, Slice

log = logging.getLogger("tfplm.serve")
LOOK = 0.25  # seconds between two looks at the workers
IMPATIENCE = 5.0  # seconds that requests wait while no worker is alive
GRACE = 1.1  # times the limit of a batch: an engine in a process of its own notices it itself


class Workers:
    """One thread for each engine, from `start` until the scheduler is closed and empty. Nothing that an engine raises ends
    one earlier; what ends one all the same is answered, and the thread begun anew.

    A dead engine is made again, after a pause that doubles with every failed attempt. While none is alive, requests are
    answered with the reason after 5 s, however long an attempt takes. An engine that needs more than `timeout`
    seconds for a batch counts as dead, and what it worked on is answered; in a process of its own it is made again, in
    this one it comes back to life when it returns.

    Args:
        engines: ready to encode. encoded: called after every batch with the number of inputs and the seconds it took.
        pauses: seconds before the first and at most before any further attempt to make an engine again.
        timeout: None: an engine may take as long as it wants. impatience: in place of 5 s.
    """

    def __init__(self, scheduler: Scheduler, engines: Sequence[Engine],
                 encoded: Callable[[int, float], None] = lambda inputs, seconds: None,
                 pauses: tuple[float, float] = (0.1, 30.0), timeout: float | None = None, impatience: float = IMPATIENCE):
        self.scheduler, self.engines, self.encoded, self.pauses = scheduler, engines, encoded, pauses
        self.timeout, self.impatience = timeout, impatience
        self.alive = [True] * len(engines)
        self.restarts = 0
        self._reason = ""  # why the engine that died last did
        self._dead_since: float | None = None  # all of them
        self._work_of: list[tuple[list[Slice], float] | None] = [None] * len(engines)  # a batch, and since when
        self._lock, self._stopped = threading.Lock(), threading.Event()
        self._threads = [self._thread(number) for number in range(len(engines))]
        self._watcher = threading.Thread(target=self._watch, name="tfplm-watcher", daemon=True)

    def _thread(self, number: int) -> threading.Thread:
        return threading.Thread(target=self._work, args=(number,), name=f"tfplm-worker-{number}", daemon=True)

    def start(self) -> None:
        for thread in self._threads:
            thread.start()
        self._watcher.start()

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
            except BaseException as error:
                with contextlib.suppress(BaseException):  # such as no memory for the message
                    self._answer(number, error)
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
            self._encode(number, batch)
        return batch is not None

    def _encode(self, number: int, batch: list[Slice]) -> None:
        work = batch, time.monotonic()
        self._work_of[number] = work
        inputs = [each for part in batch for each in part.inputs]
        try:
            outputs = self.engines[number].encode(inputs)
            if self._claim(number, work):
                self.scheduler.finish(batch, outputs)
            else:  # answered meanwhile, as it took too long
                self.alive[number] = True
                log.warning("worker %d is back", number)
            self._work_of[number] = None
        except BaseException as error:
            self._answer(number, error)
            log.warning("a batch of %d sequences failed: %s: %s", len(inputs), type(error).__name__, error)
        self.encoded(len(inputs), time.monotonic() - work[1])

    def _claim(self, number: int, work: tuple[list[Slice], float]) -> bool:
        """Whether a batch is still this worker's; from now on nobody else answers it."""
        with self._lock:
            ours = self._work_of[number] is work
            if ours:
                self._work_of[number] = work[0], math.inf
            return ours

    def _answer(self, number: int, error: BaseException) -> None:
        """What a worker has taken and not finished has failed."""
        with self._lock:
            work, self._work_of[number] = self._work_of[number], None
        if work is not None:
            self.scheduler.fail(work[0], error)

    def _restart(self, number: int, reason: Exception) -> None:
        log.warning("worker %d: %s; starting it again", number, reason)
        (pause, longest), self._reason = self.pauses, str(reason)
        self.alive[number] = False
        while not self._stopped.is_set():
            try:
                self.engines[number].restart()
                self.alive[number] = True
                self.restarts += 1
                log.info("worker %d is back", number)
                return
            except BaseException as error:
                self._reason = f"{type(error).__name__}: {error}"
                log.error("worker %d cannot be started: %s", number, self._reason)
                if not any(self.alive):
                    self.scheduler.fail_all(f"no worker is running: {self._reason}")
            self._stopped.wait(pause)
            pause = min(2 * pause, longest)

    # ---- what workers cannot do themselves

    def _watch(self) -> None:
        while not self._stopped.wait(min(LOOK, self.impatience / 4)):
            with contextlib.suppress(BaseException):
                for number in range(len(self.engines)):
                    self._look_at(number)
                self._answer_the_impatient()

    def _look_at(self, number: int) -> None:
        work, limit = self._work_of[number], math.inf if self.timeout is None else GRACE * self.timeout
        if work is not None and time.monotonic() - work[1] > limit and self.alive[number]:
            self.alive[number] = False
            self._reason = f"worker {number} has not answered within {self.timeout:g} s"
            log.error("%s", self._reason)
            self.engines[number].abort()
            self._answer(number, TimeoutError(self._reason))
        if not self._threads[number].is_alive() and not self.scheduler.closed:
            log.error("worker %d: its thread has ended; a new one begins", number)
            self._answer(number, RuntimeError("the worker's thread has ended"))
            self._threads[number] = self._thread(number)
            self._threads[number].start()

    def _answer_the_impatient(self) -> None:
        now = time.monotonic()
        if any(self.alive):
            self._dead_since = None
        elif self._dead_since is None:
            self._dead_since = now
        elif now - self._dead_since >= self.impatience and self.scheduler.jobs:
            self.scheduler.fail_all(f"no worker is running: {self._reason}; it is being started again")

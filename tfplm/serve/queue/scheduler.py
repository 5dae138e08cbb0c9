"""Batches from the requests of all clients: small requests first, large ones in turns, everything bounded.

A worker that is free takes what waits at that moment, up to a batch. So batches form by themselves as soon as requests
come faster than they are served, and a lone request does not wait for company.
"""

import dataclasses
import logging
import threading
from collections import deque
from collections.abc import Callable, Hashable

from tfplm.serve.engines.engine import WorkerDied
from tfplm.serve.queue.job import Job

log = logging.getLogger("tfplm.serve")
PATIENCE = 4  # batches of small requests alone, while a large one waits


@dataclasses.dataclass
class Slice:
    """The inputs `start` to `stop` of a job. `tried`: its batch failed once, so now it is alone in one."""

    job: Job
    start: int
    stop: int
    tried: bool = False

    def __len__(self) -> int:
        return self.stop - self.start

    @property
    def inputs(self) -> list:
        return self.job.inputs[self.start:self.stop]


class Scheduler:
    """The queue between requests and workers; all methods may be called from any thread.

    Args:
        max_batch_size: inputs of one batch at most; larger requests are split.
        priority_batch_size: requests of at most so many inputs go first.
        max_pending: inputs that may wait or be worked on before `full`. max_pending_bytes: and their memory.
        changed: called without arguments after a request has ended, so that a full queue may have room again.
    """

    def __init__(self, max_batch_size: int = 256, priority_batch_size: int = 16, max_pending: int = 1 << 18,
                 max_pending_bytes: int = 1 << 28, changed: Callable[[], None] = lambda: None):
        self.max_batch_size, self.priority_batch_size = max_batch_size, priority_batch_size
        self.max_pending, self.max_pending_bytes, self.changed = max_pending, max_pending_bytes, changed
        self.pending = self.pending_bytes = 0  # inputs that were submitted and have not ended
        self.jobs: dict[Job, None] = {}  # all that have not ended, oldest first
        self._retries: deque[Slice] = deque()
        self._small: deque[Slice] = deque()
        self._large: deque[Slice] = deque()
        self._impatience = 0
        self._closed = False
        self._condition = threading.Condition()

    @property
    def full(self) -> bool:
        return self.pending >= self.max_pending or self.pending_bytes >= self.max_pending_bytes

    @property
    def closed(self) -> bool:
        """Whether no more jobs are taken."""
        return self._closed

    def submit(self, job: Job) -> None:
        """Queues a job. RuntimeError after `close`."""
        with self._condition:
            if self._closed:
                raise RuntimeError("the server is stopping")
            self.jobs[job] = None
            self.pending += len(job)
            self.pending_bytes += job.bytes
            queue = self._small if len(job) <= self.priority_batch_size else self._large
            queue.append(Slice(job, 0, len(job)))
            self._condition.notify()

    def cancel(self, owner: Hashable) -> int:
        """Drops all that `owner` has queued; what is being encoded is thrown away. Returns the number of jobs dropped."""
        with self._condition:
            dropped = [job for job in self.jobs if job.owner == owner]
            for job in dropped:
                job.cancelled = True
                self._forget(job)
            if dropped:
                for name in ("_retries", "_small", "_large"):
                    setattr(self, name, deque(part for part in getattr(self, name) if part.job in self.jobs))
        if dropped:
            self.changed()
        return len(dropped)

    def take(self, timeout: float | None = None) -> list[Slice] | None:
        """The next batch; empty after `timeout` seconds without one, None after `close` when nothing is left."""
        with self._condition:
            if not (batch := self._compose()) and not self._closed:
                self._condition.wait(timeout)
                batch = self._compose()
            if self._retries or self._small or self._large:
                self._condition.notify()  # the rest of a large request was announced only once
            return None if self._closed and not batch else batch

    def finish(self, batch: list[Slice], outputs: list) -> None:
        """The outputs of a batch that was taken."""
        if len(outputs) != (expected := sum(map(len, batch))):
            raise ValueError(f"the engine gave {len(outputs)} outputs for {expected} inputs")
        ended, row = [], 0
        with self._condition:
            for part in batch:
                if part.job in self.jobs and part.job.add(part.start, outputs[row:row + len(part)]):
                    ended.append(part.job)
                row += len(part)
        for job in ended:
            error = None
            try:
                job.assemble()
            except BaseException as reason:  # such as a panic in Rust; the other requests of the batch have their results
                error = f"{type(reason).__name__}: {reason}"
            self._end(job, error)

    def fail(self, batch: list[Slice], error: BaseException) -> None:
        """A batch that was taken failed. Its requests are tried again one by one, so that one that is at fault does not
        take others with it; a second failure is reported to the client."""
        final = []
        with self._condition:
            for part in batch:
                if part.job not in self.jobs:
                    continue
                if part.tried or (len(batch) == 1 and not isinstance(error, WorkerDied)):
                    final.append(part.job)
                else:
                    self._retries.append(dataclasses.replace(part, tried=True))
            self._condition.notify_all()
        for job in dict.fromkeys(final):
            self._end(job, f"{type(error).__name__}: {error}")

    def fail_all(self, reason: str) -> None:
        """Ends every job with an error."""
        with self._condition:
            jobs = list(self.jobs)
        for job in jobs:
            self._end(job, reason)

    def close(self) -> None:
        """Takes no more jobs; those there are still served."""
        with self._condition:
            self._closed = True
            self._condition.notify_all()

    def _end(self, job: Job, error: str | None = None) -> None:
        with self._condition:
            if job.finished or job.cancelled:  # another of its parts was faster
                return
            job.finished, job.error = True, error
        try:
            job.done(job)
        except BaseException:  # such as a closed event loop: the client disconnected
            log.exception("a reply could not be passed on")
        with self._condition:  # not before, so that no job means that all are answered
            if job in self.jobs:
                self._forget(job)
        self.changed()

    def _forget(self, job: Job) -> None:
        del self.jobs[job]
        self.pending -= len(job)
        self.pending_bytes -= job.bytes

    def _compose(self) -> list[Slice]:
        while self._retries:
            if (part := self._retries.popleft()).job in self.jobs:
                return [part]
        batch: list[Slice] = []
        room = self.max_batch_size
        if self._large and self._impatience >= PATIENCE:
            room -= self._take_large(batch, room)
        while self._small and (not batch or len(self._small[0]) <= room):
            part = self._small.popleft()
            if part.job not in self.jobs:
                continue
            if len(part) > room:  # a priority_batch_size above max_batch_size
                self._small.appendleft(dataclasses.replace(part, start=part.start + room))
                part = dataclasses.replace(part, stop=part.start + room)
            batch.append(part)
            room -= len(part)
        before = len(batch)
        while self._large and room > 0:
            room -= self._take_large(batch, room)
        served = len(batch) > before or self._impatience >= PATIENCE
        self._impatience = 0 if served or not self._large else self._impatience + 1
        return batch

    def _take_large(self, batch: list[Slice], room: int) -> int:
        """Moves up to `room` inputs of the large request whose turn it is into the batch; how many."""
        part = self._large.popleft()
        if part.job not in self.jobs:
            return 0
        taken = dataclasses.replace(part, stop=min(part.stop, part.start + room))
        if taken.stop < part.stop:
            self._large.append(dataclasses.replace(part, start=taken.stop))
        batch.append(taken)
        return len(taken)

"""What ZeroMQ and HTTP have in common: requests in, results out, figures about both."""

import dataclasses
import logging
import time
from collections.abc import Callable, Hashable, Sequence
from datetime import datetime

from tfplm.options.serve import ServeOptions
from tfplm.serve.engines.engine import Engine
from tfplm.serve.queue.job import Job
from tfplm.serve.queue.limits import Refused, RequestLimits
from tfplm.serve.queue.scheduler import Scheduler
from tfplm.serve.queue.statistics import Counters, Statistics
from tfplm.serve.queue.workers import Workers

log = logging.getLogger("tfplm.serve")


class Service:
    """Engines behind a scheduler; `start` it before use, `stop` it once.

    Args:
        engines: alike, one for each worker.
    """

    def __init__(self, options: ServeOptions, engines: Sequence[Engine]):
        self.options, self.engine, self.info, self.started = options, engines[0], engines[0].info, datetime.now()
        self.limits = RequestLimits(options.max_request_mb << 20, options.max_request_sequences)
        self.statistics, self.counters = Statistics(), Counters()
        self.scheduler = Scheduler(options.max_batch_size, options.priority_batch_size, options.max_queue,
                                   4 * self.limits.message_bytes)  # texts in memory are larger than on the way
        self.workers = Workers(self.scheduler, engines, self._batch_ended, timeout=options.worker_timeout)

    def start(self) -> None:
        self.workers.start()

    def listens_at(self, **ports: int | None) -> None:
        """Records the ports that are really used."""
        self.options = dataclasses.replace(self.options)
        for name, port in ports.items():
            setattr(self.options, name, port)

    def submit(self, inputs: list, done: Callable[[Job], None], owner: Hashable = None) -> Job:
        """Queues inputs. Refused where the result would be too large; RuntimeError when stopping."""
        needed, limit = self.engine.cost(inputs), self.options.max_reply_mb << 20
        if needed > limit:
            raise Refused(f"the results for {len(inputs):,} sequences take {needed:,} bytes, more than {limit:,}: "
                          "ask for fewer at once")
        self.counters.add("requests")
        self.counters.add("sequences", len(inputs))

        def ended(job: Job) -> None:
            self.counters.request_ended(time.monotonic() - job.received, job.error is not None)
            done(job)

        job = Job(inputs, self.engine.join, ended, owner)
        self.scheduler.submit(job)
        return job

    def stop(self, seconds: float) -> bool:
        """Serves what was submitted, for up to `seconds`; returns whether all was served."""
        self.scheduler.close()
        served = self.workers.join(seconds)
        if not served:
            self.scheduler.fail_all("the server is stopping")
        return served

    def _batch_ended(self, inputs: int, seconds: float) -> None:
        self.counters.batch_ended(inputs, seconds)
        if self.options.verbose:
            log.info("a batch of %d sequences in %.1f ms, %d pending", inputs, 1000 * seconds, self.scheduler.pending)

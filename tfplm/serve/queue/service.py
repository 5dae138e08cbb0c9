"""What ZeroMQ and HTTP have in common: requests in, vectors out, figures about both."""

import dataclasses
import logging
import time
from collections.abc import Callable, Hashable
from datetime import datetime

from tfplm.options.serve import ServeOptions
from tfplm.serve.engines.engine import Engine
from tfplm.serve.queue.description import describe, runtime
from tfplm.serve.queue.job import Job
from tfplm.serve.queue.scheduler import Scheduler
from tfplm.serve.queue.statistics import Counters, Statistics
from tfplm.serve.queue.workers import Workers
from tfplm.serve.zmq.protocol import Limits, Refused, Sequence

log = logging.getLogger("tfplm.serve")


class Service:
    """Engines behind a scheduler; `start` it before use, `stop` it once.

    Args:
        engines: alike, one for each worker.
    """

    def __init__(self, options: ServeOptions, engines: list[Engine]):
        self.options, self.info = options, engines[0].info
        self.limits = Limits(options.max_request_mb << 20, options.max_request_sequences)
        self.statistics, self.counters = Statistics(), Counters()
        self.scheduler = Scheduler(self.info, options.max_batch_size, options.priority_batch_size, options.max_queue,
                                   4 * self.limits.message_bytes)  # texts in memory are larger than on the way
        self.workers = Workers(self.scheduler, engines, self._batch_ended)
        self.description = describe(options, datetime.now(), **self.info.settings)

    def start(self) -> None:
        self.workers.start()

    def listens_at(self, **ports: int | None) -> None:
        """Tells the ports that are really used."""
        self.options = dataclasses.replace(self.options, **ports)
        self.description.update(ports)

    def submit(self, sequences: list[Sequence], done: Callable[[Job], None], owner: Hashable = None) -> Job:
        """Has sequences encoded. Refused where the vectors would be too large; RuntimeError when stopping."""
        needed, limit = self.info.reply_bytes(sequences), self.options.max_reply_mb << 20
        if needed > limit:
            raise Refused(f"the vectors of {len(sequences):,} sequences take {needed:,} bytes, more than {limit:,}: "
                          "ask for fewer at once")
        self.counters.add("requests")
        self.counters.add("sequences", len(sequences))

        def ended(job: Job) -> None:
            self.counters.request_ended(time.monotonic() - job.received, job.error is not None)
            done(job)

        job = Job(sequences, ended, owner)
        self.scheduler.submit(job)
        return job

    def config(self, client: bytes) -> dict:
        """The answer to SHOW_CONFIG."""
        return {**runtime(client, self.options), **self.description}

    def status(self, client: bytes) -> dict:
        """The answer to SHOW_STATUS."""
        figures = {"pending_sequences": self.scheduler.pending, "workers_alive": sum(self.workers.alive),
                   "worker_restarts": self.workers.restarts, **dict(self.counters.numbers)}
        return {**self.config(client), "statistic": self.statistics.value(), "tfplm": figures}

    def stop(self, seconds: float) -> bool:
        """Serves what was submitted, as far as that takes no longer than `seconds`; whether all was served."""
        self.scheduler.close()
        served = self.workers.join(seconds)
        if not served:
            self.scheduler.fail_all("the server is stopping")
        return served

    def _batch_ended(self, sequences: int, seconds: float) -> None:
        self.counters.batch_ended(sequences, seconds)
        if self.options.verbose:
            log.info("a batch of %d sequences in %.1f ms, %d pending", sequences, 1000 * seconds,
                     self.scheduler.pending)

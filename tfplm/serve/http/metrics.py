"""Figures for Prometheus."""

import time
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Histogram, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from tfplm.serve.queue.service import Service

COUNTERS = {
    "requests": "Requests for results.",
    "sequences": "Sequences of these requests.",
    "failed": "Requests that ended with an error.",
    "refused": "Requests that were not accepted.",
    "malformed": "Messages that were no requests.",
    "cancelled": "Requests that were dropped because their client had disconnected.",
    "dropped_replies": "Replies that no client came for.",
    "internal_errors": "Errors in the server itself.",
    "http_responses": "HTTP responses.",
    "http_server_errors": "HTTP responses with status 500 or above.",
}
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


class Metrics(Collector):
    """The figures of a service, and of its process."""

    def __init__(self, service: Service):
        self.service, self.started = service, time.time()
        self._latency = Histogram("tfplm_request_seconds", "Seconds from a request's arrival to its result.",
                                  buckets=SECONDS, registry=None)
        self._batch = Histogram("tfplm_batch_sequences", "Sequences of a batch.", buckets=SIZES, registry=None)
        service.counters.on_request.append(self._latency.observe)
        service.counters.on_batch.append(self._batch.observe)
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    def render(self, accept: str) -> tuple[bytes, str]:
        """All figures, and their content type: of the formats that `accept`, a header, names."""
        encode, content_type = choose_encoder(accept)
        return encode(self._registry), content_type

    def collect(self) -> Iterator[Metric]:
        counters, scheduler, workers = self.service.counters, self.service.scheduler, self.service.workers
        for name, text in COUNTERS.items():
            yield CounterMetricFamily(f"tfplm_{name}", text, counters.numbers[name])
        yield CounterMetricFamily("tfplm_worker_restarts", "Workers that died and were started again.", workers.restarts)
        yield CounterMetricFamily("tfplm_busy_seconds", "Seconds that all workers spent encoding.", counters.busy_seconds)
        yield GaugeMetricFamily("tfplm_pending_sequences", "Sequences that wait or are being encoded.", scheduler.pending)
        yield GaugeMetricFamily("tfplm_pending_requests", "Requests that wait or are being encoded.", len(scheduler.jobs))
        yield GaugeMetricFamily("tfplm_workers_alive", "Workers that can encode.", sum(workers.alive))
        yield GaugeMetricFamily("tfplm_uptime_seconds", "Seconds since the start.", time.time() - self.started)
        for histogram in (self._latency, self._batch):
            for family in histogram.collect():
                family.samples = [sample for sample in family.samples if not sample.name.endswith("_created")]
                yield family

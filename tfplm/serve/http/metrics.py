"""Figures in Prometheus' text format, version 0.0.4."""

import time
from collections.abc import Iterator

from tfplm.serve.queue.service import Service
from tfplm.serve.queue.statistics import Histogram

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
COUNTERS = {
    "requests": "Requests for vectors.",
    "sequences": "Sequences of these requests.",
    "failed": "Requests that ended with an error.",
    "refused": "Requests that were not accepted.",
    "malformed": "Messages that were no requests.",
    "cancelled": "Requests that were dropped because their client had gone.",
    "dropped_replies": "Replies that no client came for.",
    "internal_errors": "Errors in the server itself.",
    "http_responses": "HTTP responses.",
    "http_server_errors": "HTTP responses with status 500 or above.",
}


def render(service: Service, started: float) -> str:
    """All figures of a service; `started`: `time.time()` of its start."""
    numbers, workers = service.counters.numbers, service.workers
    lines = []
    for name, text in COUNTERS.items():
        lines += _metric(f"tfplm_{name}_total", "counter", text, numbers[name])
    lines += _metric("tfplm_worker_restarts_total", "counter", "Workers that died and were started again.",
                     workers.restarts)
    lines += _metric("tfplm_busy_seconds_total", "counter", "Seconds that all workers spent encoding.",
                     service.counters.busy_seconds)
    lines += _metric("tfplm_pending_sequences", "gauge", "Sequences that wait or are being encoded.",
                     service.scheduler.pending)
    lines += _metric("tfplm_pending_requests", "gauge", "Requests that wait or are being encoded.",
                     len(service.scheduler.jobs))
    lines += _metric("tfplm_workers_alive", "gauge", "Workers that can encode.", sum(workers.alive))
    lines += _metric("tfplm_uptime_seconds", "gauge", "Seconds since the start.", time.time() - started)
    lines += _histogram("tfplm_request_seconds", "Seconds from a request's arrival to its vectors.",
                        service.counters.latency)
    lines += _histogram("tfplm_batch_sequences", "Sequences of a batch.", service.counters.batch)
    return "\n".join(lines) + "\n"


def _metric(name: str, kind: str, text: str, value: float) -> list[str]:
    return [f"# HELP {name} {text}", f"# TYPE {name} {kind}", f"{name} {value!r}"]  # all digits: sums grow by little


def _histogram(name: str, text: str, histogram: Histogram) -> Iterator[str]:
    yield f"# HELP {name} {text}"
    yield f"# TYPE {name} histogram"
    total = 0
    for bound, count in zip((*histogram.bounds, "+Inf"), histogram.counts):
        total += count
        yield f'{name}_bucket{{le="{bound}"}} {total}'
    yield f"{name}_sum {float(histogram.total)!r}"
    yield f"{name}_count {total}"

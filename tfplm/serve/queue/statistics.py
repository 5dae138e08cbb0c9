"""Server statistics: the `statistic` of SHOW_STATUS, and counters for monitoring."""

import threading
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Callable

CLIENTS, INTERVALS, SIZES = 500, 200, 10_000  # how many are remembered
ACTIVE_SECONDS = 180  # a client is active as long after its last request


class Statistics:
    """The figures of bert-as-service's server, under its names; safe to use from several threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self._clock, self._lock = clock, threading.Lock()
        self._requests: OrderedDict[bytes, int] = OrderedDict()  # client -> number; the longest silent one is dropped
        self._active: OrderedDict[bytes, float] = OrderedDict()  # client -> time of its last request for vectors
        self._clients = self._data = self._system = self._sequences = 0
        self._sizes: Counter[int] = Counter()
        self._last = clock()
        self._intervals: deque[float] = deque(maxlen=INTERVALS)

    def count(self, client: bytes, size: int | None) -> None:
        """One request of `size` sequences, or, with None, one about the server itself."""
        with self._lock:
            self._clients += client not in self._requests
            self._requests[client] = self._requests.pop(client, 0) + 1
            if len(self._requests) > CLIENTS:
                self._requests.popitem(last=False)
            if size is None:
                self._system += 1
                return
            now = self._clock()
            self._data += 1
            self._sequences += size
            if size in self._sizes or len(self._sizes) < SIZES:
                self._sizes[size] += 1
            self._active.pop(client, None)
            self._active[client] = now
            if len(self._active) > CLIENTS:
                self._active.popitem(last=False)
            self._intervals.append(max(now - self._last, 1e-9))
            self._last = now

    def value(self) -> dict:
        """The `statistic` block; it has no figures of what has not happened yet."""
        with self._lock:
            now = self._clock()
            sizes = list(self._sizes)
            mean = sum(k * n for k, n in self._sizes.items()) / max(1, sum(self._sizes.values()))
            return {
                "num_data_request": self._data, "num_total_seq": self._sequences, "num_sys_request": self._system,
                "num_total_request": self._data + self._system, "num_total_client": self._clients,
                "num_active_client": sum(now - last < ACTIVE_SECONDS for last in self._active.values()),
                **_summary("request_per_client", list(self._requests.values())),
                **_summary("size_per_request", sizes, mean),
                **_summary("last_two_interval", list(self._intervals)),
                **_summary("request_per_second", [1 / seconds for seconds in self._intervals]),
            }


def _summary(name: str, values: list, mean: float | None = None) -> dict:
    if not values:
        return {}
    least, most = min(values), max(values)
    return {f"avg_{name}": sum(values) / len(values) if mean is None else mean, f"min_{name}": least,
            f"max_{name}": most, f"num_min_{name}": values.count(least), f"num_max_{name}": values.count(most)}


class Counters:
    """Numbers that only grow, by name; safe to use from several threads.

    on_request, on_batch: functions that are called with the seconds of each request that ended, and with the inputs of
    each batch, for figures that need every value.
    """

    def __init__(self):
        self._lock = threading.Lock()
        self.numbers: Counter[str] = Counter()
        self.busy_seconds = 0.0
        self.on_request: list[Callable[[float], None]] = []
        self.on_batch: list[Callable[[float], None]] = []

    def add(self, name: str, number: int = 1) -> None:
        with self._lock:
            self.numbers[name] += number

    def request_ended(self, seconds: float, failed: bool) -> None:
        self.add("failed", failed)
        for observe in self.on_request:
            observe(seconds)

    def batch_ended(self, inputs: int, seconds: float) -> None:
        with self._lock:
            self.numbers["batches"] += 1
            self.busy_seconds += seconds
        for observe in self.on_batch:
            observe(inputs)

"""Metrics and throughput since the last point; Keras accumulates from the start of the epoch."""

import time

import keras
import numpy as np


def scalars_of(results: dict) -> dict[str, float]:
    """The results of metrics as numbers; several numbers of one metric, such as one per class, are `NAME/0`, ..."""
    numbers = {}
    for name, value in results.items():
        if isinstance(value, dict):
            numbers |= scalars_of({f"{name}/{part}": one for part, one in value.items()})
        elif np.ndim(value):
            numbers |= {f"{name}/{index}": float(one) for index, one in enumerate(np.ravel(value))}
        else:
            numbers[name] = float(value)
    return numbers


class IntervalMetrics:
    """The loss and metrics over the examples since the last call of `values()`.

    Means (the loss, accuracy, most of Keras' metrics) are separated by their running total and count. Others, such as
    AUC, cannot be separated and cover the epoch from its start.
    """

    def __init__(self, model: keras.Model):
        self.model = model
        self.previous: dict[str, tuple[float, float]] = {}
        self._examples = 0

    def start_epoch(self) -> None:
        self.previous = {}

    def _means(self) -> dict[str, keras.metrics.Mean]:
        flat = [inner for metric in self.model.metrics for inner in (getattr(metric, "metrics", None) or [metric])]
        names = [metric.name for metric in flat]
        return {metric.name: metric for metric in flat
                if isinstance(metric, keras.metrics.Mean) and names.count(metric.name) == 1}

    def examples(self) -> int:
        """The number of examples so far, in all epochs, according to the count of the loss."""
        metric = self._means().get("loss")
        count = 0.0 if metric is None else float(metric.count.numpy()) - self.previous.get("loss", (0.0, 0.0))[1]
        return self._examples + int(max(count, 0.0))

    def skip(self) -> None:
        """Excludes the values accumulated so far."""
        self.previous = {name: (float(metric.total.numpy()), float(metric.count.numpy()))
                         for name, metric in self._means().items()}

    def values(self) -> dict[str, float]:
        results = self.model.get_metrics_result()
        for name, metric in self._means().items():
            total, count = float(metric.total.numpy()), float(metric.count.numpy())
            before = self.previous.get(name, (0.0, 0.0))
            if count < before[1]:  # reset within the epoch
                before = (0.0, 0.0)
            self.previous[name] = total, count
            if name == "loss":
                self._examples += int(count - before[1])
            if name in results and count > before[1]:
                results[name] = (total - before[0]) / (count - before[1])
        return scalars_of(results)


class Throughput:
    """Rates per second of increasing counters, without pauses: `rates(steps=..., tokens=...)`."""

    def __init__(self):
        self.counts: dict[str, int] | None = None

    def start(self, **counts: int) -> None:
        self.counts, self.time = counts, time.perf_counter()

    def pause(self) -> None:
        self.paused = time.perf_counter()

    def resume(self) -> None:
        if self.counts is not None:
            self.time += time.perf_counter() - self.paused

    def rates(self, **counts: int) -> dict[str, float]:
        """The rates since `start` or the last call; counters that did not increase are omitted."""
        before, started = self.counts or counts, getattr(self, "time", None)
        self.start(**counts)
        if started is None:
            return {}
        seconds = max(self.time - started, 1e-9)
        return {f"{name}_per_second": (count - before[name]) / seconds
                for name, count in counts.items() if count > before[name]}

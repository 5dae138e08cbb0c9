"""The interface of all streaming metrics, and precision, recall and F1 from counts."""

from collections.abc import Sequence

import numpy as np


class Metrics:
    """Base of the metrics: predictions are added batch by batch."""

    count = 0  # number of examples so far

    def update(self, predictions, labels) -> None:
        """Adds a batch of predictions, and a label for each."""
        raise TypeError(f"{type(self).__name__} is abstract: use one of the metrics of tfplm.training.metrics")

    def result(self) -> dict[str, float]:
        """The metrics of all examples so far, by name.

        Raises ValueError if there was no labelled example.
        """
        if not self.count:
            raise ValueError(f"{type(self).__name__} has no labelled example; expected at least one: call `update` "
                             "with labels first")
        return {name: float(value) for name, value in self.measures().items()}

    def measures(self) -> dict[str, float]:
        """The metrics by name; called only if there is at least one example."""
        raise TypeError(f"{type(self).__name__} is abstract: use one of the metrics of tfplm.training.metrics")


def check_lengths(predictions: Sequence, labels: Sequence) -> None:
    """Raises ValueError unless there is a prediction for each label."""
    if len(predictions) != len(labels):
        raise ValueError(f"there are {len(predictions)} predictions for {len(labels)} labels; expected one for each")


def class_names(names: Sequence[str] | int) -> list[str]:
    """The names of the classes; a number of classes gives "0", "1", ..."""
    return [str(name) for name in (range(names) if isinstance(names, int) else names)]


def divide(numerator, denominator):
    """The ratio in float64; 0 where the denominator is 0."""
    numerator, denominator = np.broadcast_arrays(np.asarray(numerator, np.float64), np.asarray(denominator, np.float64))
    return np.divide(numerator, denominator, out=np.zeros(numerator.shape), where=denominator != 0)


def precision_recall_f1(correct, predicted, actual) -> tuple:
    """(precision, recall, F1) from the counts of correct, predicted and actual items, of one or more classes."""
    return divide(correct, predicted), divide(correct, actual), divide(2 * np.asarray(correct), predicted + actual)


def named(values: dict[str, np.ndarray], names: Sequence[str]) -> dict[str, float]:
    """Converts `{"f1": [...]}` to `{"f1/NAME": ...}` for each class."""
    return {f"{metric}/{name}": value for metric, row in values.items() for name, value in zip(names, row)}

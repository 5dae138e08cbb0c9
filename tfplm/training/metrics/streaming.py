"""What all measures share: their interface, and precision, recall and F1 from counts."""

from collections.abc import Sequence

import numpy as np


class Metrics:
    """A measure of predictions that come batch by batch."""

    count = 0  # examples seen

    def update(self, predictions, labels) -> None:
        """Takes a batch of predictions and the right answers, one for each."""
        raise TypeError(f"{type(self).__name__} is abstract: use one of the metrics of tfplm.training.metrics")

    def result(self) -> dict[str, float]:
        """The measures of everything seen so far.

        Raises ValueError where nothing was seen.
        """
        if not self.count:
            raise ValueError(f"{type(self).__name__} has seen no labelled example: there is nothing to measure")
        return {name: float(value) for name, value in self.measures().items()}

    def measures(self) -> dict[str, float]:
        """Each measure by name; there is at least one example."""
        raise TypeError(f"{type(self).__name__} is abstract: use one of the metrics of tfplm.training.metrics")


def check_lengths(predictions: Sequence, labels: Sequence) -> None:
    """Raises ValueError unless there is a prediction for each label."""
    if len(predictions) != len(labels):
        raise ValueError(f"there are {len(predictions)} predictions for {len(labels)} labels; expected one for each")


def class_names(names: Sequence[str] | int) -> list[str]:
    """The classes' names; a number stands for "0", "1", ..."""
    return [str(name) for name in (range(names) if isinstance(names, int) else names)]


def divide(numerator, denominator):
    """The ratio in float64, and 0 where there is nothing to divide by."""
    numerator, denominator = np.broadcast_arrays(np.asarray(numerator, np.float64), np.asarray(denominator, np.float64))
    return np.divide(numerator, denominator, out=np.zeros(numerator.shape), where=denominator != 0)


def precision_recall_f1(correct, predicted, actual) -> tuple:
    """(precision, recall, F1) from the numbers of correct, predicted and actual ones, of one class or of many."""
    return divide(correct, predicted), divide(correct, actual), divide(2 * np.asarray(correct), predicted + actual)


def named(values: dict[str, np.ndarray], names: Sequence[str]) -> dict[str, float]:
    """`{"f1": [...]}` -> `{"f1/name": ...}` for each class."""
    return {f"{measure}/{name}": value for measure, row in values.items() for name, value in zip(names, row)}

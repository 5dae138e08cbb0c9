"""Classification of examples or tokens: accuracy, precision, recall, F1, Matthews correlation."""

from collections.abc import Sequence

import numpy as np

from tfplm.training.metrics.streaming import Metrics, class_names, divide, named, precision_recall_f1


class ClassificationMetrics(Metrics):
    """Classification metrics from a running confusion matrix; equal to those of scikit-learn.

    Args:
        names: names of the classes in the order of their ids, or the number of classes.

    Results: `accuracy`, `mcc` (Matthews 1975; for more than two classes Gorodkin 2004), `precision_micro`,
    `recall_micro`, `f1_micro`, the same with `_macro`, and `precision/NAME`, `recall/NAME`, `f1/NAME` for each class.
    Macro averages are over the classes that occur in labels or predictions. A ratio with denominator 0 is 0.
    """

    def __init__(self, names: Sequence[str] | int):
        self.names = class_names(names)
        self.matrix = np.zeros((len(self.names), len(self.names)), np.int64)  # [labels, predictions]

    @property
    def count(self) -> int:
        return int(self.matrix.sum())

    def update(self, predictions, labels) -> None:
        """Adds a batch.

        Args:
            predictions: class ids of the shape of `labels`, or logits or probabilities with a last axis of classes.
            labels: class ids of any shape; negative ones (padding, tokens without a label) are ignored.
        """
        predictions, labels = np.asarray(predictions), np.asarray(labels)
        if predictions.ndim == labels.ndim + 1:
            predictions = predictions.argmax(-1)
        if predictions.shape != labels.shape:
            raise ValueError(f"the predictions have the shape {predictions.shape}, the labels {labels.shape}; expected "
                             "the same shape, or predictions with one more axis of a score for each class")
        size = len(self.names)
        predictions, labels = (x.ravel()[labels.ravel() >= 0].astype(np.int64) for x in (predictions, labels))
        for name, ids in (("label", labels), ("prediction", predictions)):
            if ids.size and not 0 <= ids.min() <= ids.max() < size:
                raise ValueError(f"a {name} is {ids.max() if ids.max() >= size else ids.min()}; expected a class id "
                                 f"from 0 to {size - 1}")
        self.matrix += np.bincount(labels * size + predictions, minlength=size * size).reshape(size, size)

    def measures(self) -> dict[str, float]:
        correct, predicted, actual = np.diag(self.matrix), self.matrix.sum(0), self.matrix.sum(1)
        rows = dict(zip(("precision", "recall", "f1"), precision_recall_f1(correct, predicted, actual)))
        accuracy = correct.sum() / self.count
        occurs = predicted + actual > 0
        result = {"accuracy": accuracy, "mcc": matthews(self.matrix)}
        result |= {f"{name}_micro": accuracy for name in rows}
        result |= {f"{name}_macro": row[occurs].mean() for name, row in rows.items()}
        return {**result, **named(rows, self.names)}


def matthews(matrix) -> float:
    """Matthews' correlation coefficient of a confusion matrix; 0 if all labels or all predictions are of one class."""
    matrix = np.asarray(matrix, np.float64)
    predicted, actual, total = matrix.sum(0), matrix.sum(1), matrix.sum()
    covariance = np.trace(matrix) * total - predicted @ actual
    return float(divide(covariance, np.sqrt((total**2 - predicted @ predicted) * (total**2 - actual @ actual))))

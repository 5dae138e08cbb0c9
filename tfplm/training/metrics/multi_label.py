"""Multi-label classification: any number of classes per example."""

from collections.abc import Sequence

import numpy as np

from tfplm.training.metrics.streaming import Metrics, class_names, divide, named, precision_recall_f1


class MultiLabelMetrics(Metrics):
    """Multi-label metrics; equal to those of scikit-learn.

    Args:
        names: names of the classes in the order of their ids, or the number of classes.
        threshold: a class is predicted if its score is above the threshold: 0.5 for probabilities, 0 for logits.

    Results: `subset_accuracy` (all classes of an example are right), `precision_micro`, `recall_micro`, `f1_micro`, the
    same with `_macro` (over all classes), and `precision/NAME`, `recall/NAME`, `f1/NAME` for each class.
    """

    def __init__(self, names: Sequence[str] | int, threshold: float = 0.5):
        self.names, self.threshold = class_names(names), threshold
        self.correct, self.predicted, self.actual = np.zeros((3, len(self.names)), np.int64)
        self.count = self.exact = 0

    def update(self, predictions, labels) -> None:
        """Adds a batch. predictions: scores, or zeros and ones, `[B,C]`; labels: zeros and ones, `[B,C]`."""
        predictions, labels = np.asarray(predictions) > self.threshold, np.asarray(labels) > 0.5
        if predictions.shape != labels.shape or labels.shape[1:] != (len(self.names),):
            raise ValueError(f"the predictions have the shape {predictions.shape}, the labels {labels.shape}; expected "
                             f"[examples, {len(self.names)} classes] for both")
        self.correct += (predictions & labels).sum(0)
        self.predicted += predictions.sum(0)
        self.actual += labels.sum(0)
        self.exact += int((predictions == labels).all(1).sum())
        self.count += len(labels)

    def measures(self) -> dict[str, float]:
        kinds = ("precision", "recall", "f1")
        counts = self.correct, self.predicted, self.actual
        rows = dict(zip(kinds, precision_recall_f1(*counts)))
        micro = zip(kinds, precision_recall_f1(*(count.sum() for count in counts)))
        return {"subset_accuracy": divide(self.exact, self.count), **{f"{name}_micro": value for name, value in micro},
                **{f"{name}_macro": row.mean() for name, row in rows.items()}, **named(rows, self.names)}

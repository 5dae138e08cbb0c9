"""Precision and recall at every threshold."""

from collections.abc import Sequence

import numpy as np

from tfplm.training.metrics.streaming import Metrics, class_names, divide

BINS = 1000  # the resolution of probabilities is 1/1000


class PrecisionRecallCurves(Metrics):
    """The curve of each class against the rest, computed from histograms instead of all probabilities.

    Args:
        names: names of the classes in the order of their ids, or the number of classes.

    Results: `average_precision/NAME` (the sum over thresholds of precision times increase of recall, as in
    scikit-learn, of probabilities rounded down to 1/1000), and their mean `average_precision_macro` over the classes
    that occur.
    """

    def __init__(self, names: Sequence[str] | int):
        self.names = class_names(names)
        self.histograms = np.zeros((2, len(self.names), BINS + 1), np.int64)  # [0: other, 1: this class; class; bin]

    @property
    def count(self) -> int:
        return int(self.histograms[:, 0].sum())

    def update(self, predictions, labels) -> None:
        """Adds a batch.

        Args:
            predictions: probabilities `[B,C]`.
            labels: class ids `[B]`, of which negative ones are ignored, or zeros and ones `[B,C]`.
        """
        predictions, labels, size = np.asarray(predictions), np.asarray(labels), len(self.names)
        if predictions.ndim != 2 or predictions.shape[1] != size or len(labels) != len(predictions):
            raise ValueError(f"the predictions have the shape {predictions.shape}, the labels {labels.shape}; expected "
                             f"probabilities [examples, {size} classes], and for each example a class id or {size} "
                             "zeros and ones")
        if labels.ndim == 1:
            predictions, labels = predictions[labels >= 0], labels[labels >= 0]
            labels = labels[:, None] == np.arange(size)
        if predictions.size and not 0 <= predictions.min() <= predictions.max() <= 1.001:
            raise ValueError(f"the predictions lie between {predictions.min():g} and {predictions.max():g}; expected "
                             "probabilities: apply softmax or sigmoid to logits first")
        bins = np.minimum(predictions * BINS, BINS).astype(np.int64)  # [B,C]
        np.add.at(self.histograms, ((np.asarray(labels) > 0.5).astype(int), np.arange(size)[None], bins), 1)

    def curves(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """The curves of the classes that occur: name -> (precision, recall), each float64 `[N]`.

        They run from the highest threshold to the lowest. `tfplm.summaries.precision_recall_image` draws them.
        """
        result = {}
        for name, (others, own) in zip(self.names, self.histograms.transpose(1, 0, 2)):
            if own.sum():
                used = np.flatnonzero(own + others)[::-1]
                correct, predicted = own[used].cumsum(), (own + others)[used].cumsum()
                result[name] = divide(correct, predicted), correct / own.sum()
        return result

    def measures(self) -> dict[str, float]:
        areas = {name: np.diff(recall, prepend=0) @ precision for name, (precision, recall) in self.curves().items()}
        return {"average_precision_macro": np.mean(list(areas.values())),
                **{f"average_precision/{name}": area for name, area in areas.items()}}

"""Precision and recall at every threshold."""

from collections.abc import Sequence

import numpy as np

from tfplm.training.metrics.streaming import Metrics, class_names, divide

BINS = 1000  # probabilities are told apart to a thousandth


class PrecisionRecallCurves(Metrics):
    """The curve of each class against the rest, from histograms of the probabilities, so that none are kept.

    Args:
        names: the classes' names in order, or how many there are.

    Results: `average_precision/NAME` (the sum over thresholds of precision times gained recall, as scikit-learn's, of
    probabilities rounded down to a thousandth), and their mean `average_precision_macro` over the classes that occur.
    """

    def __init__(self, names: Sequence[str] | int):
        self.names = class_names(names)
        self.histograms = np.zeros((2, len(self.names), BINS + 1), np.int64)  # [of others or of the class, class, bin]

    @property
    def count(self) -> int:
        return int(self.histograms[:, 0].sum())

    def update(self, predictions, labels) -> None:
        """
        Args:
            predictions: probabilities `[B,C]`.
            labels: class numbers `[B]`, negative ones do not count, or 0 and 1 `[B,C]`.
        """
        predictions, labels, size = np.asarray(predictions), np.asarray(labels), len(self.names)
        if predictions.ndim != 2 or predictions.shape[1] != size or len(labels) != len(predictions):
            raise ValueError(f"the predictions have the shape {predictions.shape}, the labels {labels.shape}; expected "
                             f"probabilities [examples, {size} classes], and a label or {size} zeros and ones each")
        if labels.ndim == 1:
            predictions, labels = predictions[labels >= 0], labels[labels >= 0]
            labels = labels[:, None] == np.arange(size)
        if predictions.size and not 0 <= predictions.min() <= predictions.max() <= 1.001:
            raise ValueError(f"a prediction is {predictions.max():g}, one is {predictions.min():g}; expected "
                             "probabilities: apply softmax or sigmoid to logits first")
        bins = np.minimum(predictions * BINS, BINS).astype(np.int64)  # [B,C]
        np.add.at(self.histograms, ((np.asarray(labels) > 0.5).astype(int), np.arange(size)[None], bins), 1)

    def curves(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Name -> (precision, recall) float64 `[N]`, from the highest threshold to the lowest, of the classes that
        occur; what `tfplm.summaries.precision_recall_image` draws."""
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

"""Regression: correlations and errors."""

import numpy as np

from tfplm.data.correlation import correlation, ranks
from tfplm.training.metrics.streaming import Metrics, check_lengths


class RegressionMetrics(Metrics):
    """Regression metrics; equal to those of SciPy and scikit-learn.

    Results: `pearson`, `spearman` (ties have their average rank), `mse`, `mae`. A correlation with a constant is NaN.
    As ranks need all values, 16 bytes are stored per example.
    """

    def __init__(self):
        self.predictions, self.labels, self.count = [], [], 0

    def update(self, predictions, labels) -> None:
        """Adds a batch of predictions `[B]` or `[B,1]` and labels `[B]`."""
        predictions, labels = (np.asarray(x, np.float64).ravel() for x in (predictions, labels))
        check_lengths(predictions, labels)
        self.predictions.append(predictions)
        self.labels.append(labels)
        self.count += len(labels)

    def measures(self) -> dict[str, float]:
        x, y = np.concatenate(self.predictions), np.concatenate(self.labels)
        return {"pearson": correlation(x, y), "spearman": correlation(ranks(x), ranks(y)),
                "mse": np.square(x - y).mean(), "mae": np.abs(x - y).mean()}

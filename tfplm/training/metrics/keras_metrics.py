"""Metrics for `compile(metrics=[...])` that sum a confusion matrix, and so are exact over batches and devices.

The mean of F1 over batches or replicas is not the F1 of all examples; the sum of confusion matrices is exact.
Spearman's correlation has no such sum: use `tfplm.training.metrics.RegressionMetrics` on the predictions.
"""

import keras
from keras import ops


class ConfusionMatrixMetric(keras.metrics.Metric):
    """Base of the metrics below: sparse labels int `[...]` and scores `[...,C]`; negative labels are ignored.

    Args:
        num_classes: C, the number of classes.
    """

    def __init__(self, num_classes: int, name: str | None = None, dtype=None):
        super().__init__(name=name, dtype=dtype)
        self.num_classes = num_classes
        # float32 would stop counting at 2 ** 24, which tags of tokens reach
        self.matrix = self.add_variable((num_classes, num_classes), "zeros", dtype="float64", name="matrix")

    def update_state(self, y_true, y_pred, sample_weight=None):
        size, y_pred = self.num_classes, ops.convert_to_tensor(y_pred)
        if y_pred.shape[-1] not in (size, None):
            raise ValueError(f"{self.name}: the predictions have {y_pred.shape[-1]} scores each; expected num_classes "
                             f"= {size}")
        predicted = ops.reshape(ops.argmax(y_pred, axis=-1), (-1,))
        labels = ops.cast(ops.reshape(y_true, (-1,)), "int32")
        weights = ops.cast(labels >= 0, "float32")
        if sample_weight is not None:
            weights = weights * self._broadcast(ops.cast(sample_weight, "float32"), y_pred)
        # one_hot of a negative label is a row of zeros
        rows = ops.one_hot(labels, size, dtype="float32") * weights[:, None]
        counts = ops.matmul(ops.transpose(rows), ops.one_hot(predicted, size, dtype="float32"))
        self.matrix.assign_add(ops.cast(counts, "float64"))

    def result(self):
        return ops.cast(self.score(ops.convert_to_tensor(self.matrix)), self.dtype)

    def score(self, matrix):
        """The metric of a confusion matrix `[C,C]`, whose rows are labels."""
        raise TypeError(f"{type(self).__name__} is abstract: use MacroF1 or MatthewsCorrelation")

    def _broadcast(self, weights, y_pred):
        """Broadcasts weights `[B]`, `[B,1]` or of the labels' shape to one for each label, flattened."""
        shape = ops.shape(y_pred)[:-1]
        while len(weights.shape) < len(shape):
            weights = weights[..., None]
        if len(weights.shape) > len(shape):
            weights = weights[..., 0]
        return ops.reshape(ops.broadcast_to(weights, shape), (-1,))

    def get_config(self):
        return {**super().get_config(), "num_classes": self.num_classes}


def _ratio(numerator, denominator):
    return numerator / ops.where(denominator > 0, denominator, ops.ones_like(denominator))  # 0 / 0 is 0


@keras.saving.register_keras_serializable("tfplm")
class MacroF1(ConfusionMatrixMetric):
    """Mean F1 of the classes that occur in labels or predictions, as `f1_score(average="macro")` of scikit-learn."""

    def __init__(self, num_classes: int, name: str = "macro_f1", dtype=None):
        super().__init__(num_classes, name, dtype)

    def score(self, matrix):
        total = ops.sum(matrix, axis=0) + ops.sum(matrix, axis=1)
        return _ratio(ops.sum(_ratio(2 * ops.diagonal(matrix), total)), ops.sum(ops.cast(total > 0, "float64")))


@keras.saving.register_keras_serializable("tfplm")
class MatthewsCorrelation(ConfusionMatrixMetric):
    """Matthews' correlation coefficient (multi-class: Gorodkin 2004), the metric of CoLA; 0 if undefined."""

    def __init__(self, num_classes: int = 2, name: str = "matthews_correlation", dtype=None):
        super().__init__(num_classes, name, dtype)

    def score(self, matrix):
        total, predicted, actual = ops.sum(matrix), ops.sum(matrix, axis=0), ops.sum(matrix, axis=1)
        covariance = ops.trace(matrix) * total - ops.sum(predicted * actual)
        spread = (total ** 2 - ops.sum(predicted ** 2)) * (total ** 2 - ops.sum(actual ** 2))
        return _ratio(covariance, ops.sqrt(spread))

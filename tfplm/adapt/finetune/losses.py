"""Losses of the fine-tuning tasks, computed per example so that they are correct under a `tf.distribute` strategy."""

import keras
from keras import ops


@keras.saving.register_keras_serializable("tfplm")
class CrossEntropy(keras.losses.Loss):
    """Softmax cross-entropy of int32 labels `[...]` and logits `[...,C]`, with label smoothing (Szegedy et al. 2016).

    With smoothing e the target is 1 - e + e / C for the label and e / C for each other class. Padded positions need the
    sample weight 0. Keras' `SparseCategoricalCrossentropy` has no label smoothing.
    """

    def __init__(self, label_smoothing: float = 0.0, name: str = "cross_entropy", **keywords):
        super().__init__(name=name, **keywords)
        self.label_smoothing = label_smoothing

    def call(self, y_true, y_pred):
        logits = ops.cast(y_pred, "float32")
        labels = ops.cast(y_true, "int32")
        losses = keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True)
        if self.label_smoothing:
            uniform = -ops.mean(ops.log_softmax(logits, axis=-1), axis=-1)
            losses = (1 - self.label_smoothing) * losses + self.label_smoothing * uniform
        return losses

    def get_config(self):
        return {**super().get_config(), "label_smoothing": self.label_smoothing}


@keras.saving.register_keras_serializable("tfplm")
class ChoiceCrossEntropy(CrossEntropy):
    """Cross-entropy over the choices of each question: labels int32 `[B,2]`, the index of the correct choice and the
    number of choices; logits `[B,C]`, of which those after the last choice are ignored."""

    def call(self, y_true, y_pred):
        valid = ops.arange(ops.shape(y_pred)[1], dtype="int32")[None] < ops.cast(y_true[:, 1:], "int32")
        logs = ops.log_softmax(ops.where(valid, ops.cast(y_pred, "float32"), -1e9), axis=-1)
        correct = -ops.take_along_axis(logs, ops.cast(y_true[:, :1], "int32"), axis=1)[:, 0]
        uniform = -ops.sum(ops.where(valid, logs, 0.0), axis=1) / ops.cast(y_true[:, 1], "float32")
        return (1 - self.label_smoothing) * correct + self.label_smoothing * uniform


@keras.saving.register_keras_serializable("tfplm")
class SquaredError(keras.losses.Loss):
    """Squared error between numbers `[B]` and the single logit `[B,1]` of a regression."""

    def call(self, y_true, y_pred):
        return ops.square(ops.cast(y_pred, "float32")[:, 0] - ops.cast(y_true, "float32"))


@keras.saving.register_keras_serializable("tfplm")
class BinaryCrossEntropy(keras.losses.Loss):
    """Sigmoid cross-entropy of labels 0 or 1 `[B,C]` and logits `[B,C]`, mean over the labels (multi-label)."""

    def call(self, y_true, y_pred):
        return keras.losses.binary_crossentropy(ops.cast(y_true, "float32"), ops.cast(y_pred, "float32"),
                                                from_logits=True)


class CRFLoss(keras.losses.Loss):
    """Negative log-likelihood, in nats per example, of a linear-chain CRF over logits `[B,T,L]`.

    y_true: int32 `[B,T]`, the label plus 1, or 0 for no label (special tokens, later pieces of a word, padding).
    """

    def __init__(self, crf, **keywords):
        super().__init__(name="crf_loss", **keywords)
        self.crf = crf

    def call(self, y_true, y_pred):
        mask = ops.cast(ops.not_equal(y_true, 0), "int32")
        return -self.crf.log_likelihood(y_pred, ops.maximum(ops.cast(y_true, "int32") - 1, 0), mask)

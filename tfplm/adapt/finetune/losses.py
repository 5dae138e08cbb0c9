"""Losses of the fine-tuning tasks, each per example, so that they are right under a `tf.distribute` strategy."""

import keras
from keras import ops


@keras.saving.register_keras_serializable("tfplm")
class CrossEntropy(keras.losses.Loss):
    """Softmax cross-entropy of int32 labels `[...]` and logits `[...,C]`, with label smoothing (Szegedy et al. 2016).

    With smoothing e the target is 1 - e + e / C for the label and e / C for each other class. Padded places get the
    sample weight 0. Sibling: Keras' `SparseCategoricalCrossentropy`, which cannot smooth.
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
    """Cross-entropy over the choices of each question: labels int32 `[B,2]`, the right choice and how many there are;
    logits `[B,C]`, of which those after the last choice do not count."""

    def call(self, y_true, y_pred):
        there = ops.arange(ops.shape(y_pred)[1], dtype="int32")[None] < ops.cast(y_true[:, 1:], "int32")
        logs = ops.log_softmax(ops.where(there, ops.cast(y_pred, "float32"), -1e9), axis=-1)
        right = -ops.take_along_axis(logs, ops.cast(y_true[:, :1], "int32"), axis=1)[:, 0]
        uniform = -ops.sum(ops.where(there, logs, 0.0), axis=1) / ops.cast(y_true[:, 1], "float32")
        return (1 - self.label_smoothing) * right + self.label_smoothing * uniform


@keras.saving.register_keras_serializable("tfplm")
class SquaredError(keras.losses.Loss):
    """Squared error of numbers `[B]` and the single logit `[B,1]` of a regression."""

    def call(self, y_true, y_pred):
        return ops.square(ops.cast(y_pred, "float32")[:, 0] - ops.cast(y_true, "float32"))


@keras.saving.register_keras_serializable("tfplm")
class BinaryCrossEntropy(keras.losses.Loss):
    """Mean over the labels of the sigmoid cross-entropy of 0/1 `[B,C]` and logits `[B,C]`: several labels at once."""

    def call(self, y_true, y_pred):
        return keras.losses.binary_crossentropy(ops.cast(y_true, "float32"), ops.cast(y_pred, "float32"),
                                                from_logits=True)


class CRFLoss(keras.losses.Loss):
    """Negative log-likelihood, in nats per example, of a linear-chain CRF over logits `[B,T,L]`.

    y_true: int32 `[B,T]`, the label plus 1, 0 where there is none (special tokens, later pieces of a word, padding).
    """

    def __init__(self, crf, **keywords):
        super().__init__(name="crf_loss", **keywords)
        self.crf = crf

    def call(self, y_true, y_pred):
        mask = ops.cast(ops.not_equal(y_true, 0), "int32")
        return -self.crf.log_likelihood(y_pred, ops.maximum(ops.cast(y_true, "int32") - 1, 0), mask)

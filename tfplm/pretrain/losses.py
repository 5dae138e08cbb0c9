"""Losses of the pre-training tasks, per example, with the sums that their metrics need."""

import dataclasses

import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Scores:
    """`losses` float32 [B], whose mean is the mean over the predictions of the batch; and scalar sums over the
    predictions: `total` of their losses, the number that are `correct`, their `count`, and `ones`, the number of labels
    that are 1."""

    losses: tf.Tensor
    total: tf.Tensor
    correct: tf.Tensor
    count: tf.Tensor
    ones: tf.Tensor


def class_scores(logits, labels, weights=None) -> Scores:
    """Softmax cross-entropy: logits float32 [B,C] or [B,P,C], labels int32 [B] or [B,P].

    weights: same shape as labels; 0 where there is nothing to predict, else (examples / predictions) of the whole batch
    (see `mean_weights`), so that the losses of replicas with different numbers of predictions add up correctly.
    """
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
    hits = tf.equal(tf.argmax(logits, -1, tf.int32), labels)
    return _scores(losses, hits, labels, weights)


def binary_scores(logits, labels, weights=None) -> Scores:
    """Sigmoid cross-entropy: logits float32, labels 0 or 1, both [B] or [B,T]; weights as in `class_scores`."""
    losses = tf.nn.sigmoid_cross_entropy_with_logits(tf.cast(labels, logits.dtype), logits)
    return _scores(losses, tf.equal(logits > 0, tf.cast(labels, tf.bool)), labels, weights)


def _scores(losses, hits, labels, weights) -> Scores:
    weights = tf.ones_like(losses) if weights is None else weights
    counted = tf.cast(weights > 0, tf.float32)
    weighted = losses * weights
    if len(losses.shape) > 1:
        weighted = tf.reduce_sum(weighted, 1)
    return Scores(weighted, tf.reduce_sum(losses * counted), tf.reduce_sum(tf.cast(hits, tf.float32) * counted),
                  tf.reduce_sum(counted), tf.reduce_sum(tf.cast(tf.equal(labels, 1), tf.float32) * counted))


def mean_weights(weights):
    """NumPy int [B,P] of 0 and 1 -> float32 [B,P], scaled by B / their sum: the mean over examples of the weighted
    losses is then the mean over predictions."""
    return (weights * (len(weights) / max(weights.sum(), 1))).astype("float32")

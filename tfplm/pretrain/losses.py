"""Losses of the pre-training tasks, per example, with what their metrics need."""

import dataclasses

import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Scores:
    """`losses` float32 [B], whose mean is the mean over the predictions of the batch; and sums over the predictions:
    `total` of their losses, `correct` ones, their `count`, and `ones`, those whose label is 1."""

    losses: tf.Tensor
    total: tf.Tensor
    correct: tf.Tensor
    count: tf.Tensor
    ones: tf.Tensor


def class_scores(logits, labels, weights=None) -> Scores:
    """Softmax cross-entropy: logits float32 [B,C] or [B,P,C], labels int32 [B] or [B,P].

    weights: of the shape of labels, 0 where there is nothing to predict, else 1 times (examples / predictions) of the
    whole batch, as `normalised` makes them, so that replicas with different numbers of predictions add up rightly.
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


def normalised(weights):
    """NumPy int [B,P] of 0 and 1 -> float32, times B / their sum: then a mean over examples is one over predictions."""
    return (weights * (len(weights) / max(weights.sum(), 1))).astype("float32")

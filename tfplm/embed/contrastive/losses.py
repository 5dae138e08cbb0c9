"""Losses that train sentence vectors, each a function of vectors alone.

| loss | data | what it learns |
|---|---|---|
| `simcse` | texts | a text is nearest to itself under another dropout mask, of all texts of the batch |
| `supervised_simcse` | (text, alike[, not alike]) | the same with entailed sentences, and contradictions as hard negatives |
| `ranking` | (text, alike[, not alike]) | the same, without SimCSE's extra layer: for pairs such as question and answer |
| `cosent` | (text, text, score) | the order of the pairs by their cosine; scores are compared, not met |
| `cosine` | (text, text, score) | the cosine itself, scores scaled to 0 ... 1 |

The first three need texts that are not alike in one batch, and larger batches are better. With graded or binary scores
`cosent` is the usual choice, since what is tested is an order, too.
"""

import dataclasses
from collections.abc import Callable

import tensorflow as tf


def gather(values):
    """`[B,...]` of this replica -> those of all replicas `[RB,...]`, with gradients to each of them."""
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return values
    return context.all_gather(values, axis=0)


def _own_rows(count):
    """Where the rows of this replica stand among those of all."""
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return tf.range(count)
    return tf.range(count) + count * tf.cast(context.replica_id_in_sync_group, tf.int32)


def in_batch(vectors, labels=None, temperature: float = 0.05):
    """Softmax cross-entropy of cosines / temperature: which text of the batch belongs to this one?

    InfoNCE (van den Oord et al. 2018), the loss of SimCSE (Gao et al. 2021, equations 1 and 5) and, with 1 / temperature
    called scale, sentence-transformers' MultipleNegativesRankingLoss. The candidates are those of all replicas.

    Args:
        vectors: float32 `[B,K,H]`: of each example the text, the one that is like it, and K - 2 hard negatives.
        labels: not used.

    Returns:
        losses float32 `[B]`, hits float32 `[B]`: 1 where the right one is the nearest.
    """
    vectors = tf.math.l2_normalize(vectors, -1)
    candidates = tf.reshape(tf.transpose(gather(vectors[:, 1:]), [1, 0, 2]), [-1, vectors.shape[-1]])  # positives first
    logits = tf.matmul(vectors[:, 0], candidates, transpose_b=True) / temperature
    right = _own_rows(tf.shape(logits)[0])
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(right, logits)
    return losses, tf.cast(tf.equal(tf.argmax(logits, -1, tf.int32), right), tf.float32)


def cosines(vectors):
    """float32 `[B]` of `[B,2,H]`."""
    vectors = tf.math.l2_normalize(vectors, -1)
    return tf.reduce_sum(vectors[:, 0] * vectors[:, 1], -1)


def cosent(vectors, labels, temperature: float = 0.05):
    """`log(1 + sum of exp((cos_i - cos_j) / temperature) over all i, j with score_i < score_j)` (Su 2022, CoSENT).

    Beside `cosine_regression` it does not force two texts of score 0 to be at right angles, and beside `in_batch` it
    uses every degree of likeness. It does not fall apart into examples: each gets the loss of the batch (of all
    replicas).

    Args:
        vectors: float32 `[B,2,H]`. labels: float32 `[B]`, larger is more alike.

    Returns:
        losses float32 `[B]`, all the same; None.
    """
    scores, labels = gather(cosines(vectors)) / temperature, gather(labels)
    differences = scores[:, None] - scores[None, :]
    wrong_way = tf.where(labels[:, None] < labels[None, :], differences, tf.constant(-1e12))
    loss = tf.reduce_logsumexp(tf.concat([[0.0], tf.reshape(wrong_way, [-1])], 0))
    return tf.fill([tf.shape(vectors)[0]], 1.0) * loss, None


def cosine_regression(vectors, labels, temperature: float = 0.05):
    """`(cosine - score)^2`, scores 0 ... 1 (Reimers and Gurevych 2019, section 3); the temperature is not used.

    Returns:
        losses float32 `[B]`, None.
    """
    return tf.square(cosines(vectors) - labels), None


@dataclasses.dataclass(frozen=True)
class Loss:
    """A loss and what it needs. twice: the text itself is its pair. labelled: pairs have scores. head: a dense layer
    with tanh follows the pooling while training, and is then left out (SimCSE, section 6.3)."""

    function: Callable
    twice: bool = False
    labelled: bool = False
    head: bool = False


LOSSES = {
    "simcse": Loss(in_batch, twice=True, head=True),
    "supervised_simcse": Loss(in_batch, head=True),
    "ranking": Loss(in_batch),
    "cosent": Loss(cosent, labelled=True),
    "cosine": Loss(cosine_regression, labelled=True),
}

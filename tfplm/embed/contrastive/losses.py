"""Losses for training sentence vectors; each is a function of the vectors and labels.

| loss | data | objective |
|---|---|---|
| `simcse` | texts | of all texts of the batch, a text is nearest to itself with another dropout mask |
| `supervised_simcse` | (text, similar[, dissimilar]) | the same for entailed sentences; contradictions as hard
negatives | | `ranking` | (text, similar[, dissimilar]) | the same without SimCSE's extra layer; for pairs such as
question and answer | | `cosent` | (text, text, score) | the order of the pairs by cosine equals their order by score |
| `cosine` | (text, text, score) | the cosine equals the score, scaled to 0 ... 1 |

The first three need dissimilar texts in a batch, and larger batches are better. With graded or binary scores, `cosent`
is the usual choice, because evaluation also measures an order.
"""

import dataclasses
from collections.abc import Callable

import tensorflow as tf

_MASKED = -1e9


def gather(values):
    """`[B,...]` of this replica -> those of all R replicas, `[RB,...]`; gradients flow to each of them."""
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return values
    return context.all_gather(values, axis=0)


def _own_rows(count):
    """The indices of this replica's rows among those of all replicas, int32 `[count]`."""
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return tf.range(count)
    return tf.range(count) + count * tf.cast(context.replica_id_in_sync_group, tf.int32)


def in_batch(vectors, labels=None, temperature: float = 0.05, texts=None):
    """Softmax cross-entropy of cosines / temperature, with in-batch negatives.

    InfoNCE (van den Oord et al. 2018), the loss of SimCSE (Gao et al. 2021, equations 1 and 5) and, with a scale of 1 /
    temperature, sentence-transformers' MultipleNegativesRankingLoss. The candidates are the texts of all replicas.

    Args:
        vectors: float32 `[B,K,H]`: for each example the anchor, the positive, and K - 2 hard negatives.
        labels: not used.
        texts: int64 `[B,K]`, equal numbers for equal texts. A text that equals the anchor or the positive, and the
            positive of an equal anchor, are no negatives of it; the numbers are those of all replicas. None: only texts
            with exactly equal vectors are known to be equal.

    Returns:
        losses float32 `[B]`; hits float32 `[B]`, 1 if the positive is the nearest candidate.
    """
    vectors = tf.math.l2_normalize(vectors, -1)
    candidates = tf.reshape(tf.transpose(gather(vectors[:, 1:]), [1, 0, 2]), [-1, vectors.shape[-1]])  # positives first
    logits = tf.matmul(vectors[:, 0], candidates, transpose_b=True) / temperature
    positives = _own_rows(tf.shape(logits)[0])
    logits = tf.where(_equal(_keys(vectors) if texts is None else texts, positives, texts is not None),
                      tf.constant(_MASKED), logits)
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(positives, logits)
    return losses, tf.cast(tf.equal(tf.argmax(logits, -1, tf.int32), positives), tf.float32)


def _keys(vectors):
    """int32 `[B,K]`, equal for equal vectors `[B,K,H]`."""
    bits = tf.bitcast(vectors, tf.int32)
    return tf.reduce_sum(bits * (2 * tf.range(tf.shape(bits)[-1]) + 1) * 40503, -1)  # wraps around


def _equal(texts, positives, with_anchor: bool):
    """bool `[B,(K-1)RB]`: True for candidates, other than its own positive, that are no negatives of the anchor."""
    everyone = gather(texts)
    candidates = tf.reshape(tf.transpose(everyone[:, 1:]), [1, -1])
    same = candidates == texts[:, 1:2]
    if with_anchor:
        same |= candidates == texts[:, :1]
    anchors = texts[:, :1] == tf.transpose(everyone[:, :1])  # [B,RB]
    rest = tf.zeros([tf.shape(texts)[0], tf.shape(candidates)[1] - tf.shape(anchors)[1]], tf.bool)
    own = tf.equal(tf.range(tf.shape(candidates)[1])[None, :], positives[:, None])
    return (same | tf.concat([anchors, rest], 1)) & ~own


def cosines(vectors):
    """The cosines of pairs of vectors: `[B,2,H]` -> float32 `[B]`."""
    vectors = tf.math.l2_normalize(vectors, -1)
    return tf.reduce_sum(vectors[:, 0] * vectors[:, 1], -1)


def cosent(vectors, labels, temperature: float = 0.05, texts=None):
    """`log(1 + sum of exp((cos_i - cos_j) / temperature) over all i, j with score_i < score_j)` (Su 2022, CoSENT).

    Unlike `cosine_regression`, it does not force two texts with score 0 to be orthogonal; unlike `in_batch`, it uses
    all degrees of similarity. The loss is not a sum over examples: each example gets the loss of the batch (of all
    replicas).

    Args:
        vectors: float32 `[B,2,H]`.
        labels: float32 `[B]`, larger means more similar.
        texts: not used.

    Returns:
        losses float32 `[B]`, all equal; None.
    """
    scores, labels = gather(cosines(vectors)) / temperature, gather(labels)
    differences = scores[:, None] - scores[None, :]
    ordered = tf.where(labels[:, None] < labels[None, :], differences, tf.constant(-1e12))
    loss = tf.reduce_logsumexp(tf.concat([[0.0], tf.reshape(ordered, [-1])], 0))
    return tf.fill([tf.shape(vectors)[0]], 1.0) * loss, None


def cosine_regression(vectors, labels, temperature: float = 0.05, texts=None):
    """`(cosine - score)^2`, with scores from 0 to 1 (Reimers and Gurevych 2019, section 3).

    temperature and texts are not used.

    Returns:
        losses float32 `[B]`, None.
    """
    return tf.square(cosines(vectors) - labels), None


@dataclasses.dataclass(frozen=True)
class Loss:
    """A loss and its requirements.

    twice: the text is paired with itself. labelled: pairs have scores. head: a dense layer with tanh follows the
    pooling during training only (Gao et al. 2021, section 6.3).
    """

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

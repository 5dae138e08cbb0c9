"""Losses equal those of sentence-transformers (golden values) and values computed by hand."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tfplm.embed.contrastive.losses import LOSSES, cosent, cosine_regression, in_batch

GOLDEN = Path(__file__).parents[2] / "golden" / "contrastive" / "golden.npz"


@pytest.mark.parametrize(("name", "function", "count"), [
    ("pairs", in_batch, 2), ("triples", in_batch, 3), ("cosent", cosent, 2), ("cosine", cosine_regression, 2)])
def test_values_and_gradients(name, function, count):
    golden = np.load(GOLDEN)
    vectors = tf.Variable(golden["vectors"][:, :count])
    with tf.GradientTape() as tape:
        losses, _ = function(vectors, tf.constant(golden["labels"]))
        loss = tf.reduce_mean(losses)
    assert losses.shape == (6,)
    np.testing.assert_allclose(loss, golden[f"{name}/loss"], rtol=1e-5)
    np.testing.assert_allclose(tape.gradient(loss, vectors), golden[f"{name}/gradient"], atol=1e-5)


def test_hits_and_temperature():
    one = np.eye(4, 5, dtype=np.float32)
    near = np.stack([one, one + 0.1], 1)
    losses, hits = in_batch(tf.constant(near), temperature=0.05)
    assert hits.numpy().tolist() == [1, 1, 1, 1] and losses.numpy().max() < 1e-4
    swapped = np.stack([one, one[[1, 0, 2, 3]]], 1)
    _, hits = in_batch(tf.constant(swapped))
    assert hits.numpy().tolist() == [0, 0, 1, 1]
    warm, _ = in_batch(tf.constant(near), temperature=1.0)
    assert warm.numpy().mean() > 0.5


def test_cosent_by_hand():
    vectors = np.random.default_rng(1).normal(size=(5, 2, 3)).astype(np.float32)
    labels = np.array([1, 3, 2, 3, 0], np.float32)
    unit = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    scores = 20 * (unit[:, 0] * unit[:, 1]).sum(-1)
    total = 1 + sum(np.exp(scores[i] - scores[j]) for i in range(5) for j in range(5) if labels[i] < labels[j])
    np.testing.assert_allclose(cosent(tf.constant(vectors), tf.constant(labels))[0], np.log(total), rtol=1e-5)
    same = cosent(tf.constant(vectors), tf.zeros(5))[0]
    np.testing.assert_allclose(same, 0, atol=1e-6)


def test_requirements_of_losses():
    assert [name for name, loss in LOSSES.items() if loss.labelled] == ["cosent", "cosine"]
    assert [name for name, loss in LOSSES.items() if loss.head] == ["simcse", "supervised_simcse"]


def test_equal_texts_are_no_negatives_of_each_other():
    """Texts A, A, B with perfect vectors: known by their numbers, or by equal vectors."""
    one, other = np.eye(2, 4, dtype=np.float32)
    vectors = tf.constant(np.stack([[one, one], [one, one], [other, other]]))
    numbers = tf.constant([[7, 7], [7, 7], [8, 8]], tf.int64)
    for losses, hits in (in_batch(vectors, texts=numbers), in_batch(vectors)):
        assert losses.numpy().max() < 1e-4 and hits.numpy().tolist() == [1, 1, 1]
    # dropout makes their vectors differ a little: only the numbers tell
    noisy = vectors + tf.constant(np.random.default_rng(0).normal(0, 1e-3, vectors.shape).astype(np.float32))
    assert in_batch(noisy, texts=numbers)[0].numpy().max() < 1e-3 < 0.5 < in_batch(noisy)[0].numpy().max()


def by_hand(vectors, texts) -> np.ndarray:
    """The loss of each row, with the negatives chosen one by one."""
    unit, losses = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True), []
    for i, row in enumerate(unit):
        scores = [20 * row[0] @ row[1]]
        for j in range(len(unit)):
            for k in range(1, unit.shape[1]):
                same = texts[j, k] in texts[i, :2] or (k == 1 and texts[j, 0] == texts[i, 0])
                if (j, k) != (i, 1) and not same:
                    scores.append(20 * row[0] @ unit[j, k])
        losses.append(np.log(np.exp(scores).sum()) - scores[0])
    return np.array(losses)


def test_hard_negatives_and_equal_anchors_by_hand():
    """A hard negative that is another row's positive, one that is its own anchor, two rows with one anchor."""
    rng = np.random.default_rng(2)
    vectors = rng.normal(size=(5, 3, 6)).astype(np.float32)
    texts = np.array([[1, 2, 3], [1, 4, 2], [5, 6, 5], [7, 2, 8], [9, 10, 11]], np.int64)
    found = in_batch(tf.constant(vectors), texts=tf.constant(texts))[0]
    np.testing.assert_allclose(found, by_hand(vectors, texts), rtol=1e-5)
    different = np.arange(15).reshape(5, 3)
    np.testing.assert_allclose(in_batch(tf.constant(vectors))[0], by_hand(vectors, different), rtol=1e-5)

"""The CRF equals the sum over all sequences of tags, for masks that skip steps at any position."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfplm.data.tasks.spans import bio_constraints
from tfplm.layers.crf import CRF, Constraints

LABELS, LENGTH = 3, 5
RNG = np.random.default_rng(11)
LOGITS = RNG.normal(size=(6, LENGTH, LABELS)).astype("float32") * 2
TAGS = RNG.integers(0, LABELS, (6, LENGTH)).astype("int32")
MASK = np.array([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0], [0, 1, 1, 1, 0], [0, 1, 0, 1, 1], [0, 0, 1, 0, 0], [0, 0, 0, 0, 0]],
                np.int32)
FREE = Constraints([[True, False, True], [True, True, True], [False, True, True]], [True, True, False],
                   [False, True, True])


def crf(constraints=None, **keywords) -> CRF:
    layer, rng = CRF(LABELS, constraints, **keywords), np.random.default_rng(3)
    for weight in layer.weights:
        weight.assign(rng.normal(size=weight.shape))
    return layer


def scores_of(layer, row: int, logits=LOGITS) -> dict[tuple, float]:
    """The score of every sequence of tags of the kept steps."""
    transitions, start, end = (np.asarray(x, np.float64) for x in layer._scores())
    kept = logits[row][MASK[row] == 1].astype(np.float64)
    scores = {}
    for tags in itertools.product(range(LABELS), repeat=len(kept)):
        scores[tags] = sum(kept[t][tag] for t, tag in enumerate(tags)) + start[tags[0]] + end[tags[-1]] \
            + sum(transitions[a, b] for a, b in itertools.pairwise(tags))
    return scores


def log_sum(values) -> float:
    values = np.array(list(values))
    return values.max() + np.log(np.exp(values - values.max()).sum())


@pytest.mark.parametrize("constraints", [None, FREE])
def test_equals_brute_force(constraints):
    layer = crf(constraints)
    likelihood, partition = layer.log_likelihood(LOGITS, TAGS, MASK), layer.log_partition(LOGITS, MASK)
    marginals, (tags, best) = layer.marginals(LOGITS, MASK).numpy(), layer.decode(LOGITS, MASK)
    assert tags.dtype == tf.int32 and marginals.dtype == np.float32
    for row in range(5):
        scores, kept = scores_of(layer, row), MASK[row] == 1
        total = log_sum(scores.values())
        assert float(partition[row]) == pytest.approx(total, rel=1e-5)
        assert float(likelihood[row]) == pytest.approx(scores[tuple(TAGS[row][kept])] - total, rel=1e-5, abs=1e-4)
        expected = max(scores, key=scores.get)
        assert tuple(tags[row].numpy()[kept]) == expected and not tags[row].numpy()[~kept].any()
        assert float(best[row]) == pytest.approx(scores[expected], rel=1e-5)
        for step, place in enumerate(np.flatnonzero(kept)):
            for tag in range(LABELS):
                share = [score for path, score in scores.items() if path[step] == tag]
                assert marginals[row, place, tag] == pytest.approx(np.exp(log_sum(share) - total), abs=1e-5)
        assert not marginals[row][~kept].any()
    assert likelihood[5] == 0 == partition[5] == best[5] and not tags[5].numpy().any()


def loss_of(layer, logits, labels, mask):
    return -tf.reduce_sum(layer.log_likelihood(logits, labels, mask) * [1.0, 2.0, 0.5, 1.5, 1.0, 3.0])


def gradients(layer, logits, labels, mask):
    with tf.GradientTape() as tape:
        tape.watch(logits)
        loss = loss_of(layer, logits, labels, mask)
    return loss, tape.gradient(loss, [logits, *(weight.value for weight in layer.weights)])


def test_gradients_equal_finite_differences():
    """Central differences of the loss with a step of 0.01."""
    layer, logits = crf(), tf.constant(LOGITS)
    _, found = gradients(layer, logits, TAGS, MASK)
    assert all(np.isfinite(x).all() for x in found)

    def slope(change):
        values = []
        for step in (1e-2, -1e-2):
            change(step)
            values.append(float(loss_of(layer, logits, TAGS, MASK)))
            change(-step)
        return (values[0] - values[1]) / 2e-2

    for weight, gradient in zip(layer.weights, found[1:]):
        for place in np.ndindex(*weight.shape):
            unit = np.zeros(weight.shape, np.float32)
            unit[place] = 1
            expected = slope(lambda step, unit=unit, weight=weight: weight.assign_add(step * unit))
            assert float(gradient[place]) == pytest.approx(expected, abs=1e-2)
    assert not found[0].numpy()[MASK == 0].any() and np.abs(found[0].numpy()[MASK == 1]).sum() > 1
    marginals = layer.marginals(LOGITS, MASK).numpy()
    expected = (marginals - np.eye(LABELS)[TAGS]) * MASK[:, :, None]
    expected *= np.array([1, 2, 0.5, 1.5, 1, 3])[:, None, None]
    np.testing.assert_allclose(found[0], expected, atol=1e-5)


@pytest.mark.parametrize("jit", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_compiled_with_unknown_length(jit):
    layer = crf(FREE)
    tensors = [tf.TensorSpec((None, None, LABELS)), tf.TensorSpec((None, None), tf.int32),
               tf.TensorSpec((None, None), tf.int32)]
    train = tf.function(lambda *batch: gradients(layer, *batch), input_signature=tensors, jit_compile=jit)
    decode = tf.function(lambda logits, mask: (*layer.decode(logits, mask), layer.marginals(logits, mask)),
                         input_signature=[tensors[0], tensors[2]], jit_compile=jit)
    for length in (5, 1, 3):
        batch = LOGITS[:, :length], TAGS[:, :length], MASK[:, :length]
        loss, found = train(*batch)
        expected, eager = gradients(layer, tf.constant(batch[0]), *batch[1:])
        np.testing.assert_allclose(loss, expected, rtol=1e-5)
        for one, other in zip(found, eager):
            np.testing.assert_allclose(one, other, atol=1e-4, rtol=1e-4)
        for one, other in zip(decode(batch[0], batch[2]),
                              (*layer.decode(batch[0], batch[2]), layer.marginals(batch[0], batch[2]))):
            np.testing.assert_allclose(one, other, atol=1e-5, rtol=1e-5)


def test_negative_labels_are_skipped():
    layer, labels = crf(), np.where(MASK == 1, TAGS, -100)
    np.testing.assert_allclose(layer.log_likelihood(LOGITS, labels), layer.log_likelihood(LOGITS, TAGS, MASK), rtol=1e-6)
    np.testing.assert_allclose(layer.log_likelihood(LOGITS, labels, MASK), layer.log_likelihood(LOGITS, TAGS, MASK),
                               rtol=1e-6)
    everything = np.ones_like(MASK)
    np.testing.assert_array_equal(layer.decode(LOGITS)[0], layer.decode(LOGITS, everything)[0])


@pytest.mark.parametrize("policy", ["bfloat16", "mixed_bfloat16"])
def test_half_precision_is_computed_in_float32(policy):
    layer, exact, half = crf(dtype=policy), crf(), tf.cast(LOGITS, tf.bfloat16)
    assert all(weight.dtype == "float32" for weight in layer.weights)
    likelihood = layer.log_likelihood(half, TAGS, MASK)
    assert likelihood.dtype == tf.float32
    np.testing.assert_array_equal(likelihood, exact.log_likelihood(tf.cast(half, tf.float32), TAGS, MASK))


def test_extreme_logits_stay_finite():
    layer, logits = crf(FREE), tf.constant(LOGITS * 1e4)
    loss, found = gradients(layer, logits, TAGS, MASK)  # the tags also violate the constraints
    assert np.isfinite(loss) and all(np.isfinite(x).all() for x in found)


def test_long_sequences():
    rng, layer = np.random.default_rng(0), crf()
    logits, tags = rng.normal(size=(2, 700, LABELS)).astype("float32"), rng.integers(0, LABELS, (2, 700))
    alpha = layer.start + logits[0, 0]
    for step in logits[0, 1:].astype(np.float64):
        alpha = np.array([log_sum(np.asarray(alpha) + np.asarray(layer.transitions)[:, j]) for j in range(LABELS)]) + step
    expected = log_sum(alpha + np.asarray(layer.end))
    assert float(layer.log_partition(logits)[0]) == pytest.approx(expected, rel=1e-5)
    assert (layer.log_likelihood(logits, tags).numpy() < 0).all()


@pytest.mark.parametrize(("labels", "allowed", "forbidden"), [
    ("O B-PER I-PER B-LOC I-LOC", ["O B-PER I-PER", "B-PER B-LOC I-LOC O", "B-LOC"],
     ["I-PER", "O I-PER", "B-PER I-LOC", "B-PER I-PER I-LOC"]),
    ("O B-X I-X E-X S-X", ["B-X E-X S-X O", "B-X I-X I-X E-X", "S-X S-X"], ["B-X", "B-X O", "I-X E-X", "S-X E-X", "E-X"]),
    ("B-人 M-人 E-人 S-人 O", ["B-人 M-人 E-人", "S-人 B-人 E-人"], ["M-人 E-人", "B-人 S-人"]),
    ("O I-X E-X", ["I-X E-X", "E-X E-X", "O I-X I-X E-X"], ["I-X", "I-X O"]),
    ("O I-X I-Y", ["I-X I-Y O"], []),
])
def test_schemes(labels, allowed, forbidden):
    labels = labels.split()
    constraints = Constraints(**bio_constraints(labels))

    def fits(tags):
        numbers = [labels.index(tag) for tag in tags.split()]
        return constraints.start[numbers[0]] and constraints.end[numbers[-1]] and all(
            constraints.transitions[a][b] for a, b in itertools.pairwise(numbers))

    assert [tags for tags in allowed if not fits(tags)] == [] == [tags for tags in forbidden if fits(tags)]


def test_decoding_respects_the_scheme():
    labels = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
    constraints = Constraints(**bio_constraints(labels))
    layer = CRF(5, constraints)
    logits = np.random.default_rng(1).normal(size=(20, 9, 5)) * 5
    free, tags = CRF(5).decode(logits)[0].numpy(), layer.decode(logits)[0].numpy()
    np.testing.assert_array_equal(free, logits.argmax(-1))  # the scores are initialized with zeros
    wrong = [sum(not constraints.transitions[a][b] for row in many for a, b in itertools.pairwise(row))
             for many in (free, tags)]
    assert wrong[0] > 10 and wrong[1] == 0 and all(constraints.start[row[0]] for row in tags)


def test_saving_and_training(tmp_path):
    inputs = keras.Input((None, LABELS))
    layer = crf(FREE, name="crf")
    model = keras.Model(inputs, layer(inputs))
    model.save(tmp_path / "crf.keras")
    again = keras.models.load_model(tmp_path / "crf.keras")
    for one, other in zip(again(LOGITS), model(LOGITS)):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(again.get_layer("crf").constraints.transitions, FREE.transitions)


def test_wrong_constraints():
    with pytest.raises(ValueError, match=r"the constraints' transitions have the shape \(3, 3\), expected \(4, 4\)"):
        CRF(4, FREE)

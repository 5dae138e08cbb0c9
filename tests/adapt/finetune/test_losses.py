"""Losses and weights equal numbers computed by hand."""

import keras
import numpy as np
import pytest

import tfplm
from tests.adapt.adapt_cases import TINY
from tfplm.adapt.finetune.losses import BinaryCrossEntropy, ChoiceCrossEntropy, CRFLoss, CrossEntropy, SquaredError
from tfplm.adapt.methods.auxiliary_lm import WithLanguageModel
from tfplm.adapt.tasks.task import TaskSettings
from tfplm.adapt.tasks.texts import Classification, softmax
from tfplm.data.tasks.examples import TextExample
from tfplm.layers.crf import CRF
from tfplm.models.pretrained.weights import named_variables

LOGITS = np.array([[2.0, 0.0, -1.0], [0.5, 1.5, 0.0]], np.float32)
LABELS = np.array([0, 2], np.int32)


def test_cross_entropy_with_smoothing():
    logs = np.log(softmax(LOGITS))
    plain = CrossEntropy()(LABELS, LOGITS)
    assert float(plain) == pytest.approx(-(logs[0, 0] + logs[1, 2]) / 2, rel=1e-5)
    target = np.full((2, 3), 0.1 / 3)
    target[[0, 1], LABELS] += 0.9
    assert float(CrossEntropy(0.1)(LABELS, LOGITS)) == pytest.approx(-(target * logs).sum() / 2, rel=1e-5)
    copy = keras.losses.deserialize(keras.losses.serialize(CrossEntropy(0.1)))
    assert float(copy(LABELS, LOGITS)) == pytest.approx(-(target * logs).sum() / 2, rel=1e-5)


def test_missing_choices_are_ignored():
    y = np.array([[0, 2], [1, 3]], np.int32)
    first, second = (np.log(softmax(row)) for row in (LOGITS[0, :2], LOGITS[1]))
    assert float(ChoiceCrossEntropy()(y, LOGITS)) == pytest.approx(-(first[0] + second[1]) / 2, rel=1e-5)
    smooth = [0.9 * row[index] + 0.1 * row.mean() for row, index in ((first, 0), (second, 1))]
    assert float(ChoiceCrossEntropy(0.1)(y, LOGITS)) == pytest.approx(-sum(smooth) / 2, rel=1e-5)


def test_cross_entropy_of_tokens_is_per_token():
    losses = CrossEntropy(reduction=None)(LABELS[None], LOGITS[None])
    assert losses.shape == (1, 2)
    weighted = CrossEntropy()(LABELS[None], LOGITS[None], sample_weight=np.array([[2.0, 0.0]], np.float32))
    assert float(weighted) == pytest.approx(float(losses[0, 0]), rel=1e-5)


def test_squared_error_and_binary_cross_entropy():
    assert float(SquaredError()(np.array([1.0, 2.0]), np.array([[3.0], [2.5]]))) == pytest.approx((4 + 0.25) / 2)
    truth, logits = np.array([[1.0, 0.0]]), np.array([[0.3, -0.7]])
    expected = -(np.log(1 / (1 + np.exp(-0.3))) + np.log(1 - 1 / (1 + np.exp(0.7)))) / 2
    assert float(BinaryCrossEntropy()(truth, logits)) == pytest.approx(expected, rel=1e-5)


def test_crf_over_the_labelled_positions():
    crf = CRF(2)
    crf.transitions.assign([[0.3, -0.2], [0.1, 0.5]])
    crf.start.assign([0.2, -0.1])
    logits = np.random.RandomState(0).randn(1, 4, 2).astype("float32")
    truth = np.array([[0, 2, 0, 1]], np.int32)  # labels 1 and 0 at the second and the last position

    def score(first, second):
        return (logits[0, 1, first] + logits[0, 3, second] + crf.transitions.numpy()[first, second]
                + crf.start.numpy()[first])

    total = np.log(sum(np.exp(score(a, b)) for a in (0, 1) for b in (0, 1)))
    assert float(CRFLoss(crf)(truth, logits)) == pytest.approx(total - score(1, 0), rel=1e-5)


def test_balanced_weights():
    labels = ["甲"] * 6 + ["乙"] * 2 + ["丙"]
    task = Classification(None, TaskSettings(class_weights="balanced"))
    task.learn([TextExample("x", label=label) for label in labels])
    assert task.labels.names == ("丙", "乙", "甲")
    _, y, weights = task.split({"label": np.array([0, 1, 2, 2])})
    np.testing.assert_allclose(weights, [9 / 3, 9 / (3 * 2), 0.5, 0.5])
    assert y.tolist() == [0, 1, 2, 2]
    task = Classification(None, TaskSettings())
    task.learn([TextExample("x", label=label) for label in labels])
    assert task.split({"label": np.array([0, 2])})[2].tolist() == [1, 1]


def test_a_single_label_and_no_label():
    task = Classification(None, TaskSettings())
    with pytest.raises(ValueError, match="all 2 training examples have the label '甲'; expected two or more labels"):
        task.learn([TextExample("x", label="甲")] * 2)
    with pytest.raises(ValueError, match="a.tsv:7: no label; expected one for training and evaluation"):
        task.learn([TextExample("x", label="甲"), TextExample("y", origin="a.tsv:7")])


def gpt():
    keras.utils.set_random_seed(0)
    return tfplm.from_config("gpt2", "sequence_classification", num_labels=2,
                             **{**TINY, "vocab_size": 20, "embedding_dropout_prob": 0.0, "classifier_dropout": 0.0})


def test_auxiliary_language_model_by_hand():
    model = gpt()
    both = WithLanguageModel(model, 0.5)
    batch = {"input_ids": np.array([[3, 4, 5, 6], [7, 8, 0, 0]], np.int32),
             "attention_mask": np.array([[1, 1, 1, 1], [1, 1, 0, 0]], np.int32)}
    logits = both(batch, training=True)
    states = np.asarray(model.features(batch)["sequence_output"])
    table = named_variables(model)["embeddings/word/embeddings"].numpy()
    logs = np.log(softmax(states @ table.T))
    expected = -np.mean([logs[0, 0, 4], logs[0, 1, 5], logs[0, 2, 6], logs[1, 0, 8]])
    (extra,) = both.losses
    assert float(extra) == pytest.approx(0.5 * expected, rel=1e-4)
    np.testing.assert_allclose(logits, model(batch), atol=1e-5)
    assert both(batch).shape == (2, 2) and not both.losses
    both.compile("sgd", CrossEntropy(), run_eagerly=True)
    labels = np.array([0, 1], np.int32)
    task_loss = -np.log(softmax(np.asarray(model(batch))))[[0, 1], labels].mean()
    loss = both.train_on_batch(batch, labels)
    assert float(np.ravel(loss)[0]) == pytest.approx(task_loss + 0.5 * expected, rel=1e-4)


def test_auxiliary_language_model_needs_causal_attention():
    model = tfplm.from_config("bert-tiny", "sequence_classification", **TINY)
    with pytest.raises(ValueError, match="attention_type is 'full', but the auxiliary language model needs causal"):
        WithLanguageModel(model)

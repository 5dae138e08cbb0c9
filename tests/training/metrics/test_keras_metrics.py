"""The metrics for `compile` equal those of scikit-learn, over batches, weights, tokens and devices."""

import json
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from sklearn.metrics import f1_score, matthews_corrcoef

from tfplm.training.metrics import ClassificationMetrics, MacroF1, MatthewsCorrelation

RNG = np.random.default_rng(8)
LOGITS = RNG.normal(size=(40, 4)).astype("float32")
LABELS = np.where(RNG.random(40) < 0.5, LOGITS.argmax(-1), RNG.integers(0, 3, 40))
SCORES = {
    MacroF1: lambda labels, predicted, weights=None: f1_score(
        labels, predicted, average="macro", sample_weight=weights),
    MatthewsCorrelation: lambda labels, predicted, weights=None: matthews_corrcoef(
        labels, predicted, sample_weight=weights)}


@pytest.mark.parametrize("kind", SCORES)
def test_batches_and_weights(kind):
    metric, predicted, weights = kind(5), LOGITS.argmax(-1), RNG.random(40)
    logits = np.pad(LOGITS, ((0, 0), (0, 1)), constant_values=-9)  # a class that never occurs
    for start in range(0, 40, 9):
        metric.update_state(LABELS[start:start + 9, None], logits[start:start + 9])
    assert float(metric.result()) == pytest.approx(SCORES[kind](LABELS, predicted), abs=1e-6)
    metric.reset_state()
    assert float(metric.result()) == 0
    metric.update_state(LABELS, logits, weights)
    assert float(metric.result()) == pytest.approx(SCORES[kind](LABELS, predicted, weights), abs=1e-6)
    restored = kind.from_config(metric.get_config())
    assert restored.num_classes == 5 and restored.name == metric.name


@pytest.mark.parametrize("kind", SCORES)
def test_tokens_without_labels(kind):
    metric, logits, labels = kind(4), LOGITS.reshape(8, 5, 4), np.where(np.arange(40) % 3, LABELS, -100).reshape(8, 5)
    metric.update_state(labels, logits)
    kept = labels >= 0
    expected = SCORES[kind](labels[kept], logits.argmax(-1)[kept])
    assert float(metric.result()) == pytest.approx(expected, abs=1e-6)
    metric.update_state(labels, logits, np.zeros(8))
    assert float(metric.result()) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("jit", [False, True])
def test_compile_and_evaluate(jit):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Identity()])
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True),
                  metrics=[MacroF1(4), MatthewsCorrelation(4)], jit_compile=jit)
    result = model.evaluate(LOGITS, LABELS, batch_size=16, return_dict=True, verbose=0)
    host = ClassificationMetrics(4)
    host.update(LOGITS, LABELS)
    assert result["macro_f1"] == pytest.approx(host.result()["f1_macro"], abs=1e-6)
    assert result["matthews_correlation"] == pytest.approx(host.result()["mcc"], abs=1e-6)


def test_large_counts_are_exact():
    metric = MatthewsCorrelation(2)
    metric.matrix.assign([[3e8, 1e8], [2e8, 7e8]])
    metric.update_state([0], [[1.0, 0.0]])
    assert np.asarray(metric.matrix)[0, 0] == 3e8 + 1
    expected = (3e8 * 7e8 - 1e8 * 2e8) / np.sqrt(4e8 * 9e8) / np.sqrt(5e8 * 8e8)
    assert float(metric.result()) == pytest.approx(expected, rel=1e-6)


def test_wrong_number_of_classes():
    with pytest.raises(ValueError, match="the predictions have 4 scores each; expected num_classes = 3"):
        MacroF1(3).update_state(LABELS, LOGITS)


@pytest.mark.slow
def test_two_devices():
    program = Path(__file__).with_name("strategy_program.py")
    done = subprocess.run([sys.executable, str(program)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["replicas"] == 2
    for kind, name in ((MacroF1, "macro_f1"), (MatthewsCorrelation, "matthews_correlation")):
        expected = SCORES[kind](found["labels"], found["predictions"])
        assert found["result"][name] == pytest.approx(expected, abs=1e-6)
        assert found["history"][f"val_{name}"][-1] == pytest.approx(expected, abs=1e-6)

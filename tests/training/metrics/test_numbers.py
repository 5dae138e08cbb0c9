"""Metrics of classes, numbers and tags equal those of scikit-learn, SciPy and (stored results of) seqeval."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
import sklearn.metrics as reference

from tfplm.training.metrics import (
    ClassificationMetrics,
    Metrics,
    MultiLabelMetrics,
    PrecisionRecallCurves,
    RegressionMetrics,
    SpanMetrics,
)

GOLDEN = Path(__file__).parents[2] / "golden" / "spans" / "seqeval.json"
KINDS = ("precision", "recall", "f1")


def updated(metric, predictions, labels, batch: int = 7):
    for start in range(0, len(labels), batch):
        metric.update(predictions[start:start + batch], labels[start:start + batch])
    return metric.result()


def scores_of(labels, predictions, average, classes=None) -> tuple:
    return reference.precision_recall_fscore_support(labels, predictions, average=average, labels=classes,
                                                     zero_division=0)[:3]


@pytest.mark.parametrize("classes", [2, 5, 9])  # of 9 only 6 occur
def test_classification(classes):
    rng = np.random.default_rng(classes)
    labels = rng.integers(0, min(classes, 6), 101)
    predictions = np.where(rng.random(101) < 0.6, labels, rng.integers(0, min(classes, 5), 101))
    result = updated(ClassificationMetrics(classes), predictions, labels)
    assert result["accuracy"] == pytest.approx(reference.accuracy_score(labels, predictions))
    assert result["mcc"] == pytest.approx(reference.matthews_corrcoef(labels, predictions))
    for average in ("micro", "macro"):
        for name, expected in zip(KINDS, scores_of(labels, predictions, average)):
            assert result[f"{name}_{average}"] == pytest.approx(expected), name
    for name, row in zip(KINDS, scores_of(labels, predictions, None, range(classes))):
        assert [result[f"{name}/{index}"] for index in range(classes)] == pytest.approx(list(row))


def test_logits_ignored_labels_and_the_matrix():
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(4, 6, 3)), rng.integers(-1, 3, (4, 6))
    labels[0, 0] = -100
    metric = ClassificationMetrics(["体育", "娱乐", "科技"])
    result = updated(metric, logits, labels, batch=2)
    kept = labels >= 0
    expected = reference.confusion_matrix(labels[kept], logits.argmax(-1)[kept], labels=range(3))
    np.testing.assert_array_equal(metric.matrix, expected)
    assert metric.count == kept.sum() and "f1/体育" in result


@pytest.mark.filterwarnings("ignore:A single label")
@pytest.mark.parametrize(("labels", "predictions"), [([1, 1, 1], [1, 1, 1]), ([0, 1, 1], [1, 1, 1]), ([0, 0], [1, 1])])
def test_single_class(labels, predictions):
    result = updated(ClassificationMetrics(2), predictions, labels)
    assert result["mcc"] == 0 == reference.matthews_corrcoef(labels, predictions)
    assert result["f1_macro"] == pytest.approx(scores_of(labels, predictions, "macro")[2])


def test_multi_label():
    rng = np.random.default_rng(1)
    scores, labels = rng.random((53, 6)), rng.integers(0, 2, (53, 6))
    labels[:, 5] = 0
    labels[:20] = scores[:20] > 0.5
    result, hard = updated(MultiLabelMetrics(6), scores, labels), scores > 0.5
    assert result["subset_accuracy"] == pytest.approx(reference.accuracy_score(labels, hard))
    for average in ("micro", "macro"):
        for name, expected in zip(KINDS, scores_of(labels, hard, average)):
            assert result[f"{name}_{average}"] == pytest.approx(expected), name
    assert [result[f"f1/{index}"] for index in range(6)] == pytest.approx(list(scores_of(labels, hard, None)[2]))
    logits = np.log(scores / (1 - scores))
    assert updated(MultiLabelMetrics(6, threshold=0), logits, labels) == result


@pytest.mark.parametrize("ties", [False, True])
def test_regression(ties):
    rng = np.random.default_rng(2)
    labels = rng.integers(0, 6, 211) if ties else rng.normal(3, 2, 211)
    predictions = labels + rng.normal(size=211) + 1e4
    predictions = predictions.round() if ties else predictions
    result = updated(RegressionMetrics(), predictions[:, None], labels)
    assert result["pearson"] == pytest.approx(scipy.stats.pearsonr(predictions, labels)[0])
    assert result["spearman"] == pytest.approx(scipy.stats.spearmanr(predictions, labels)[0])
    assert result["mse"] == pytest.approx(reference.mean_squared_error(labels, predictions))
    assert result["mae"] == pytest.approx(reference.mean_absolute_error(labels, predictions))


def test_undefined_correlations_are_nan():
    for predictions in ([1.0, 1.0, 1.0], [1.0, np.nan, 2.0]):
        result = updated(RegressionMetrics(), predictions, [1, 2, 3])
        assert math.isnan(result["pearson"]) and math.isnan(result["spearman"])


def test_average_precision():
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 3, 400)
    logits = rng.normal(size=(400, 4)) + 2 * np.eye(4)[labels]
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    metric = PrecisionRecallCurves(["a", "b", "c", "never"])
    result = updated(metric, probabilities, labels)
    rounded = np.floor(probabilities * 1000)
    expected = [reference.average_precision_score(labels == index, rounded[:, index]) for index in range(3)]
    assert [result[f"average_precision/{name}"] for name in "abc"] == pytest.approx(expected)
    assert result["average_precision_macro"] == pytest.approx(np.mean(expected)) and len(metric.curves()) == 3
    precision, recall = metric.curves()["b"]
    precisions, recalls, _ = reference.precision_recall_curve(labels == 1, rounded[:, 1])
    np.testing.assert_allclose(recall[::-1], recalls[:-1])
    np.testing.assert_allclose(precision[::-1], precisions[:-1])
    many = PrecisionRecallCurves(4)
    many.update(probabilities, np.eye(4)[labels])
    assert list(many.result().values()) == pytest.approx(list(result.values()))


@pytest.mark.parametrize("scheme", ["iob", "ioe", "iobes", "bmes", "bilou"])
def test_spans(scheme):
    case = json.loads(GOLDEN.read_text(encoding="utf-8"))[scheme]
    result = updated(SpanMetrics(), case["predictions"], case["labels"])
    report = case["report"]
    assert result["accuracy"] == pytest.approx(case["accuracy"])
    assert result["f1_macro"] == pytest.approx(report["macro avg"]["f1-score"])
    for name in KINDS:
        theirs = "f1-score" if name == "f1" else name
        assert result[name] == pytest.approx(report["micro avg"][theirs]) and 0 < result[name] < 1
        for kind in set(report) - {"micro avg", "macro avg", "weighted avg"}:
            assert result[f"{name}/{kind}"] == pytest.approx(report[kind][theirs])


def test_no_spans():
    assert updated(SpanMetrics(), [["O", "O"]], [["O", "O"]]) == {"precision": 0, "recall": 0, "f1": 0, "f1_macro": 0,
                                                                  "accuracy": 1}


@pytest.mark.parametrize(("metric", "predictions", "labels", "message"), [
    (ClassificationMetrics(3), [0, 1], [0, 3], "a label is 3; expected a class id from 0 to 2"),
    (ClassificationMetrics(3), [-1, 1], [0, 1], "a prediction is -1; expected"),
    (ClassificationMetrics(3), [0, 1, 2], [0, 1], r"shape \(3,\), the labels \(2,\)"),
    (MultiLabelMetrics(3), [[0, 1]], [[0, 1]], r"expected \[examples, 3 classes\]"),
    (RegressionMetrics(), [1, 2], [1], "2 predictions for 1 labels"),
    (SpanMetrics(), [["O"]], [["O", "O"]], "1 predicted tags, but 2 labels"),
    (PrecisionRecallCurves(2), [[3.0, -1.0]], [0], "between -1 and 3; expected probabilities: apply softmax"),
    (PrecisionRecallCurves(2), [0.5], [0], "expected probabilities"),
])
def test_errors(metric, predictions, labels, message):
    with pytest.raises(ValueError, match=message):
        metric.update(predictions, labels)
    with pytest.raises(ValueError, match="has no labelled example; expected at least one"):
        metric.result()


def test_the_base_is_abstract():
    with pytest.raises(TypeError, match="abstract"):
        Metrics().update([], [])

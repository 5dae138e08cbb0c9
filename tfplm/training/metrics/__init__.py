"""Measures of a model's predictions, streaming: `metric.update(predictions, labels)` per batch, then `metric.result()`.

They run on the host in NumPy, so that they do not care how the predictions were made. Accuracies, F1 and correlations
lie in 0 ... 1 (-1 ... 1); the measures of texts (questions, BLEU, ROUGE) in 0 ... 100, as they are published.
For `compile(metrics=[...])` there is `tfplm.training.metrics.keras_metrics`.
"""

from tfplm.core.lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(__name__, {
    "BleuMetrics": ".bleu",
    "ClassificationMetrics": ".classification",
    "Metrics": ".streaming",
    "MultiLabelMetrics": ".multi_label",
    "PrecisionRecallCurves": ".curves",
    "QuestionMetrics": ".questions",
    "RegressionMetrics": ".regression",
    "RougeMetrics": ".rouge",
    "SpanMetrics": ".tagging",
    "MacroF1": ".keras_metrics",
    "MatthewsCorrelation": ".keras_metrics",
})

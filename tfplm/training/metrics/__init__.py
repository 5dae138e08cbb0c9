"""Streaming metrics: `metric.update(predictions, labels)` for each batch, then `metric.result()`.

They run on the host in NumPy, so the predictions can come from any model. Accuracy and F1 are between 0 and 1,
correlations between -1 and 1; the metrics of texts (answers, BLEU, ROUGE) are between 0 and 100, as published.
For `compile(metrics=[...])` use the metrics of `tfplm.training.metrics.keras_metrics`.
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

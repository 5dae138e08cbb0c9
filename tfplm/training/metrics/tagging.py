"""Metrics of spans in tagged sentences, such as named entities."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from tfplm.data.tasks.spans import spans_of
from tfplm.training.metrics.streaming import Metrics, check_lengths, named, precision_recall_f1


class SpanMetrics(Metrics):
    """Metrics of spans, which are correct if type, start and end are (CoNLL shared tasks); equal to those of seqeval.

    Results: `precision`, `recall`, `f1` (micro), `f1_macro` (mean over the types that occur), `accuracy` (of the tags),
    and `precision/TYPE`, `recall/TYPE`, `f1/TYPE`.
    """

    def __init__(self):
        self.correct, self.predicted, self.actual = Counter(), Counter(), Counter()
        self.count = self.equal = 0

    def update(self, predictions: Sequence[Sequence[str]], labels: Sequence[Sequence[str]]) -> None:
        """Adds sentences, each as the tags of its words, in any scheme of `tfplm.data.tasks.spans`."""
        check_lengths(predictions, labels)
        for tags, expected_tags in zip(predictions, labels):
            if len(tags) != len(expected_tags):
                raise ValueError(f"a sentence has {len(tags)} predicted tags, but {len(expected_tags)} labels; "
                                 "expected one of each for every word")
            predicted, actual = set(spans_of(tags)), set(spans_of(expected_tags))
            for counter, spans in ((self.correct, predicted & actual), (self.predicted, predicted),
                                   (self.actual, actual)):
                counter.update(kind for kind, _, _ in spans)
            self.equal += sum(a == b for a, b in zip(tags, expected_tags))
            self.count += len(expected_tags)

    def measures(self) -> dict[str, float]:
        kinds = sorted(self.predicted | self.actual)
        counts = [np.array([counter[kind] for kind in kinds], np.int64)
                  for counter in (self.correct, self.predicted, self.actual)]
        names = ("precision", "recall", "f1")
        rows = dict(zip(names, precision_recall_f1(*counts)))
        micro = dict(zip(names, precision_recall_f1(*(count.sum() for count in counts))))
        return {**micro, "f1_macro": rows["f1"].mean() if kinds else 0.0, "accuracy": self.equal / self.count,
                **named(rows, kinds)}

"""Spans in tagged sentences: named entities and the like."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from tfplm.data.tasks.spans import spans_of
from tfplm.training.metrics.streaming import Metrics, check_lengths, named, precision_recall_f1


class SpanMetrics(Metrics):
    """Measures of whole spans, type, begin and end being right (the CoNLL shared tasks); equal to seqeval's.

    Results: `precision`, `recall`, `f1` (micro), `f1_macro` (mean over the types that occur), `accuracy` (of the tags),
    and `precision/TYPE`, `recall/TYPE`, `f1/TYPE`.
    """

    def __init__(self):
        self.correct, self.predicted, self.actual = Counter(), Counter(), Counter()
        self.count = self.equal = 0

    def update(self, predictions: Sequence[Sequence[str]], labels: Sequence[Sequence[str]]) -> None:
        """Tags of the words of some sentences, in any scheme of `tfplm.data.tasks.spans`."""
        check_lengths(predictions, labels)
        for guess, gold in zip(predictions, labels):
            if len(guess) != len(gold):
                raise ValueError(f"a sentence has {len(guess)} predicted tags, but {len(gold)} right ones: expected one "
                                 "for each word")
            guessed, right = set(spans_of(guess)), set(spans_of(gold))
            for counter, spans in ((self.correct, guessed & right), (self.predicted, guessed), (self.actual, right)):
                counter.update(kind for kind, _, _ in spans)
            self.equal += sum(a == b for a, b in zip(guess, gold))
            self.count += len(gold)

    def measures(self) -> dict[str, float]:
        kinds = sorted(self.predicted | self.actual)
        counts = [np.array([counter[kind] for kind in kinds], np.int64)
                  for counter in (self.correct, self.predicted, self.actual)]
        names = ("precision", "recall", "f1")
        rows = dict(zip(names, precision_recall_f1(*counts)))
        micro = dict(zip(names, precision_recall_f1(*(count.sum() for count in counts))))
        return {**micro, "f1_macro": rows["f1"].mean() if kinds else 0.0, "accuracy": self.equal / self.count,
                **named(rows, kinds)}

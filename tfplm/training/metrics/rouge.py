"""ROUGE of summaries, computed with rouge-score."""

import re
from collections.abc import Sequence
from typing import Literal

import numpy as np

from tfplm.training.metrics.streaming import Metrics, check_lengths

KINDS = {"rouge_1": "rouge1", "rouge_2": "rouge2", "rouge_l": "rougeL"}
# a run of Latin letters or digits, or one letter of any other script: Chinese has no spaces between words
_UNITS = re.compile(r"[a-z0-9]+|[^\W_]")


class CharacterTokenizer:
    """A tokenizer for `rouge_score`: Chinese characters, and whole words and numbers in Latin script."""

    def tokenize(self, text: str) -> list[str]:
        return _UNITS.findall(text.lower())


class RougeMetrics(Metrics):
    """ROUGE-1, ROUGE-2 and ROUGE-L (Lin 2004): the mean over examples of precision, recall and F1, in percent.

    Args:
        units: "words": the tokens of rouge-score, of English letters and digits only; "characters": for Chinese.
        stem: compare the Porter stems of words of more than three letters ("words" only).

    Results: F1 as `rouge_1`, `rouge_2`, `rouge_l`; precision and recall as the same names with `_precision` and
    `_recall` appended. Of several references the one with the best F1 counts. ROUGE-L treats the text as one sequence.
    """

    def __init__(self, units: Literal["words", "characters"] = "words", stem: bool = False):
        if units not in ("words", "characters"):
            raise ValueError(f"units is {units!r}; expected 'words' or 'characters'")
        try:
            from rouge_score.rouge_scorer import RougeScorer
        except ImportError:
            raise ImportError("ROUGE needs rouge-score: pip install rouge-score") from None
        tokenizer = CharacterTokenizer() if units == "characters" else None
        self._scorer = RougeScorer(list(KINDS.values()), use_stemmer=stem, tokenizer=tokenizer)
        self.sums, self.count = np.zeros((len(KINDS), 3)), 0

    def update(self, predictions: Sequence[str], labels: Sequence[str | Sequence[str]]) -> None:
        """Adds summaries, and one or several references for each."""
        check_lengths(predictions, labels)
        for prediction, references in zip(predictions, labels):
            references = [references] if isinstance(references, str) else list(references)
            scores = self._scorer.score_multi(references, prediction)
            self.sums += [(scores[kind].fmeasure, scores[kind].precision, scores[kind].recall)
                          for kind in KINDS.values()]
            self.count += 1

    def measures(self) -> dict[str, float]:
        means = 100 * self.sums / self.count
        return {f"{name}{suffix}": means[row, column] for row, name in enumerate(KINDS)
                for column, suffix in enumerate(("", "_precision", "_recall"))}

"""ROUGE of summaries, by rouge-score."""

import re
from collections.abc import Sequence
from typing import Literal

import numpy as np

from tfplm.training.metrics.streaming import Metrics, check_lengths

KINDS = {"rouge_1": "rouge1", "rouge_2": "rouge2", "rouge_l": "rougeL"}
# a run of Latin letters or digits, or one letter of any other script: Chinese has no blanks between words
_UNITS = re.compile(r"[a-z0-9]+|[^\W_]")


class CharacterTokenizer:
    """Chinese by characters, and Western words and numbers whole; for `rouge_score`."""

    def tokenize(self, text: str) -> list[str]:
        return _UNITS.findall(text.lower())


class RougeMetrics(Metrics):
    """ROUGE-1, ROUGE-2 and ROUGE-L (Lin 2004): the mean over examples of precision, recall and F1, in percent.

    Args:
        units: "words": rouge-score's own tokens, of English letters and digits only; "characters": for Chinese.
        stem: whether words of more than three letters count by Porter's stem ("words" only).

    Results: `rouge_1`, `rouge_2`, `rouge_l` are the F1; with `_precision` and `_recall` behind, the others. Of several
    right summaries the one that is best by F1 counts. ROUGE-L is of the text as one sequence.
    """

    def __init__(self, units: Literal["words", "characters"] = "words", stem: bool = False):
        if units not in ("words", "characters"):
            raise ValueError(f"units is {units!r}; expected 'words' or 'characters'")
        try:
            from rouge_score.rouge_scorer import RougeScorer
        except ImportError:
            raise ImportError("ROUGE needs rouge-score: pip install 'tfplm[metrics]'") from None
        tokenizer = CharacterTokenizer() if units == "characters" else None
        self._scorer = RougeScorer(list(KINDS.values()), use_stemmer=stem, tokenizer=tokenizer)
        self.sums, self.count = np.zeros((len(KINDS), 3)), 0

    def update(self, predictions: Sequence[str], labels: Sequence[str | Sequence[str]]) -> None:
        """Summaries, and for each the right one or several."""
        check_lengths(predictions, labels)
        for prediction, references in zip(predictions, labels):
            references = [references] if isinstance(references, str) else list(references)
            scores = self._scorer.score_multi(references, prediction)
            self.sums += [(scores[kind].fmeasure, scores[kind].precision, scores[kind].recall)
                          for kind in KINDS.values()]
            self.count += 1

    def measures(self) -> dict[str, float]:
        means = 100 * self.sums / self.count
        return {f"{name}{ending}": means[row, column] for row, name in enumerate(KINDS)
                for column, ending in enumerate(("", "_precision", "_recall"))}

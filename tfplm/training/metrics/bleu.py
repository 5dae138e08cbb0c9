"""BLEU of translations, computed with sacrebleu."""

from collections.abc import Sequence

import numpy as np

from tfplm.training.metrics.streaming import Metrics, check_lengths

ORDERS = 4


class BleuMetrics(Metrics):
    """Corpus BLEU (Papineni et al. 2002; Post 2018), equal to `sacrebleu.corpus_bleu`; only n-gram counts are stored.

    Args:
        tokenize: tokenizer of sacrebleu: "13a" (English, German, ...), "zh" for Chinese targets, "char", "intl",
            "none", ...
        lowercase: ignore case.

    Results: `bleu` (0 to 100), `precision_1` to `precision_4` (percent), `brevity_penalty`, `length_ratio`.
    """

    def __init__(self, tokenize: str = "13a", lowercase: bool = False):
        try:
            from sacrebleu.metrics import BLEU
        except ImportError:
            raise ImportError("BLEU needs sacrebleu: pip install sacrebleu") from None
        self._bleu = BLEU(tokenize=tokenize, lowercase=lowercase, effective_order=True)
        self.correct, self.total = np.zeros((2, ORDERS), np.int64)
        self.count = self.length = self.reference_length = 0

    def update(self, predictions: Sequence[str], labels: Sequence[str | Sequence[str]]) -> None:
        """Adds translations, and one or several references for each."""
        check_lengths(predictions, labels)
        for prediction, references in zip(predictions, labels):
            references = [references] if isinstance(references, str) else list(references)
            score = self._bleu.sentence_score(prediction, references)
            self.correct += score.counts
            self.total += score.totals
            self.length += score.sys_len
            self.reference_length += score.ref_len
            self.count += 1

    def measures(self) -> dict[str, float]:
        score = self._bleu.compute_bleu(self.correct.tolist(), self.total.tolist(), int(self.length),
                                        int(self.reference_length), smooth_method="exp")
        precisions = {f"precision_{order}": value for order, value in enumerate(score.precisions, start=1)}
        return {"bleu": score.score, **precisions, "brevity_penalty": score.bp,
                "length_ratio": self.length / max(self.reference_length, 1)}

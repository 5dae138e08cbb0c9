"""Exact match and F1 of extractive question answering, as defined by SQuAD 1.1, SQuAD 2 and CMRC 2018."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from tfplm.training.metrics.answers import cmrc_scores, normalize_answer, squad2_scores, squad_scores
from tfplm.training.metrics.streaming import Metrics, check_lengths

DEFINITIONS = {"squad": squad_scores, "squad2": squad2_scores, "cmrc": cmrc_scores}


class QuestionMetrics(Metrics):
    """Exact match and F1: for each question the maximum over its reference answers; the mean in percent.

    Args:
        definition: "squad": SQuAD 1.1 (Rajpurkar et al. 2016, section 6.1); "squad2": Rajpurkar et al. 2018, with
            unanswerable questions; "cmrc": CMRC 2018 (Cui et al. 2019), for Chinese.

    Results: `exact_match`, `f1`; for "cmrc" also their mean, `average`; for "squad2" also `has_answer_exact_match`,
    `has_answer_f1`, `no_answer_accuracy`, and, if the updates had no-answer scores, `best_exact_match` and `best_f1`:
    the maximum over all thresholds above which the prediction is "no answer"; those thresholds are
    `best_exact_match_threshold` and `best_f1_threshold`.
    """

    def __init__(self, definition: Literal["squad", "squad2", "cmrc"] = "squad"):
        if definition not in DEFINITIONS:
            raise ValueError(f"definition is {definition!r}; expected one of {', '.join(DEFINITIONS)}")
        self.definition, self.count = definition, 0
        self.rows: list[tuple[float, float, bool, bool]] = []  # exact, F1, has an answer, was answered
        self.no_answer_scores: list[float] = []

    def update(self, predictions: Sequence[str | None], labels: Sequence[Sequence[str]],
               no_answer_scores: Sequence[float] | None = None) -> None:
        """Adds a batch.

        Args:
            predictions: texts of the answers; "" predicts that there is no answer, None is a missing prediction, which
                scores 0.
            labels: the reference answers of each question; for "squad2" none if the question is unanswerable.
            no_answer_scores: scores of there being no answer, higher for more certain; `predictions` are then the
                model's best texts.
        """
        check_lengths(predictions, labels)
        score = DEFINITIONS[self.definition]
        for prediction, answers in zip(predictions, labels):
            answers = [answers] if isinstance(answers, str) else list(answers)
            if self.definition == "squad2":
                answers = [answer for answer in answers if normalize_answer(answer)]
            has_answer = bool(answers)
            if not answers and self.definition != "squad2":
                raise ValueError(f"a question has no reference answer; expected at least one, as the definition is "
                                 f"{self.definition!r}; for unanswerable questions use 'squad2'")
            scores = [score(prediction, answer) for answer in answers or [""]] if prediction is not None else [(0, 0)]
            exact, f1 = (max(values) for values in zip(*scores))
            self.rows.append((exact, f1, has_answer, bool(prediction)))
        self.count += len(labels)
        if no_answer_scores is not None:
            check_lengths(no_answer_scores, labels)
            self.no_answer_scores += map(float, no_answer_scores)

    def measures(self) -> dict[str, float]:
        rows = np.array(self.rows, np.float64)
        exact, f1, has_answer = 100 * rows[:, 0], 100 * rows[:, 1], rows[:, 2] > 0
        result = {"exact_match": exact.mean(), "f1": f1.mean()}
        if self.definition == "cmrc":
            result["average"] = (exact.mean() + f1.mean()) / 2
        if self.definition == "squad2":
            if has_answer.any():
                result |= {"has_answer_exact_match": exact[has_answer].mean(), "has_answer_f1": f1[has_answer].mean()}
            if not has_answer.all():
                result["no_answer_accuracy"] = exact[~has_answer].mean()
            result |= self._best(exact, f1, rows[:, 3] > 0, has_answer)
        return result

    def _best(self, exact, f1, answered, has_answer) -> dict[str, float]:
        """The best scores over all thresholds of the no-answer scores, as in the evaluation script of SQuAD 2."""
        if len(self.no_answer_scores) != self.count:
            if self.no_answer_scores:
                raise ValueError(f"there are {len(self.no_answer_scores)} no-answer scores for {self.count} questions; "
                                 "expected one for each, or none: pass them to every update or to none")
            return {}
        scores, result = np.array(self.no_answer_scores), {}
        order = np.argsort(scores, kind="stable")
        for name, values in (("exact_match", exact), ("f1", f1)):
            gains = np.where(has_answer, values, np.where(answered, -100.0, 0.0))[order]
            # with a threshold below all scores, every prediction is "no answer"; each step answers one more question
            totals = 100.0 * (~has_answer).sum() + np.concatenate([[0.0], gains.cumsum()])
            best = int(totals.argmax())
            result[f"best_{name}"] = totals[best] / self.count
            result[f"best_{name}_threshold"] = scores[order[best - 1]] if best else 0.0
        return result

"""Extractive question answering, as SQuAD 1.1, SQuAD 2 and CMRC 2018 define it."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from tfplm.training.metrics.answers import cmrc_scores, normalised, squad2_scores, squad_scores
from tfplm.training.metrics.streaming import Metrics, check_lengths

DEFINITIONS = {"squad": squad_scores, "squad2": squad2_scores, "cmrc": cmrc_scores}


class QuestionMetrics(Metrics):
    """Exact match and F1, per question the best over its right answers, in percent of all questions.

    Args:
        definition: "squad": SQuAD 1.1 (Rajpurkar et al. 2016, section 6.1); "squad2": Rajpurkar et al. 2018, with
            questions that have no answer; "cmrc": CMRC 2018 (Cui et al. 2019), for Chinese.

    Results: `exact_match`, `f1`; for "cmrc" also their mean, `average`; for "squad2" also `has_answer_exact_match`,
    `has_answer_f1`, `no_answer_accuracy`, and, if the updates had scores, `best_exact_match`, `best_f1` with
    `best_exact_match_threshold`, `best_f1_threshold`: what saying "no answer" above that score would give.
    """

    def __init__(self, definition: Literal["squad", "squad2", "cmrc"] = "squad"):
        if definition not in DEFINITIONS:
            raise ValueError(f"definition is {definition!r}; expected one of {', '.join(DEFINITIONS)}")
        self.definition, self.count = definition, 0
        self.rows: list[tuple[float, float, bool, bool]] = []  # exact, F1, has an answer, was answered
        self.no_answer_scores: list[float] = []

    def update(self, predictions: Sequence[str | None], labels: Sequence[Sequence[str]],
               no_answer_scores: Sequence[float] | None = None) -> None:
        """
        Args:
            predictions: the answers' texts; "" says that there is no answer, None that none was made (counts 0).
            labels: the right answers of each question; of SQuAD 2 none where there is no answer.
            no_answer_scores: how sure the model is that there is no answer; `predictions` are then its best texts.
        """
        check_lengths(predictions, labels)
        score = DEFINITIONS[self.definition]
        for prediction, answers in zip(predictions, labels):
            answers = [answers] if isinstance(answers, str) else list(answers)
            if self.definition == "squad2":
                answers = [answer for answer in answers if normalised(answer)]
            has_answer = bool(answers)
            if not answers and self.definition != "squad2":
                raise ValueError(f"a question has no right answer; expected one at least, as the definition is "
                                 f"{self.definition!r} (questions without an answer: 'squad2')")
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
        """The best score that a threshold on the no-answer scores gives, as SQuAD 2's evaluation searches it."""
        if len(self.no_answer_scores) != self.count:
            if self.no_answer_scores:
                raise ValueError(f"{len(self.no_answer_scores)} no-answer scores for {self.count} questions: give them "
                                 "with every update or with none")
            return {}
        scores, result = np.array(self.no_answer_scores), {}
        order = np.argsort(scores, kind="stable")
        for name, values in (("exact_match", exact), ("f1", f1)):
            gains = np.where(has_answer, values, np.where(answered, -100.0, 0.0))[order]
            # below all scores everything is "no answer"; each next question is answered
            totals = 100.0 * (~has_answer).sum() + np.concatenate([[0.0], gains.cumsum()])
            best = int(totals.argmax())
            result[f"best_{name}"] = totals[best] / self.count
            result[f"best_{name}_threshold"] = scores[order[best - 1]] if best else 0.0
        return result

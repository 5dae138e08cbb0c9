"""Extractive question answering: the answer is a span of the context (Devlin et al. 2019, sections 4.2 and 4.3)."""

import dataclasses
from collections.abc import Sequence

import keras
import numpy as np

from tfplm.adapt.finetune.losses import CrossEntropy
from tfplm.adapt.tasks.task import Task
from tfplm.data.tasks.answers import AnswerSettings, find_answers
from tfplm.data.tasks.examples import QuestionExample
from tfplm.data.tasks.windows import WindowSettings, question_windows
from tfplm.training.metrics import QuestionMetrics

_WINDOW_KEYS = ("context_begin", "context_first", "context_length", "null")


class QuestionAnswering(Task):
    """Predicts the first and the last token of the answer, in windows over the context.

    If the training data have questions without an answer (SQuAD 2.0), the answer can be empty. A prediction has
    `answer` (an exact substring of the context), `start` (the index of its first character, -1 for an empty answer),
    `probability`, and if `settings.n_best` is above 1, `n_best`, a list of such dicts.
    """

    name, kind, head, monitor = "question-answering", "question", "question_answering", "f1"
    targets, shown, per_token = ("start", "end", *_WINDOW_KEYS), ("exact_match", "f1"), True

    def learn(self, examples: Sequence[QuestionExample]) -> None:
        if not any(example.answers or example.impossible for example in examples):
            raise ValueError(f"{examples[0].origin}: no question has an answer; expected answers for training: use a "
                             "labelled file")
        if any(example.impossible for example in examples):
            self.settings = dataclasses.replace(self.settings, null_answers=True)

    def features(self, examples: Sequence[QuestionExample], labelled: bool) -> list[dict]:
        settings = self.settings
        return question_windows(examples, self.tokenizer, WindowSettings(
            settings.max_length, settings.stride, min(settings.max_query_length, settings.max_length // 3)), labelled)

    def split(self, batch: dict) -> tuple:
        for name in _WINDOW_KEYS:
            batch.pop(name)
        y = {name: batch.pop(name) for name in ("start", "end")}
        weights = np.full(len(y["start"]), 0.5, np.float32)  # the loss is the mean of both, as in BERT
        return batch, y, {"start": weights, "end": weights}

    def loss(self, model: keras.Model):
        return {name: CrossEntropy(self.settings.label_smoothing) for name in ("start", "end")}

    def decode(self, outputs, features, examples, model) -> list[dict]:
        settings = AnswerSettings(self.settings.max_answer_length, max(self.settings.n_best, 20),
                                  self.settings.min_null_gap if self.settings.null_answers else None)
        found = find_answers([row["start"] for row in outputs], [row["end"] for row in outputs], features, examples,
                             self.tokenizer, settings)
        predictions = []
        for answer in found:
            row = {"answer": answer.text, "start": answer.start, "probability": answer.probability}
            if self.settings.null_answers:
                row["null_gap"] = answer.null_gap
            if self.settings.n_best > 1:
                row["n_best"] = [{"answer": other.text, "start": other.start, "probability": other.probability}
                                 for other in answer.candidates[:self.settings.n_best]]
            predictions.append(row)
        return predictions

    @property
    def definition(self) -> str:
        """The definition of the scores: CMRC's for Chinese, SQuAD 2.0's if answers may be empty, else SQuAD 1.1's."""
        if self.settings.language == "zh":
            return "cmrc"
        return "squad2" if self.settings.null_answers else "squad"

    def score(self, predictions, examples) -> dict[str, float]:
        """`exact_match` and `f1` by the definition, as percentages of all questions."""
        metric = QuestionMetrics(self.definition)
        metric.update([row["answer"] for row in predictions],
                      [[answer.text for answer in example.answers] for example in examples])
        return metric.result()

"""Extractive question answering: the answer is a span of the context (Devlin et al. 2019, sections 4.2, 4.3)."""

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

_PLACES = ("context_begin", "context_first", "context_length", "null")


class QuestionAnswering(Task):
    """The first and the last token of the answer, in windows over the context.

    Where training has questions without an answer (SQuAD 2.0), the empty answer is one of the possible ones. A
    prediction: `answer` (of the context, character by character), `start` (its first character, -1 for none),
    `probability`, and with `settings.n_best` above 1 the list `n_best` of such dicts.
    """

    name, kind, head, monitor = "question-answering", "question", "question_answering", "f1"
    targets, shown, per_token = ("start", "end", *_PLACES), ("exact_match", "f1"), True

    def learn(self, examples: Sequence[QuestionExample]) -> None:
        if not any(example.answers or example.impossible for example in examples):
            raise ValueError(f"{examples[0].origin}: no question has an answer; they are needed for training")
        if any(example.impossible for example in examples):
            self.settings = dataclasses.replace(self.settings, null_answers=True)

    def features(self, examples: Sequence[QuestionExample], labelled: bool) -> list[dict]:
        settings = self.settings
        return question_windows(examples, self.tokenizer, WindowSettings(
            settings.max_length, settings.stride, min(settings.max_query_length, settings.max_length // 3)), labelled)

    def split(self, batch: dict) -> tuple:
        for name in _PLACES:
            batch.pop(name)
        y = {name: batch.pop(name) for name in ("start", "end")}
        weights = np.full(len(y["start"]), 0.5, np.float32)  # the loss is the mean of both, as BERT's
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
        """Whose definition of the scores counts: CMRC's for Chinese, SQuAD 2's where answers may be empty."""
        if self.settings.language == "zh":
            return "cmrc"
        return "squad2" if self.settings.null_answers else "squad"

    def score(self, predictions, examples) -> dict[str, float]:
        """`exact_match` and `f1` of the definition, in percent of all questions."""
        metric = QuestionMetrics(self.definition)
        metric.update([row["answer"] for row in predictions],
                      [[answer.text for answer in example.answers] for example in examples])
        return metric.result()

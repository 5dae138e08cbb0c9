"""Classification, multi-label classification and regression of texts and pairs (Devlin et al. 2019, section 4.1)."""

import abc
import dataclasses
from collections import Counter
from collections.abc import Sequence

import keras
import numpy as np

from tfplm.adapt.finetune.losses import BinaryCrossEntropy, CrossEntropy, SquaredError
from tfplm.adapt.tasks.encoding import encode_pairs, gpt_frame
from tfplm.adapt.tasks.task import Task, require_labels
from tfplm.data.batches.batching import padded
from tfplm.data.tasks.examples import TextExample
from tfplm.data.tasks.labels import LabelMap
from tfplm.summaries import confusion_image, precision_recall_image
from tfplm.training.metrics import ClassificationMetrics, MultiLabelMetrics, PrecisionRecallCurves, RegressionMetrics

_TEXTS_AT_ONCE = 2048


class TextTask(Task):
    """Base class of the tasks on texts; a feature is one text or pair."""

    kind, head, targets = "text", "sequence_classification", ("label",)

    def features(self, examples: Sequence[TextExample], labelled: bool) -> list[dict]:
        if labelled:
            require_labels(examples)
        features = []
        for start in range(0, len(examples), _TEXTS_AT_ONCE):
            part = examples[start:start + _TEXTS_AT_ONCE]
            pairs = [example.pair for example in part]
            paired = any(pair is not None for pair in pairs)
            sides = [[example.text for example in part], [pair or "" for pair in pairs] if paired else None]
            rows = self._rows(*sides)
            if paired and self.settings.both_orders:
                rows = [_stacked(row, other) for row, other in zip(rows, self._rows(*sides[::-1]))]
            for index, row in enumerate(rows):
                feature = {**row, "example": np.int32(start + index)}
                features.append(feature | ({"label": self.target(part[index])} if labelled else {}))
        return features

    def _rows(self, texts: list[str], pairs: list[str] | None) -> list[dict]:
        batch = encode_pairs(self.tokenizer, texts, pairs, self.settings.max_length, gpt_frame(self.tokenizer))
        return [{"input_ids": ids, "token_type_ids": types}
                for ids, types in zip(batch["input_ids"], batch["token_type_ids"])]

    def learn(self, examples: Sequence[TextExample]) -> None:
        require_labels(examples)
        self.settings = dataclasses.replace(self.settings, pairs=any(example.pair is not None for example in examples))

    @abc.abstractmethod
    def target(self, example: TextExample) -> np.ndarray:
        """The label of an example, in the form that the loss expects."""


class Classification(TextTask):
    """Predicts one class for a text or pair. A prediction has `label` and `probabilities` (a dict, largest first)."""

    name, monitor, shown = "classification", "accuracy", ("accuracy", "f1_macro", "mcc", "loss")

    def learn(self, examples: Sequence[TextExample]) -> None:
        super().learn(examples)
        self.labels = LabelMap.learn((example.label for example in examples), known=self.labels)
        if len(self.labels) < 2:
            raise ValueError(f"all {len(examples)} training examples have the label {self.labels.names[0]!r}; expected "
                             "two or more labels: check --label-column")
        counts = Counter(example.label for example in examples)
        self._weights = np.ones(len(self.labels.names), np.float32)
        if self.settings.class_weights == "balanced":
            self._weights = np.array([len(examples) / (len(counts) * counts[name]) if counts[name] else 0.0
                                      for name in self.labels.names], np.float32)

    def target(self, example: TextExample) -> np.ndarray:
        return np.int32(self.labels.id(example.label, example.origin))

    def split(self, batch: dict) -> tuple:
        y = batch.pop("label")
        return batch, y, self._weights[y]

    def loss(self, model: keras.Model):
        return CrossEntropy(self.settings.label_smoothing)

    def metrics(self) -> list:
        return [keras.metrics.SparseCategoricalAccuracy("accuracy")]

    def decode(self, outputs, features, examples, model) -> list[dict]:
        names = self.labels.names
        predictions = []
        for logits in outputs:
            probabilities = softmax(logits)
            order = np.argsort(-probabilities, kind="stable")
            predictions.append({"label": names[order[0]],
                                "probabilities": {names[index]: float(probabilities[index]) for index in order}})
        return predictions

    def score(self, predictions, examples) -> dict[str, float]:
        """`accuracy`, `mcc`, P/R/F1 (micro, macro, per class), `loss` in nats. A label that was not in the training
        data counts as an error."""
        require_labels(examples)
        known = self.labels.ids
        unseen = sorted({example.label for example in examples} - set(known))
        metric = ClassificationMetrics([*self.labels.names, *unseen])
        ids = known | {name: len(known) + index for index, name in enumerate(unseen)}
        metric.update([ids[prediction["label"]] for prediction in predictions], [ids[e.label] for e in examples])
        likelihoods = [prediction["probabilities"].get(example.label, 0.0)
                       for prediction, example in zip(predictions, examples)]
        return {**metric.result(), "loss": float(-np.log(np.maximum(likelihoods, 1e-12)).mean())}

    def pictures(self, predictions, examples) -> dict[str, np.ndarray]:
        names, ids = self.labels.names, self.labels.ids
        metric, curves = ClassificationMetrics(names), PrecisionRecallCurves(names)
        rows = [(prediction, ids[example.label]) for prediction, example in zip(predictions, examples)
                if example.label in ids]
        if not rows:
            return {}
        labels = [label for _, label in rows]
        metric.update([ids[prediction["label"]] for prediction, _ in rows], labels)
        curves.update(np.array([[prediction["probabilities"][name] for name in names] for prediction, _ in rows]),
                      np.array(labels))
        return {"confusion": confusion_image(metric.matrix, names),
                "precision_recall": precision_recall_image(curves.curves())}


class MultiLabel(TextTask):
    """Predicts any number of classes for a text. A prediction has `labels`, the classes with a probability above 0.5,
    and `probabilities`."""

    name, monitor, shown = "multi-label", "f1_micro", ("f1_micro", "f1_macro", "subset_accuracy")

    def learn(self, examples: Sequence[TextExample]) -> None:
        super().learn(examples)
        self.labels = LabelMap.learn((name for example in examples for name in example.label), known=self.labels)

    def config_changes(self) -> dict:
        return {**super().config_changes(), "problem_type": "multi_label_classification"}

    def target(self, example: TextExample) -> np.ndarray:
        return self._indicators(example).astype(np.float32)

    def _indicators(self, example: TextExample) -> np.ndarray:
        row = np.zeros(len(self.labels.names), np.int32)
        row[[self.labels.id(name, example.origin) for name in example.label]] = 1
        return row

    def loss(self, model: keras.Model):
        return BinaryCrossEntropy()

    def decode(self, outputs, features, examples, model) -> list[dict]:
        names = self.labels.names
        rows = [dict(zip(names, (1 / (1 + np.exp(-logits.astype(float)))).tolist())) for logits in outputs]
        return [{"labels": [name for name, value in row.items() if value > 0.5], "probabilities": row} for row in rows]

    def _table(self, predictions, examples) -> tuple[np.ndarray, np.ndarray]:
        scores = np.array([[row["probabilities"][name] for name in self.labels.names] for row in predictions])
        return scores, np.array([[name in example.label for name in self.labels.names] for example in examples])

    def score(self, predictions, examples) -> dict[str, float]:
        """Subset accuracy and P/R/F1 (micro, macro, per class). A label that was not in the training data counts as an
        error."""
        require_labels(examples)
        unseen = sorted({name for example in examples for name in example.label} - set(self.labels.names))
        metric = MultiLabelMetrics([*self.labels.names, *unseen])
        scores, truth = self._table(predictions, examples)
        missed = np.array([[name in example.label for name in unseen] for example in examples], bool)
        metric.update(np.pad(scores, ((0, 0), (0, len(unseen)))), np.concatenate([truth, missed], 1))
        return metric.result()

    def pictures(self, predictions, examples) -> dict[str, np.ndarray]:
        curves = PrecisionRecallCurves(self.labels.names)
        curves.update(*self._table(predictions, examples))
        return {"precision_recall": precision_recall_image(curves.curves())}


class Regression(TextTask):
    """Predicts a number for a text or pair. A prediction has `value`."""

    name, monitor, shown, num_labels = "regression", "spearman", ("pearson", "spearman", "mse"), 1

    def config_changes(self) -> dict:
        return {"problem_type": "regression", "id2label": None}

    def learn(self, examples: Sequence[TextExample]) -> None:
        super().learn(examples)
        if len(numbers := {example.label for example in examples}) < 2:
            raise ValueError(f"all {len(examples)} training examples have the number {min(numbers):g}; expected two or more "
                             "numbers: check --label-column")

    def init_head(self, head, features) -> None:
        """Initializes a new head to predict the mean of the labels; if that is far from 0, the small learning rates of
        fine-tuning would hardly reach it."""
        bias = head.classifier.bias
        if bias is not None and not keras.ops.convert_to_numpy(bias).any():
            bias.assign([np.mean([feature[self.targets[0]] for feature in features])])

    def target(self, example: TextExample) -> np.ndarray:
        return np.float32(example.label)

    def loss(self, model: keras.Model):
        return SquaredError()

    def decode(self, outputs, features, examples, model) -> list[dict]:
        return [{"value": float(logits[0])} for logits in outputs]

    def score(self, predictions, examples) -> dict[str, float]:
        """Pearson and Spearman correlation, mean squared and absolute error."""
        require_labels(examples)
        metric = RegressionMetrics()
        metric.update([row["value"] for row in predictions], [float(example.label) for example in examples])
        return metric.result()


def _stacked(row: dict, other: dict) -> dict:
    """Stacks two versions of a text, `[T]` each, to one feature `[2,T]`."""
    width = max(len(row["input_ids"]), len(other["input_ids"]))
    both = {key: padded([row[key], other[key]], width) for key in row}
    return both | {"attention_mask": padded([np.ones(len(one["input_ids"]), np.int32) for one in (row, other)], width)}


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities along the last axis."""
    values = np.exp(logits.astype(np.float64) - logits.max(-1, keepdims=True))
    return values / values.sum(-1, keepdims=True)

"""Tagging of words: spans such as names, chunks or words (Devlin et al. 2019, section 5.3), or parts of speech."""

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from tfplm.adapt.finetune.losses import CRFLoss, CrossEntropy
from tfplm.adapt.tasks.task import Task, require_labels
from tfplm.adapt.tasks.texts import softmax
from tfplm.core.rounding import round_up
from tfplm.data.batches.batching import padded
from tfplm.data.batches.by_length import by_length
from tfplm.data.tasks.alignment import join_tags, join_words, tagging_features
from tfplm.data.tasks.examples import TaggedExample
from tfplm.data.tasks.labels import LabelMap
from tfplm.data.tasks.spans import make_spans, spans_of
from tfplm.training.metrics import ClassificationMetrics, SpanMetrics

_ROWS = 64  # sentences that the CRF decodes together


class Tagging(Task):
    """Predicts a tag for the first piece of each word, with a softmax for each tag or a CRF over all (`settings.crf`).

    A prediction has `tags`, one per word, and `spans`, dicts of `type`, `text`, `begin`, `end` (word indices, `end`
    exclusive) and `probability`, the mean probability of the span's tags. Tags that do not form spans (`NN`, `VB`) are
    scored word by word, and have `probabilities` instead of `spans`.
    """

    name, kind, head, targets = "tagging", "tagging", "token_classification", ("tag_ids", "tag_mask", "first_of_word")
    token_targets, per_token = ("tag_ids", "tag_mask"), True
    _field = None, None  # the CRF, and the graph that decodes with it

    def learn(self, examples: Sequence[TaggedExample]) -> None:
        require_labels(examples, "tags")
        self.labels = LabelMap.learn({tag for example in examples for tag in example.tags}, known=self.labels)
        make_spans(self.labels.names)  # raises ValueError for invalid tags
        if len(self.labels) < 2:
            raise ValueError(f"all words of the training data have the tag {self.labels.names[0]!r}; expected two or more "
                             "tags: check --tag-column")

    @property
    def of_spans(self) -> bool:
        return make_spans(self.labels.names)

    @property
    def monitor(self) -> str:
        return "f1" if self.of_spans else "accuracy"

    @property
    def shown(self) -> tuple[str, ...]:
        return ("f1", "precision", "recall", "accuracy") if self.of_spans else ("accuracy", "f1_macro")

    def config_changes(self) -> dict:
        return {**super().config_changes(), "crf": self.settings.crf}

    def features(self, examples: Sequence[TaggedExample], labelled: bool) -> list[dict]:
        settings = self.settings
        return tagging_features(examples, self.tokenizer, settings.max_length,
                                min(settings.stride, settings.max_length // 4), self.labels if labelled else None)

    def split(self, batch: dict) -> tuple:
        batch.pop("first_of_word")
        tags, mask = batch.pop("tag_ids"), batch.pop("tag_mask")
        if self.settings.crf:  # the label plus 1, 0 for no label
            return batch, (tags + 1) * mask, np.ones(len(tags), np.float32)
        # Keras divides by the number of positions: the weights make it a mean over the words of the whole batch
        return batch, tags, (mask * (mask.size / max(mask.sum(), 1))).astype(np.float32)

    def loss(self, model: keras.Model):
        return CRFLoss(model.head.crf) if self.settings.crf else CrossEntropy(self.settings.label_smoothing)

    def outputs(self, model, features, inference, progress=None) -> list:
        """For each feature the ids of its tags and their probabilities, `[T]` each."""
        logits = inference(features, self.targets, progress, self.per_token)
        if not self.settings.crf:
            return [(row.argmax(-1), softmax(row).max(-1)) for row in logits]
        return self._decode_field(model.head.crf, logits, features)

    def _decode_field(self, crf, logits: list, features: list[dict]) -> list:
        if self._field[0] is not crf:  # traced once, not in each evaluation
            self._field = crf, tf.function(lambda x, mask: (crf.decode(x, mask)[0], crf.marginals(x, mask)),
                                           autograph=False, reduce_retracing=True)
        call = self._field[1]
        results = [None] * len(logits)
        for part in by_length([len(row) for row in logits], _ROWS, longest_first=False):
            width = round_up(len(logits[part[-1]]), 16)
            x = np.zeros((len(part), width, len(self.labels)), np.float32)
            for row, index in enumerate(part):
                x[row, :len(logits[index])] = logits[index]
            mask = padded([(features[index]["first_of_word"] > 0).astype(np.int32) for index in part], width)
            tags, marginals = (value.numpy() for value in call(tf.constant(x), tf.constant(mask)))
            for row, index in enumerate(part):
                length = len(logits[index])
                chosen = tags[row, :length]
                results[index] = chosen, np.take_along_axis(marginals[row, :length], chosen[:, None], 1)[:, 0]
        return results

    def decode(self, outputs, features, examples, model) -> list[dict]:
        tags = join_tags([ids for ids, _ in outputs], features, examples, self.labels)
        probabilities = join_words([values.astype(np.float32) for _, values in outputs], features,
                                   [len(example.words) for example in examples], 1.0)
        if not self.of_spans:
            return [{"tags": list(row), "probabilities": values.tolist()} for row, values in zip(tags, probabilities)]
        predictions = []
        for row, values, example in zip(tags, probabilities, examples):
            spans = [{"type": kind, "text": join_text(example.words[start:end]), "begin": start, "end": end,
                      "probability": float(values[start:end].mean())} for kind, start, end in spans_of(row)]
            predictions.append({"tags": list(row), "spans": spans})
        return predictions

    def score(self, predictions, examples) -> dict[str, float]:
        """Precision, recall and F1 of whole spans, in total and per type, and accuracy of the tags, as in seqeval. For
        tags that do not form spans, the scores of `ClassificationMetrics`."""
        require_labels(examples, "tags")
        if not self.of_spans:
            pairs = [pair for row, example in zip(predictions, examples) for pair in zip(row["tags"], example.tags)]
            labels = LabelMap.learn((label for _, label in pairs), known=self.labels)  # unseen labels count as errors
            metric = ClassificationMetrics(labels.names)
            metric.update(*np.array([[labels.ids[tag] for tag in pair] for pair in pairs], np.int32).reshape(-1, 2).T)
            return metric.result()
        metric = SpanMetrics()
        metric.update([row["tags"] for row in predictions], [example.tags for example in examples])
        return metric.result()


def join_text(words: Sequence[str]) -> str:
    """Joins words to a text, with spaces between them, but not next to a Chinese character."""
    text = ""
    for word in words:
        space = text and word and text[-1] < "\u2e80" and word[0] < "\u2e80"
        text += (" " if space else "") + word
    return text

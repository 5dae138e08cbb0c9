"""Multiple choice: the most probable of several continuations (Radford et al. 2018, section 3.3; Devlin et al. 2019,
section 4.4)."""

from collections.abc import Sequence

import keras
import numpy as np

from tfplm.adapt.finetune.losses import ChoiceCrossEntropy
from tfplm.adapt.tasks.encoding import encode_pairs, gpt_frame
from tfplm.adapt.tasks.task import Task, require_labels
from tfplm.adapt.tasks.texts import softmax
from tfplm.data.batches.batching import padded
from tfplm.data.tasks.examples import ChoiceExample
from tfplm.training.metrics import ClassificationMetrics


class MultipleChoice(Task):
    """Each choice forms a row together with the text; the softmax is over the choices. A prediction has `choice` (its
    index), `text` and `probabilities`."""

    name, kind, head, monitor, targets = "multiple-choice", "choice", "multiple_choice", "accuracy", ("label",)
    shown = ("accuracy",)

    def features(self, examples: Sequence[ChoiceExample], labelled: bool) -> list[dict]:
        if labelled:
            require_labels(examples)
        most = max((len(example.choices) for example in examples), default=0)
        features, frame = [], gpt_frame(self.tokenizer)
        for index, example in enumerate(examples):
            batch = encode_pairs(self.tokenizer, [example.text] * len(example.choices), list(example.choices),
                                 self.settings.max_length, frame)
            batch["attention_mask"] = [np.ones(len(ids), np.int32) for ids in batch["input_ids"]]
            # all examples get the same number of choices: missing ones have one token, and are never correct
            extra = [np.ones(1, np.int32)] * (most - len(example.choices))
            width = max(map(len, batch["input_ids"]))
            keys = ("input_ids", "token_type_ids", "attention_mask")
            feature = {key: padded([*batch[key], *extra], width) for key in keys}
            feature |= {"example": np.int32(index), "choices": np.int32(len(example.choices))}
            features.append(feature | ({"label": np.int32(example.label)} if labelled else {}))
        return features

    def split(self, batch: dict) -> tuple:
        y = np.stack([batch.pop("label"), batch.pop("choices")], 1)
        return batch, y, np.ones(len(y), np.float32)

    def outputs(self, model, features, inference, progress=None) -> list:
        return inference(features, ("choices", *self.targets), progress)

    def loss(self, model: keras.Model):
        return ChoiceCrossEntropy(self.settings.label_smoothing)

    def decode(self, outputs, features, examples, model) -> list[dict]:
        predictions = []
        for logits, example in zip(outputs, examples):
            probabilities = softmax(logits[:len(example.choices)])
            choice = int(probabilities.argmax())
            predictions.append({"choice": choice, "text": example.choices[choice],
                                "probabilities": probabilities.tolist()})
        return predictions

    def score(self, predictions, examples) -> dict[str, float]:
        """The `accuracy`."""
        require_labels(examples)
        metric = ClassificationMetrics(max(len(example.choices) for example in examples))
        metric.update([row["choice"] for row in predictions], [example.label for example in examples])
        return {"accuracy": metric.result()["accuracy"]}

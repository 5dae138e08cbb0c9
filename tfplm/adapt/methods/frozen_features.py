"""Training of a head on features of a frozen model that are computed only once, so that epochs take seconds."""

from collections.abc import Mapping

import keras
import numpy as np

from tfplm.adapt.finetune.inference import Inference
from tfplm.data.batches.batching import Pad, collate
from tfplm.models.model import PretrainedModel
from tfplm.training.loop.wrapper import TrainingModel

STATE = "state"  # key of a feature: the index of its hidden states


class FrozenFeatures(TrainingModel):
    """The head (and pooler) of a model on hidden states that `remember` has computed, without dropout.

    In addition to the usual keys, its batches have `states` float32 `[B,T,H]`, which `add_states` adds; if the head
    uses only the first token, only that one is kept, `[B,1,H]`. Memory: 4 bytes x H x number of tokens (or texts).

    Raises ValueError for multiple choice, encoder-decoders, and models without pre-training (TextCNN, BiLSTM).
    """

    def __init__(self, model: PretrainedModel, pads: Mapping[str, Pad] | None = None):
        if not model.heads_read_states or model.head_name == "multiple_choice":
            raise ValueError(f"--train features was given for {model.config.model_type} with the head "
                             f"{model.head_name}; expected an encoder or decoder, and a task with texts, tags or "
                             "answers: use --train head")
        super().__init__(model, "frozen_features")
        self._states = []
        pooling = model.config.classifier_pooling
        self._first_only = model.head_name == "sequence_classification" and pooling in ("pooler", "first")
        self._inference = Inference(model, pads, lambda batch: model.features(batch)["sequence_output"])

    def remember(self, features: list[dict], skip: tuple[str, ...] = (), progress=None) -> None:
        """Computes the hidden states of features, and adds their indices. skip: keys that are not model inputs."""
        states = self._inference(features, skip, progress, per_token=True)
        for feature, state in zip(features, states):
            feature[STATE] = np.int32(len(self._states))
            self._states.append(np.array(state[:1] if self._first_only else state, np.float32))

    def add_states(self, batch: dict, rng: np.random.Generator | None = None) -> dict:
        """The batch with `states` instead of their indices."""
        rows = [self._states[index] for index in batch.pop(STATE)]
        width = 1 if self._first_only else batch["input_ids"].shape[1]
        states = np.zeros((len(rows), width, rows[0].shape[-1]), np.float32)
        for index, row in enumerate(rows):
            states[index, :len(row)] = row
        return {**batch, "states": states}

    def call(self, batch, training=False):
        batch = dict(batch)
        states = keras.ops.cast(batch.pop("states"), self.compute_dtype)
        features = {"sequence_output": states}
        if self.inner.pooler is not None:
            features["pooled_output"] = self.inner.pool(states)
        return self.inner.head(features, batch, training=training)


def collate_states(model: FrozenFeatures):
    """The `collate` function for an `Inference` of a `FrozenFeatures`."""
    return lambda examples, width, pads: model.add_states(collate(examples, width, pads))

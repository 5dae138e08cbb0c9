"""Training a head on features of a frozen model that are computed once: later epochs then cost seconds."""

from collections.abc import Mapping

import keras
import numpy as np

from tfplm.adapt.finetune.inference import Inference
from tfplm.data.batches.batching import Pad, collate
from tfplm.models.model import PretrainedModel
from tfplm.training.loop.wrapper import TrainingModel

STATE = "state"  # a feature's key: the number of its hidden states


class FrozenFeatures(TrainingModel):
    """The head (and pooler) of a model over hidden states that `remember` has computed, without dropout.

    Its batches have, beside the usual keys, `states` float32 `[B,T,H]`, which `add_states` puts there; where the head
    looks at the first token only, only that is kept, `[B,1,H]`. Memory: 4 bytes x H x tokens (or texts).

    Raises ValueError for multiple choice, encoder-decoders, and models without pre-training (TextCNN, BiLSTM).
    """

    def __init__(self, model: PretrainedModel, pads: Mapping[str, Pad] | None = None):
        if not model.heads_read_states or model.head_name == "multiple_choice":
            raise ValueError("features of the frozen model work for encoders and decoders, with texts, tags and "
                             "answers; choose --train head here")
        super().__init__(model, "frozen_features")
        self._states = []
        pooling = model.config.classifier_pooling
        self._first_only = model.head_name == "sequence_classification" and pooling in ("pooler", "first")
        self._inference = Inference(model, pads, lambda batch: model.features(batch)["sequence_output"])

    def remember(self, features: list[dict], skip: tuple[str, ...] = (), progress=None) -> None:
        """Computes the hidden states of features, and numbers these. skip: keys that the model does not take."""
        states = self._inference(features, skip, progress, per_token=True)
        for feature, state in zip(features, states):
            feature[STATE] = np.int32(len(self._states))
            self._states.append(np.array(state[:1] if self._first_only else state, np.float32))

    def add_states(self, batch: dict, rng: np.random.Generator | None = None) -> dict:
        """The batch with `states` in place of their numbers."""
        rows = [self._states[number] for number in batch.pop(STATE)]
        width = 1 if self._first_only else batch["input_ids"].shape[1]
        states = np.zeros((len(rows), width, rows[0].shape[-1]), np.float32)
        for place, row in enumerate(rows):
            states[place, :len(row)] = row
        return {**batch, "states": states}

    def call(self, batch, training=False):
        batch = dict(batch)
        states = keras.ops.cast(batch.pop("states"), self.compute_dtype)
        features = {"sequence_output": states}
        if self.inner.pooler is not None:
            features["pooled_output"] = self.inner.pool(states)
        return self.inner.head(features, batch, training=training)


def collate_states(model: FrozenFeatures):
    """`collate` for an `Inference` of such a model."""
    return lambda examples, width, pads: model.add_states(collate(examples, width, pads))

"""A model's outputs for many features, quickly: sorted by length, in batches of about as many tokens each."""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from tfplm.data.batching import Batching, collate
from tfplm.training.progress import Line

_BATCHING = Batching(batch_tokens=8192, multiple=8)


class Inference:
    """`Inference(model)(features)` -> the outputs of each feature, in their order, in NumPy.

    The model is traced once; what comes later with other shapes needs no new trace.

    Args:
        model: whose outputs for a batch `[B,T]` are a tensor or dict of tensors `[B,...]`.
        pad: the id of padding.
        call: in place of the model, a function of the batch.
        collate: makes a batch of features, as `tfplm.data.batching.collate` does.
    """

    def __init__(self, model: keras.Model, pad: int = 0, call: Callable | None = None, collate: Callable = collate):
        self.pad, self._collate = pad, collate
        self._model, self._traced = call or (lambda batch: model(batch, training=False)), {}

    def __call__(self, features: list[dict], skip: tuple[str, ...] = (), progress: Line | None = None,
                 per_token: bool = False) -> list:
        """skip: keys of the features that the model does not take, beside `example`. per_token: the outputs are
        `[B,T,...]`, and each is cut to its row's length."""
        order = sorted(range(len(features)), key=lambda place: -np.shape(features[place]["input_ids"])[-1])
        outputs, done = [None] * len(features), 0
        while done < len(order):
            longest = np.shape(features[order[done]]["input_ids"])
            rows = max(_BATCHING.batch_tokens // (_BATCHING.width(longest[-1]) * max(1, np.prod(longest[:-1]))), 1)
            part = order[done:done + int(rows)]
            examples = [{key: value for key, value in features[place].items() if key not in (*skip, "example")}
                        for place in part]
            batch = self._collate(examples, _BATCHING.width(longest[-1]), self.pad)
            result = self._call(batch)
            result = tf.nest.map_structure(lambda x: x.numpy(), result)
            for row, place in enumerate(part):
                length = np.shape(features[place]["input_ids"])[-1] if per_token else None
                outputs[place] = tf.nest.map_structure(lambda x, at=(row, slice(length)): x[at[0]][at[1]] if per_token
                                                       else x[at[0]], result)
            done += len(part)
            if progress is not None:
                progress.advance(done, {}, lambda done=done: {"examples": done})
        return outputs

    def _call(self, batch: dict[str, np.ndarray]):
        """The model's outputs, by a graph for batches of these keys and of any sizes."""
        kind = tuple((key, value.ndim, value.dtype.name) for key, value in batch.items())
        if kind not in self._traced:
            sizes = {key: tf.TensorSpec([None] * value.ndim, value.dtype) for key, value in batch.items()}
            self._traced[kind] = tf.function(self._model, input_signature=[sizes])
        return self._traced[kind]({key: tf.convert_to_tensor(value) for key, value in batch.items()})

"""A model's outputs for many features, quickly: sorted by length, in batches of about as many tokens each."""

import math
from collections.abc import Callable, Iterator, Mapping

import keras
import numpy as np
import tensorflow as tf

from tfplm.data.batches.batch_source import open_specs
from tfplm.data.batches.batching import Batching, Pad, collate
from tfplm.data.batches.by_length import by_length
from tfplm.training.loop.progress import Line

_BATCHING = Batching(multiple=8)
_BATCH_TOKENS = 8192


class Inference:
    """`Inference(model)(features)` -> the outputs of each feature, in their order, in NumPy.

    The model is traced once; what comes later with other shapes needs no new trace.

    Args:
        model: whose outputs for a batch `[B,T]` are a tensor or dict of tensors `[B,...]`.
        pads: how the features are padded, as in `collate`.
        call: in place of the model, a function of the batch.
        collate: makes a batch of features, as `tfplm.data.batches.batching.collate` does.
    """

    def __init__(self, model: keras.Model, pads: Mapping[str, Pad] | None = None, call: Callable | None = None,
                 collate: Callable = collate):
        self.pads, self._collate = pads, collate
        self._model, self._traced = call or (lambda batch: model(batch, training=False)), {}

    def __call__(self, features: list[dict], skip: tuple[str, ...] = (), progress: Line | None = None,
                 per_token: bool = False) -> list:
        """skip: keys of the features that the model does not take, beside `example`. per_token: the outputs are
        `[B,T,...]`, and each is cut to its row's length."""
        outputs = [None] * len(features)
        for part, width in inference_batches(features, _BATCH_TOKENS, progress):
            examples = [{key: value for key, value in features[place].items() if key not in (*skip, "example")}
                        for place in part]
            result = tf.nest.map_structure(lambda x: x.numpy(), self._call(self._collate(examples, width, self.pads)))
            for row, place in enumerate(part):
                length = np.shape(features[place]["input_ids"])[-1] if per_token else None
                outputs[place] = tf.nest.map_structure(lambda x, at=(row, slice(length)): x[at[0]][at[1]] if per_token
                                                       else x[at[0]], result)
        return outputs

    def _call(self, batch: dict[str, np.ndarray]):
        """The model's outputs, by a graph for batches of these keys and of any sizes."""
        kind = tuple((key, value.ndim, value.dtype.name) for key, value in batch.items())
        if kind not in self._traced:
            self._traced[kind] = tf.function(self._model, input_signature=[open_specs(batch)], autograph=False)
        return self._traced[kind]({key: tf.convert_to_tensor(value) for key, value in batch.items()})


def inference_batches(features: list[dict], batch_tokens: int, progress: Line | None = None
                      ) -> Iterator[tuple[np.ndarray, int]]:
    """(indices of the features of a batch, its width): the longest first, of about `batch_tokens` tokens each."""
    shapes = [np.shape(feature["input_ids"]) for feature in features]  # [T], or [C,T] in multiple choice

    def rows(left: np.ndarray) -> int:
        *versions, longest = shapes[left[0]]
        return batch_tokens // (_BATCHING.width(longest) * max(1, math.prod(versions)))

    done = 0
    for part in by_length([shape[-1] for shape in shapes], rows):
        yield part, _BATCHING.width(shapes[part[0]][-1])
        done += len(part)
        if progress is not None:
            progress.advance(done, {}, lambda done=done: {"examples": done})

"""Fast inference over many features: sorted by length, in batches with a similar number of tokens."""

import math
from collections.abc import Callable, Iterator, Mapping

import keras
import numpy as np
import tensorflow as tf

from tfplm.data.batches.batch_source import open_specs
from tfplm.data.batches.batching import Batching, Pad, collate
from tfplm.data.batches.by_length import by_length
from tfplm.layers.kernels.recurring import RecurringShapes
from tfplm.models.model import PretrainedModel
from tfplm.models.portable.cache import Backend
from tfplm.models.portable.session import Session
from tfplm.models.portable.signatures import as_model_output, portable_model
from tfplm.training.loop.progress import Line

_BATCHING = Batching(multiple=8)
_BATCH_TOKENS = 8192


class Inference:
    """`Inference(model)(features)` -> the outputs for each feature, as NumPy arrays, in the order of the features.

    The model is traced once for all batch shapes.

    Args:
        model: a model whose outputs for a batch `[B,T]` are a tensor or dict of tensors `[B,...]`.
        pads: the padding of the features, as in `collate`.
        call: a function of the batch to use instead of the model.
        collate: a function that makes a batch of features, like `tfplm.data.batches.batching.collate`.
        session: an exported form of the model to run instead of it, see `task_session`.
    """

    def __init__(self, model: keras.Model, pads: Mapping[str, Pad] | None = None, call: Callable | None = None,
                 collate: Callable = collate, session: Session | None = None):
        self.pads, self._collate, self._session, self._head = pads, collate, session, getattr(model, "head_name", None)
        self._model, self._traced = call or (lambda batch: model(batch, training=False)), {}
        self._dtype = getattr(model, "compute_dtype", None)

    def __call__(self, features: list[dict], skip: tuple[str, ...] = (), progress: Line | None = None,
                 per_token: bool = False) -> list:
        """skip: keys of the features that are not inputs of the model, in addition to `example`. per_token: the outputs
        are `[B,T,...]`, and padding is removed from them."""
        outputs = [None] * len(features)
        for part, width in inference_batches(features, _BATCH_TOKENS, progress):
            examples = [{key: value for key, value in features[index].items() if key not in (*skip, "example")}
                        for index in part]
            result = self._run(self._collate(examples, width, self.pads))
            for row, index in enumerate(part):
                length = np.shape(features[index]["input_ids"])[-1] if per_token else None
                outputs[index] = tf.nest.map_structure(lambda x, at=(row, slice(length)): x[at[0]][at[1]] if per_token
                                                       else x[at[0]], result)
        return outputs

    def _run(self, batch: dict[str, np.ndarray]):
        """The model's outputs as NumPy arrays."""
        if self._session is not None:
            return as_model_output(self._head, self._session(batch))
        return tf.nest.map_structure(lambda x: x.numpy(), self._call(batch))

    def _call(self, batch: dict[str, np.ndarray]):
        """The model's outputs, from a graph that takes batches with these keys and any sizes."""
        kind = tuple((key, value.ndim, value.dtype.name) for key, value in batch.items())
        if kind not in self._traced:
            settings = {"input_signature": [open_specs(batch)], "autograph": False}
            self._traced[kind] = RecurringShapes(tf.function(self._model, **settings),
                                                 tf.function(self._model, jit_compile=True, **settings), self._dtype)
        shape = tuple(value.shape for value in batch.values())
        return self._traced[kind](shape, {key: tf.convert_to_tensor(value) for key, value in batch.items()})


def task_session(model: PretrainedModel, backend: Backend | None, versions: bool = False) -> Session | None:
    """The model with its head, exported for a backend; None without one.

    versions: batches have ids `[B,K,T]`, of texts in K versions. Raises ValueError for a head that writes texts.
    """
    if backend is None:
        return None
    if model.head_name in ("causal_lm", "seq2seq_lm"):
        raise ValueError(f"the model writes texts (its head: {model.head_name}), which the backend {backend.name} cannot; "
                         "expected a model that classifies, tags, chooses or finds answers: use the backend tensorflow")
    return backend.open(f"head {model.head_name} {versions}", lambda: portable_model(model, versions))


def inference_batches(features: list[dict], batch_tokens: int, progress: Line | None = None
                      ) -> Iterator[tuple[np.ndarray, int]]:
    """(indices of the features of a batch, its width), longest first, with about `batch_tokens` tokens in each."""
    shapes = [np.shape(feature["input_ids"]) for feature in features]  # [T], or [C,T] for multiple choice

    def rows(left: np.ndarray) -> int:
        *versions, longest = shapes[left[0]]
        return batch_tokens // (_BATCHING.width(longest) * max(1, math.prod(versions)))

    done = 0
    for part in by_length([shape[-1] for shape in shapes], rows):
        yield part, _BATCHING.width(shapes[part[0]][-1])
        done += len(part)
        if progress is not None:
            progress.advance(done, {}, lambda done=done: {"examples": done})

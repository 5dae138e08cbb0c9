"""The forward pass from token ids to pooled vectors: one TensorFlow graph for all shapes, without unused layers."""

import numpy as np
import tensorflow as tf

from tfplm.embed.encoder.pooling import Pooling, PoolingPlan, combine_layers, pool
from tfplm.embed.encoder.single_texts import LONGEST, Ownership, SingleTexts
from tfplm.layers.kernels.recurring import RecurringShapes
from tfplm.models.model import PretrainedModel
from tfplm.models.portable.cache import Backend
from tfplm.models.portable.portable import Portable
from tfplm.models.portable.signatures import weight_bytes

_ROWS = tf.TensorSpec([None, None], tf.int32)
_SIGNATURE = {"input_ids": _ROWS, "token_type_ids": _ROWS, "position_ids": _ROWS, "sequence_ids": _ROWS,
              "token_index": _ROWS, "lengths": tf.TensorSpec([None], tf.int32)}
_VECTORS = "sentence_embedding"


def can_pack(model: PretrainedModel, plan: PoolingPlan) -> bool:
    """Returns True if texts may share a row, that is, if only the mask and given or relative positions separate them.

    False with `mask_cls_sep`: an empty text would have no token to attend to, and would attend to its neighbors.
    """
    return (model.can_pack and plan.strategies[0] not in (Pooling.CLASSIFICATION, Pooling.REGRESSION)
            and not plan.mask_cls_sep)


def hidden_states(model: PretrainedModel, batch: dict, plan: PoolingPlan, training: bool = False):
    """The combined hidden states of the plan's layers: `[B,T,H]` (k concatenated layers: `[B,T,kH]`)."""
    layers = plan.resolve(model.config.num_hidden_layers)
    depth = max(layers)
    last = layers == (model.config.num_hidden_layers,)
    keywords = {"training": training, "taps": () if last else ("hidden_states",)}
    if model.can_exit_early and depth < model.config.num_hidden_layers:
        keywords["depth"] = depth  # layers above it are not computed
    features = model.features(batch, **keywords)
    if last:
        return features["sequence_output"]
    states = tuple(features["hidden_states"])
    return combine_layers(states + (None,) * (model.config.num_hidden_layers + 1 - len(states)), plan)


def head_outputs(model: PretrainedModel, batch: dict, strategy: Pooling):
    """For `CLS_POOLED` `[B,H]`, for `CLASSIFICATION` probabilities `[B,num_labels]`, for `REGRESSION` `[B,1]`."""
    if strategy is Pooling.CLS_POOLED:
        return tf.cast(model.features(batch)["pooled_output"], tf.float32)
    logits = tf.cast(model(batch, training=False), tf.float32)
    return tf.nn.softmax(logits) if strategy is Pooling.CLASSIFICATION else tf.sigmoid(logits)


def check_model(model: PretrainedModel, plan: PoolingPlan) -> None:
    """Raises ValueError if the model lacks layers, a pooler or a head that the pooling needs."""
    strategy = plan.strategies[0]
    plan.resolve(model.config.num_hidden_layers)
    if model.is_seq2seq:
        raise ValueError("the model is an encoder-decoder; expected an encoder for sentence vectors: load the model "
                         "with architecture='encoder'")
    if strategy is Pooling.CLS_POOLED and model.pooler is None:
        raise ValueError(f"{model.name} {'has the head ' + model.head_name if model.head_name else 'has no pooler'}; "
                         "expected a model with a pooler for CLS_POOLED: use REDUCE_MEAN or FIRST_TOKEN")
    if strategy in (Pooling.CLASSIFICATION, Pooling.REGRESSION):
        if model.head_name != "sequence_classification":
            raise ValueError(f"the head is {model.head_name!r}; expected 'sequence_classification' for "
                             f"{strategy.name}: load the model with this head, or use another pooling")
        if strategy is Pooling.REGRESSION and model.num_labels != 1:
            raise ValueError(f"the head has {model.num_labels} outputs; expected 1 for REGRESSION: use CLASSIFICATION, "
                             "or num_labels=1")


class EncodeFunction:
    """`encode(batch)`: the arrays of `rows.assemble` -> float32 vectors, one for each text, in a single graph.

    All shapes share one trace; the graph's fused parts are compiled once per shape, which is why `rows.pack_texts`
    makes few shapes. Short single texts have a separate program, see `SingleTexts`.

    With a `backend`, the same graph is exported once, and run by another program.
    """

    def __init__(self, model: PretrainedModel, plan: PoolingPlan, ownership: Ownership, backend: Backend | None = None):
        check_model(model, plan)
        self.model, self.plan, self.packs = model, plan, can_pack(model, plan)
        forward = self._packed if self.packs else self._padded
        self._graph = tf.function(forward, autograph=False, input_signature=[_SIGNATURE])
        self._call = self.single_texts = self._session = None
        if backend is not None:
            self._session = backend.open(f"vectors {plan}", lambda: Portable(
                lambda batch: {_VECTORS: forward(batch)}, _SIGNATURE, (_VECTORS,), tf.int32, weight_bytes(model),
                model.config))
        elif self.packs:
            self._call = RecurringShapes(self._graph, self._program(), model.compute_dtype)
            self.single_texts = SingleTexts(model, self._packed, ownership)

    def __call__(self, batch: dict[str, np.ndarray]) -> np.ndarray:
        if self._session is not None:
            return self._session(batch)[_VECTORS]
        rows, width = batch["input_ids"].shape
        if self.packs and rows == 1 and len(batch["lengths"]) == 1 and width <= LONGEST:
            vectors = self.single_texts(batch)
            if vectors is not None:  # for pooling NONE, they are as wide as the program
                return vectors[:, :batch["token_index"].shape[1]] if self.plan.of_tokens else vectors
        tensors = {name: tf.constant(batch[name]) for name in _SIGNATURE}
        return (self._call((rows, width), tensors) if self._call else self._graph(tensors)).numpy()

    def _program(self):
        """The graph with all layers as one XLA program. The pooling, whose shapes vary, is not part of it."""
        layers = tf.function(self._layers, autograph=False, jit_compile=True)
        return tf.function(lambda batch: self._pooled(layers(batch), batch), autograph=False, input_signature=[_SIGNATURE])

    @property
    def traces(self) -> int:
        """The number of times that the graph was traced."""
        return self._graph.experimental_get_tracing_count()

    def _packed(self, batch: dict):
        return self._pooled(self._layers(batch), batch)

    def _layers(self, batch: dict):
        ids = batch["sequence_ids"]
        mine = (ids[:, :, None] == ids[:, None, :]) & (ids[:, None, :] > 0)  # [R,W,W]
        inputs = {name: batch[name] for name in ("input_ids", "token_type_ids", "position_ids")}
        return hidden_states(self.model, {**inputs, "attention_mask": tf.cast(mine, tf.int32)}, self.plan)

    def _pooled(self, hidden, batch: dict):
        tokens = tf.gather(tf.reshape(hidden, [-1, hidden.shape[-1]]), batch["token_index"])  # [S,L,H]
        if self.plan.strategies[0] is Pooling.CLS_POOLED:
            return tf.cast(self.model.pool(tokens), tf.float32)
        mask = tf.sequence_mask(batch["lengths"], tf.shape(batch["token_index"])[1])
        return pool(tokens, mask, self.plan.strategies)

    def _padded(self, batch: dict):
        mask = batch["sequence_ids"]  # with one text per row: 1 for tokens, 0 for padding
        if self.plan.mask_cls_sep:
            columns, count = tf.range(tf.shape(mask)[1])[None], tf.reduce_sum(mask, axis=1, keepdims=True)
            mask = mask * tf.cast((columns > 0) & (columns != count - 1), tf.int32)
        inputs = {"input_ids": batch["input_ids"], "token_type_ids": batch["token_type_ids"], "attention_mask": mask}
        if self.plan.of_model:
            return head_outputs(self.model, inputs, self.plan.strategies[0])[:tf.shape(batch["lengths"])[0]]
        hidden = hidden_states(self.model, inputs, self.plan)
        if self.plan.mask_cls_sep:
            width = tf.shape(batch["token_index"])[1]
            texts = tf.shape(batch["lengths"])[0]
            return pool(hidden[:texts, :width], mask[:texts, :width], self.plan.strategies)
        return self._pooled(hidden, batch)

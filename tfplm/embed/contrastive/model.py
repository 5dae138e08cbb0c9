"""An encoder together with a contrastive loss, as one Keras model: `compile(optimizer)`, then `fit`."""

import keras
import tensorflow as tf

from tfplm.embed.contrastive.losses import LOSSES
from tfplm.embed.encoder.pooling import OF_MODEL, Pooling, PoolingPlan, pool
from tfplm.embed.encoder.program import check_model, hidden_states
from tfplm.layers.dense import Dense
from tfplm.layers.initializers import kernel_initializer
from tfplm.models.model import PretrainedModel
from tfplm.training.loop.wrapper import TrainingModel


class Contrastive(TrainingModel):
    """Trains `model`, in place, so that similar texts have similar vectors.

    Batches are dicts with `input_ids`, `attention_mask`, `token_type_ids` int32 `[B,K,T]`, K texts per example, `texts`
    int64 `[B,K]`, equal numbers for equal texts, and if the loss needs scores, `labels` float32 `[B]`.

    Args:
        model: an encoder without a head.
        plan: the pooling that makes its vectors, in training and in use.
        loss: a key of `LOSSES`.
        temperature: the temperature of the loss.
    """

    def __init__(self, model: PretrainedModel, plan: PoolingPlan, loss: str, temperature: float = 0.05):
        check_model(model, plan)
        if plan.of_tokens or (plan.of_model and plan.strategies[0] is not Pooling.CLS_POOLED):
            raise ValueError(f"the pooling is {plan.strategies[0].name}, which makes no sentence vectors; expected one "
                             "that does: use REDUCE_MEAN, FIRST_TOKEN or another pooling")
        super().__init__(model, "contrastive")
        self.plan, self.kind, self.temperature = plan, LOSSES[loss], temperature
        self.projection = None
        if self.kind.head:
            width = plan.width(model.config.hidden_size)
            with self.own_layers():
                self.projection = Dense(width, width, "tanh", name="projection",
                                        kernel_initializer=kernel_initializer(model.config, width))
        in_batch = self.kind.function is LOSSES["simcse"].function
        self.hits = keras.metrics.Mean(name="in_batch_accuracy") if in_batch else None
        self._unused = {id(variable) for layer in _unused_layers(model, plan) for variable in layer.variables}

    @property
    def trainable_variables(self):
        """The trainable variables, without those of layers that the plan does not use."""
        return [variable for variable in super().trainable_variables if id(variable) not in self._unused]

    @property
    def trainable_weights(self):
        return self.trainable_variables

    def call(self, batch, training=False):
        """Vectors float32 `[B,K,H]`; in training, after the projection."""
        texts = {name: tf.reshape(batch[name], [-1, tf.shape(batch[name])[-1]])
                 for name in ("input_ids", "attention_mask", "token_type_ids")}  # [B*K,T]
        hidden = hidden_states(self.inner, texts, self.plan, training)
        if self.plan.strategies[0] in OF_MODEL:
            vectors = self.inner.pool(hidden)
        else:
            vectors = pool(hidden, texts["attention_mask"], self.plan.strategies)
        if self.projection is not None and training:
            vectors = self.projection(tf.cast(vectors, self.compute_dtype), training=training)
        shape = tf.shape(batch["input_ids"])
        return tf.reshape(tf.cast(vectors, tf.float32), [shape[0], batch["input_ids"].shape[1] or shape[1],
                                                         vectors.shape[-1]])

    def example_losses(self, batch, outputs):
        """The loss of each example, float32 `[B]`; also updates the accuracy."""
        losses, hits = self.kind.function(outputs, batch.get("labels"), self.temperature, batch.get("texts"))
        if hits is not None:
            self.hits.update_state(hits)
        return losses


def _unused_layers(model: PretrainedModel, plan: PoolingPlan) -> list[keras.layers.Layer]:
    """The pooler, if it is not used, and the blocks above the highest layer of the plan."""
    unused = [model.pooler] if model.pooler is not None and not plan.of_model else []
    return unused + model.unused_layers(max(plan.resolve(model.config.num_hidden_layers)))

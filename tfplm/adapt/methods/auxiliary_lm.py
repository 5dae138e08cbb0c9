"""The language model's loss beside the task's while fine-tuning (Radford et al. 2018, section 3.2, eq. 5)."""

import tensorflow as tf

from tfplm.models.heads import make_head
from tfplm.models.model import PretrainedModel, flattened
from tfplm.training.loop.wrapper import TrainingModel


class WithLanguageModel(TrainingModel):
    """A causal model with its task's head, whose loss is L_task + weight x L_LM, the mean over the tokens in nats.

    Args:
        model: a decoder (or an encoder with causal attention) with a head, trained in place; logits come from its
            embeddings (the model that is saved has no language model's head).
        weight: lambda of the paper, 0.5 there.

    Raises ValueError for a model whose attention is not causal: it would see the token it is to predict.
    """

    def __init__(self, model: PretrainedModel, weight: float = 0.5):
        if not model.is_causal:
            raise ValueError(f"the auxiliary language model needs causal attention, but attention_type is "
                             f"{model.config.attention_type!r}: leave --auxiliary-lm out, or take a model such as gpt2")
        super().__init__(model, "with_language_model")
        self.weight = weight
        with self.own_layers():
            self.lm = make_head("causal_lm", model.config, model, None)

    def call(self, batch, training=False):
        batch, shape = flattened(batch)
        features = self.inner.features(batch, training=training)
        if training:
            logits = self.lm(features, batch)[:, :-1]
            ids, mask = batch["input_ids"][:, 1:], tf.cast(batch["attention_mask"][:, 1:], tf.float32)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(ids, logits) * mask
            self.add_loss(self.weight * tf.math.divide_no_nan(tf.reduce_sum(losses), tf.reduce_sum(mask)))
        result = self.inner.head(features, batch, training=training)
        return result if shape is None else self.inner.regrouped(result, shape)

"""Auxiliary language model loss during fine-tuning (Radford et al. 2018, section 3.2, equation 5)."""

import tensorflow as tf

from tfplm.models.heads import make_head
from tfplm.models.model import PretrainedModel, flattened
from tfplm.training.loop.wrapper import TrainingModel


class WithLanguageModel(TrainingModel):
    """A causal model with the head of a task, whose loss is L_task + weight x L_LM, where L_LM is the mean over the
    tokens, in nats.

    Args:
        model: a decoder (or an encoder with causal attention) with a head; it is trained in place. The logits of the
            language model are computed from its embeddings; the saved model has no language model head.
        weight: lambda of the paper, which uses 0.5.

    Raises ValueError if attention is not causal, because tokens would then attend to the token to be predicted.
    """

    def __init__(self, model: PretrainedModel, weight: float = 0.5):
        if not model.is_causal:
            raise ValueError(f"attention_type is {model.config.attention_type!r}, but the auxiliary language model "
                             "needs causal attention: omit --auxiliary-lm, or use a model such as gpt2")
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

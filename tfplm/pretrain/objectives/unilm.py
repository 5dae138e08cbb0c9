"""UniLM: one encoder, masked tokens, four attention masks (Dong et al. 2019, section 2.3)."""

import tensorflow as tf

from tfplm.data.noise import POLICIES, mix_policies
from tfplm.pretrain.objectives.masked_lm import MaskedLanguageModel
from tfplm.pretrain.objectives.objective import Part


def combined_mask(attention_mask, prefix_lengths, attention_policy):
    """int32 [B,T,T]: each token attends to the prefix and to the tokens up to itself (right to left: from itself on),
    never to padding.

    attention_mask [B,T]; prefix_lengths, attention_policy [B] as `mix_policies` makes them.
    """
    positions = tf.range(tf.shape(attention_mask)[1])
    row, column = positions[None, :, None], positions[None, None, :]
    backwards = tf.equal(attention_policy, POLICIES.index("right_to_left"))[:, None, None]
    allow = (column < prefix_lengths[:, None, None]) | tf.where(backwards, column >= row, column <= row)
    return tf.cast(allow & tf.cast(attention_mask[:, None, :], tf.bool), tf.int32)


class UniLM(MaskedLanguageModel):
    """`unilm`: masked tokens; attention is bidirectional in a third of the examples, sequence-to-sequence in a third,
    left-to-right in a sixth and right-to-left in a sixth."""

    name, help = "unilm", "masked tokens under four attention masks (UniLM)"
    packing, in_bert_records = "order", False

    @classmethod
    def check_architecture(cls, config):
        super().check_architecture(config)
        if config.attention_type != "full":
            raise ValueError(f"attention_type is {config.attention_type}, but unilm makes its own masks and needs "
                             "full: add --attention-type full")

    def parts(self):
        return [Part("unilm", "masked_lm_ids", "masked_lm_weights", self.setting.config.vocab_size, self.factor)]

    def noise(self, batch, rng):
        masking = self.masking_of(batch)
        if masking.unit == "token":  # UniLM's own: 80 % single tokens, else a bigram or trigram
            masking = type(masking)(unit="ngram", lengths=(0.8, 0.1, 0.1), rate=masking.rate,
                                    max_predictions=masking.max_predictions)
        return mix_policies(self.with_phrases(batch), rng, self.setting.vocabulary, masking)

    def predict(self, forward):
        batch = forward.batch
        mask = combined_mask(batch["attention_mask"], batch["prefix_lengths"], batch["attention_policy"])
        forward.batch = {**batch, "attention_mask": mask}
        return {"unilm": (forward.language_model(), batch["masked_lm_ids"], batch["masked_lm_weights"])}

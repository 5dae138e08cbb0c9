"""Autoregressive language modeling, from left to right and from right to left."""

from keras import ops

from tfplm.data.noise import predict_next
from tfplm.layers import masks
from tfplm.pretrain.objectives.objective import Objective, Part


class LanguageModel(Objective):
    """`clm`: predicts the next token (Radford et al. 2018). Encoders with full attention get a causal mask."""

    name, help = "clm", "the next token (GPT); for decoders and encoders"
    architectures, preset, head, packing, corrupts = ("decoder", "encoder"), "gpt2", "causal_lm", "stream", True
    direction, own_attention = "left-to-right", "causal"

    @classmethod
    def check_architecture(cls, config):
        super().check_architecture(config)
        if config.attention_type not in (cls.own_attention, "full"):
            raise ValueError(f"attention_type is {config.attention_type}, but {cls.name} needs {cls.own_attention} (or "
                             f"full, for which it makes the mask): add --attention-type {cls.own_attention}")

    @classmethod
    def suited(cls, config):
        return config.replace(attention_type=cls.own_attention) if config.attention_type in ("full", "causal") else config

    def parts(self):
        return [Part(self.name, "labels", "label_weights", self.setting.config.vocab_size, self.factor, True)]

    def noise(self, batch, rng):
        return predict_next(batch, rng, direction=self.direction)

    def predict(self, forward):
        batch = forward.batch
        if self.setting.config.attention_type == "full":
            length = ops.shape(batch["input_ids"])[1]
            allow = masks.causal(length) if self.direction == "left-to-right" else masks.causal_reverse(length)
            real = masks.padding(batch["attention_mask"])
            forward.batch = {**batch, "attention_mask": ops.cast(ops.logical_and(allow, real)[:, 0], "int32")}
        return {self.name: (forward.language_model(), batch["labels"], batch["label_weights"])}


class ReverseLanguageModel(LanguageModel):
    """`clm-reverse`: predicts the previous token."""

    name, help = "clm-reverse", "the previous token; for decoders and encoders"
    direction, own_attention = "right-to-left", "causal_reverse"

"""Autoregressive language models, from left to right and from right to left."""

from keras import ops

from tfplm.data.noise import predict_next
from tfplm.layers import masks
from tfplm.pretrain.objectives.objective import Objective, Part


class LanguageModel(Objective):
    """`clm`: says the next token (Radford et al. 2018). An encoder that looks both ways gets a mask of the future."""

    name, head, packing, spoils = "clm", "causal_lm", "stream", True
    architectures = ("decoder", "encoder")
    direction, own_attention = "left-to-right", "causal"

    @classmethod
    def check_architecture(cls, config):
        super().check_architecture(config)
        if config.attention_type not in (cls.own_attention, "full"):
            raise ValueError(f"{cls.name} needs attention_type {cls.own_attention} (or full, and a mask is made), found "
                             f"{config.attention_type}: add --attention-type {cls.own_attention}")

    def parts(self):
        return [Part(self.name, "labels", "label_weights", self.setting.config.vocab_size, self.factor, True)]

    def noise(self, batch, rng):
        return predict_next(batch, rng, direction=self.direction)

    def predict(self, forward):
        batch = forward.batch
        if self.setting.config.attention_type == "full":
            length = ops.shape(batch["input_ids"])[1]
            seen = masks.causal(length) if self.name == "clm" else masks.causal_reverse(length)
            real = masks.padding(batch["attention_mask"])
            forward.batch = {**batch, "attention_mask": ops.cast(ops.logical_and(seen, real)[:, 0], "int32")}
        return {self.name: (forward.language_model(), batch["labels"], batch["label_weights"])}


class ReverseLanguageModel(LanguageModel):
    """`clm-reverse`: says the token before."""

    name, direction, own_attention = "clm-reverse", "right-to-left", "causal_reverse"

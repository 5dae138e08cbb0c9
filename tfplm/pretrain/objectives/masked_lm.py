"""Masked language modeling (Devlin et al. 2019, section 3.1)."""

from tfplm.data.noise import mask_tokens
from tfplm.pretrain.objectives.objective import Objective, Part


class MaskedLanguageModel(Objective):
    """`mlm`: predicts the masked tokens; only their positions are projected to the vocabulary."""

    name, help = "mlm", "the masked tokens (BERT)"
    head, corrupts, in_bert_records = "masked_lm", True, True

    def check(self):
        self.setting.vocabulary.need("mask")

    def parts(self):
        return [Part("mlm", "masked_lm_ids", "masked_lm_weights", self.setting.config.vocab_size, self.factor)]

    def noise(self, batch, rng):
        return mask_tokens(self.with_phrases(batch), rng, self.setting.vocabulary, self.masking_of(batch))

    def predict(self, forward):
        batch = forward.batch
        return {"mlm": (forward.language_model(), batch["masked_lm_ids"], batch["masked_lm_weights"])}

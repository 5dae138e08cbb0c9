"""Encoder-decoders: T5's span corruption, BART's denoising, MASS."""

import numpy as np

from tfplm.data.noise import corrupt_spans, denoise, mask_segment, raw_length
from tfplm.pretrain.objectives.objective import Objective, Part


class SpanCorruption(Objective):
    """`span-corruption`: the encoder reads a text with sentinels for its hidden spans, the decoder says the spans
    (Raffel et al. 2020, section 3.1.4)."""

    name, head, packing, spoils, architectures = "span-corruption", "seq2seq_lm", "stream", True, ("seq2seq",)

    def check(self):
        self.setting.vocabulary.need("sentinels", "end")

    def parts(self):
        return [Part(self.name, "labels", "label_weights", self.setting.config.vocab_size, self.factor, True)]

    def raw_length(self, length):
        return raw_length(length, self.setting.masking.rate)

    def noise(self, batch, rng):
        return corrupt_spans(batch, rng, self.setting.vocabulary, self.setting.masking.rate)

    def predict(self, forward):
        batch = forward.batch
        return {self.name: (forward.language_model(), batch["labels"], batch["label_weights"])}


class Denoising(SpanCorruption):
    """`denoising`: the encoder reads a spoilt text, the decoder says the whole (Lewis et al. 2020, section 2.2)."""

    name, packing = "denoising", "framed"

    def check(self):
        if {"masking", "infilling"} & set(self.setting.kinds):
            self.setting.vocabulary.need("mask")

    def raw_length(self, length):
        return length

    def noise(self, batch, rng):
        return denoise(batch, rng, self.setting.vocabulary, self.setting.kinds,
                       self.setting.config.decoder_start_token_id)


class MaskedSegment(Denoising):
    """`mass`: the encoder reads a text with one half hidden, the decoder says that half (Song et al. 2019)."""

    name = "mass"

    def check(self):
        self.setting.vocabulary.need("mask")

    def noise(self, batch, rng):
        """The run stands at its own places in the decoder, whose other places nobody sees, as if they were not there:
        so its tokens have the positions that they have in the text (section 3.2)."""
        noisy = mask_segment(batch, rng, self.setting.vocabulary)
        places, run = noisy.pop("decoder_position_ids"), noisy["decoder_attention_mask"] == 1
        rows = np.broadcast_to(np.arange(len(run))[:, None], run.shape)[run]
        wide = {"decoder_input_ids": np.full_like(noisy["input_ids"], self.setting.vocabulary.mask),
                "decoder_attention_mask": np.zeros_like(noisy["input_ids"])}
        for name, array in wide.items():
            array[rows, places[run]] = noisy[name][run]
        return {**noisy, **wide, "masked_lm_positions": places}

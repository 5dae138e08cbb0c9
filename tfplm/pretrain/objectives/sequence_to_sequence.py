"""Objectives of encoder-decoders: span corruption (T5), denoising (BART), masked segments (MASS)."""

import numpy as np

from tfplm.data.noise import corrupt_spans, denoise, mask_segment, raw_length
from tfplm.data.noise.denoising import KINDS
from tfplm.pretrain.objectives.objective import Objective, Part


class SpanCorruption(Objective):
    """`span-corruption`: the encoder reads a text with sentinels in place of the masked spans, and the decoder predicts
    the spans (Raffel et al. 2020, section 3.1.4)."""

    name, help = "span-corruption", "masked spans (T5); for encoder-decoders"
    architectures, preset, head, packing, corrupts = ("seq2seq",), "t5-small", "seq2seq_lm", "stream", True

    def check(self):
        self.setting.vocabulary.need("sentinels", "end")

    def parts(self):
        return [Part(self.name, "labels", "label_weights", self.setting.config.vocab_size, self.factor, True)]

    def raw_length(self, length):
        return raw_length(length, self.setting.masking.rate)

    def noise(self, batch, rng):
        return corrupt_spans(batch, rng, self.setting.vocabulary, self.setting.masking.rate,
                             start=self.setting.config.decoder_start_token_id)

    def predict(self, forward):
        batch = forward.batch
        return {self.name: (forward.language_model(), batch["labels"], batch["label_weights"])}


class Denoising(SpanCorruption):
    """`denoising`: the encoder reads a corrupted text, and the decoder predicts the original text (Lewis et al. 2020,
    section 2.2)."""

    name, help = "denoising", "the text without its noise (BART); for encoder-decoders"
    flags = {"noise": (["permutation", "infilling"], "any of permutation, rotation, deletion, masking, infilling")}
    packing, preset = "framed", "bart-base"

    @classmethod
    def check_flags(cls, values):
        if unknown := set(values["noise"]) - set(KINDS):
            raise ValueError(f"unknown noise {', '.join(sorted(unknown))}; expected any of {', '.join(KINDS)}: change "
                             "--noise")

    def check(self):
        if {"masking", "infilling"} & set(self.flags["noise"]):
            self.setting.vocabulary.need("mask")

    def raw_length(self, length):
        return length

    def noise(self, batch, rng):
        return denoise(batch, rng, self.setting.vocabulary, tuple(self.flags["noise"]),
                       self.setting.config.decoder_start_token_id)


class MaskedSegment(Denoising):
    """`mass`: the encoder reads a text with one half masked, and the decoder predicts that half (Song et al. 2019)."""

    name, help = "mass", "the masked half of the text (MASS); for encoder-decoders"

    def check(self):
        self.setting.vocabulary.need("mask")

    def noise(self, batch, rng):
        """The masked segment has the same positions in the decoder as in the text; no token attends to the decoder's
        other positions, as if they did not exist (section 3.2)."""
        noisy = mask_segment(batch, rng, self.setting.vocabulary)
        positions, real = noisy.pop("decoder_position_ids"), noisy["decoder_attention_mask"] == 1
        rows = np.broadcast_to(np.arange(len(real))[:, None], real.shape)[real]
        wide = {"decoder_input_ids": np.full_like(noisy["input_ids"], self.setting.vocabulary.mask),
                "decoder_attention_mask": np.zeros_like(noisy["input_ids"])}
        for name, array in wide.items():
            array[rows, positions[real]] = noisy[name][real]
        return {**noisy, **wide, "masked_lm_positions": positions}

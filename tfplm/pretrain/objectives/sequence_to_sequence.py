"""Encoder-decoders: T5's span corruption, BART's denoising, MASS."""

import numpy as np

from tfplm.data.noise import corrupt_spans, denoise, mask_segment, raw_length
from tfplm.data.noise.denoising import KINDS
from tfplm.pretrain.objectives.objective import Objective, Part


class SpanCorruption(Objective):
    """`span-corruption`: the encoder reads a text with sentinels for the masked spans, the decoder predicts the spans
    (Raffel et al. 2020, section 3.1.4)."""

    name, help = "span-corruption", "masked spans (T5), of encoder-decoders"
    architectures, preset, head, packing, corrupts = ("seq2seq",), "t5-small", "seq2seq_lm", "stream", True

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
    """`denoising`: the encoder reads a corrupted text, the decoder predicts the whole (Lewis et al. 2020, section 2.2)."""

    name, help = "denoising", "the text without its noise (BART), of encoder-decoders"
    flags = {"noise": (["permutation", "infilling"], "some of permutation, rotation, deletion, masking, infilling")}
    packing, preset = "framed", "bart-base"

    @classmethod
    def check_flags(cls, values):
        if unknown := set(values["noise"]) - set(KINDS):
            raise ValueError(f"unknown noise {', '.join(sorted(unknown))}: expected some of {', '.join(KINDS)}")

    def check(self):
        if {"masking", "infilling"} & set(self.flags["noise"]):
            self.setting.vocabulary.need("mask")

    def raw_length(self, length):
        return length

    def noise(self, batch, rng):
        return denoise(batch, rng, self.setting.vocabulary, tuple(self.flags["noise"]),
                       self.setting.config.decoder_start_token_id)


class MaskedSegment(Denoising):
    """`mass`: the encoder reads a text with one half masked, the decoder predicts that half (Song et al. 2019)."""

    name, help = "mass", "a masked half of the text (MASS), of encoder-decoders"

    def check(self):
        self.setting.vocabulary.need("mask")

    def noise(self, batch, rng):
        """The masked run has the same positions in the decoder as in the text; its other positions are attended to by
        none, as if they were not there (section 3.2)."""
        noisy = mask_segment(batch, rng, self.setting.vocabulary)
        places, run = noisy.pop("decoder_position_ids"), noisy["decoder_attention_mask"] == 1
        rows = np.broadcast_to(np.arange(len(run))[:, None], run.shape)[run]
        wide = {"decoder_input_ids": np.full_like(noisy["input_ids"], self.setting.vocabulary.mask),
                "decoder_attention_mask": np.zeros_like(noisy["input_ids"])}
        for name, array in wide.items():
            array[rows, places[run]] = noisy[name][run]
        return {**noisy, **wide, "masked_lm_positions": places}

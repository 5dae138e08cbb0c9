"""Encoder-decoder models."""

import keras
from keras import ops

from tfplm.layers import masks
from tfplm.layers.embeddings import Embeddings
from tfplm.layers.stack import Stack
from tfplm.models.generation.generates import Generates
from tfplm.models.model import PretrainedModel


@keras.saving.register_keras_serializable("tfplm")
class Seq2Seq(Generates, PretrainedModel):
    """Two stacks that share the token embeddings, the decoder attending to the encoder (Vaswani et al. 2017).

    Its batch has `input_ids`, `attention_mask` and `decoder_input_ids`, `decoder_attention_mask`; missing decoder ids
    are the input's, shifted to the right (Lewis et al. 2019, section 3.1).
    """

    def build_backbone(self):
        decoder = self.config.decoder()
        self.embeddings = Embeddings(self.config, name="embeddings")
        self.decoder_embeddings = Embeddings(decoder, word=self.embeddings.word, name="decoder_embeddings")
        self.encoder = Stack(self.config, name="encoder")
        self.decoder = Stack(decoder, cross=True, name="decoder")

    def encode(self, batch, training=False, taps=()) -> dict:
        """The encoder stack's outputs for `input_ids` `[B,S]`."""
        self.check_ids(batch["input_ids"])
        x = self.embeddings(batch["input_ids"], batch.get("token_type_ids"), batch.get("position_ids"),
                            training=training)
        allow = masks.policy(self.config, ops.shape(x)[1], batch.get("attention_mask"))
        return self.encoder(x, allow, training=training, taps=taps)

    def shift_right(self, ids):
        """`[B,T]` -> `[B,T]` with the start token before and the last one gone; padding as in the reference."""
        config = self.config
        start = config.pad_token_id if config.decoder_start_token_id is None else config.decoder_start_token_id
        if config.decoder_start_token_id is None and config.language_code_first:
            # the language code, which is the last real token, goes to the front (Liu et al. 2020, section 2.2)
            real = ops.cast(ops.not_equal(ids, config.pad_token_id), "int32")
            first = ops.take_along_axis(ids, ops.sum(real, axis=1, keepdims=True) - 1, axis=1)
        else:
            first = ops.full_like(ids[:, :1], start)
        return ops.concatenate([first, ids[:, :-1]], axis=1)

    def features(self, batch, training=False, taps=()):
        encoded = self.encode(batch, training, taps)
        memory_mask = batch.get("attention_mask")
        ids = batch.get("decoder_input_ids")
        if ids is None:
            ids = self.shift_right(batch["input_ids"])
        self.check_ids(ids, "decoder_input_ids")
        x = self.decoder_embeddings(ids, training=training)
        allow = masks.policy(self.decoder.config, ops.shape(ids)[1], batch.get("decoder_attention_mask"))
        result = self.decoder(x, allow, memory=encoded["output"], training=training, taps=taps,
                              memory_allow=None if memory_mask is None else masks.padding(memory_mask))
        result["sequence_output"] = result.pop("output")
        result["encoder_output"] = encoded.pop("output")
        return {**result, **{f"encoder_{name}": value for name, value in encoded.items()}}

    def memory_cache(self, batch) -> list[dict]:
        """The cache entries of cross-attention, for the encoder's `batch`."""
        return self.decoder.memory_cache(self.encode(batch)["output"])

    def step(self, ids, cache, index, allow, position_ids, memory_allow=None):
        """Hidden states `[B,T,H]` of new decoder tokens at place `index` of the cache, and the new cache.

        allow: the masks of the layers, in rotation, `[B,1,T,S]` over the S places of the cache.
        """
        x = self.decoder_embeddings(ids, position_ids=position_ids)
        result = self.decoder(x, allow, memory_allow=memory_allow, cache=(cache, index))
        return result["output"], result["cache"]

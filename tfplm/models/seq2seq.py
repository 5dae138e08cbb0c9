"""Encoder-decoder models."""

import keras
from keras import ops

from tfplm.layers import masks
from tfplm.layers.block import Memory
from tfplm.layers.embeddings import Embeddings
from tfplm.layers.stack import Stack
from tfplm.models.generation.generates import Generates
from tfplm.models.generation.inputs import seq2seq_inputs
from tfplm.models.model import PretrainedModel


@keras.saving.register_keras_serializable("tfplm")
class Seq2Seq(Generates, PretrainedModel):
    """Two stacks that share the token embeddings; the decoder attends to the encoder (Vaswani et al. 2017).

    A batch has `input_ids`, `attention_mask`, `decoder_input_ids` and `decoder_attention_mask`; if the decoder ids are
    missing, they are the input ids, shifted to the right (Lewis et al. 2019, section 3.1).
    """

    is_seq2seq, backbone_roots = True, frozenset({"embeddings", "decoder_embeddings", "encoder", "decoder"})
    read_prompts = seq2seq_inputs

    def build_backbone(self):
        decoder = self.config.decoder()
        self.embeddings = Embeddings(self.config, name="embeddings")
        self.decoder_embeddings = Embeddings(decoder, word=self.embeddings.word, name="decoder_embeddings")
        self.encoder = Stack(self.config, name="encoder")
        self.decoder = Stack(decoder, cross=True, name="decoder")

    @property
    def decoding_stack(self) -> Stack:
        return self.decoder

    def encode(self, batch, training=False, taps=()) -> dict:
        """The outputs of the encoder stack for `input_ids` `[B,S]` or `inputs_embeds` `[B,S,E]`."""
        position_ids = batch.get("position_ids")
        x = self.embeddings(self.tokens(batch), batch.get("token_type_ids"), position_ids, training=training)
        allow = masks.policy(self.config, ops.shape(x)[1], batch.get("attention_mask"))
        return self.encoder(x, allow=allow, position_ids=position_ids, head_mask=batch.get("head_mask"),
                            training=training, taps=taps)

    def shift_right(self, ids):
        """Shifts ids `[B,T]` to the right: adds the start token, removes the last one; padding as in the reference."""
        config = self.config
        start = config.pad_token_id if config.decoder_start_token_id is None else config.decoder_start_token_id
        if config.decoder_start_token_id is None and config.language_code_first:
            # the language code, which is the last real token, is moved to the front (Liu et al. 2020, section 2.2)
            real = ops.cast(ops.not_equal(ids, config.pad_token_id), "int32")
            first = ops.take_along_axis(ids, ops.sum(real, axis=1, keepdims=True) - 1, axis=1)
        else:
            first = ops.full_like(ids[:, :1], start)
        return ops.concatenate([first, ids[:, :-1]], axis=1)

    def decoder_tokens(self, batch):
        """`decoder_input_ids` `[B,T]`, `decoder_inputs_embeds` `[B,T,E]`, or the shifted input ids."""
        if "decoder_input_ids" not in batch and "decoder_inputs_embeds" not in batch:
            if "input_ids" not in batch:
                raise ValueError("the batch has inputs_embeds, but neither decoder_input_ids nor decoder_inputs_embeds, "
                                 "which can only be derived from ids: pass one of the two")
            return self.shift_right(batch["input_ids"])
        return self.tokens(batch, "decoder_")

    def features(self, batch, training=False, taps=()):
        encoded = self.encode(batch, training, taps)
        mask = batch.get("attention_mask")
        memory = Memory(encoded["output"], None if mask is None else masks.padding(mask), batch.get("cross_attn_head_mask"))
        tokens = self.decoder_tokens(batch)
        x = self.decoder_embeddings(tokens, training=training)
        allow = masks.policy(self.decoder.config, ops.shape(tokens)[1], batch.get("decoder_attention_mask"))
        result = self.decoder(x, allow=allow, head_mask=batch.get("decoder_head_mask"), memory=memory,
                              training=training, taps=taps)
        result["sequence_output"] = result.pop("output")
        result["encoder_output"] = encoded.pop("output")
        return {**result, **{f"encoder_{name}": value for name, value in encoded.items()}}

    def memory_cache(self, batch) -> list[dict]:
        """The cache entries of cross-attention for the `batch` of the encoder."""
        return self.decoder.memory_cache(self.encode(batch)["output"])

    def step(self, ids, cache, index, allow, position_ids, memory_allow=None):
        """Hidden states `[B,T,H]` of new decoder tokens, and the cache with their states from `index` on.

        allow: the attention masks of the layers, repeated cyclically, `[B,1,T,S]` over the S positions of the cache.
        """
        x = self.decoder_embeddings(ids, position_ids=position_ids)
        result = self.decoder(x, allow=allow, position_ids=position_ids, memory=Memory(allow=memory_allow),
                              cache=(cache, index))
        return result["output"], result["cache"]

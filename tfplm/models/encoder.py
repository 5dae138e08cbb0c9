"""Models with one stack: encoders (BERT and similar models) and decoders (GPT)."""

import keras
from keras import ops

from tfplm.layers import masks
from tfplm.layers.embeddings import Embeddings
from tfplm.layers.stack import Stack
from tfplm.models.generation.generates import Generates
from tfplm.models.generation.inputs import decoder_inputs
from tfplm.models.model import PretrainedModel


@keras.saving.register_keras_serializable("tfplm")
class Encoder(Generates, PretrainedModel):
    """Embeddings and one stack of blocks (Devlin et al. 2019, section 3).

    `config.attention_type` and `config.layer_pattern` define which tokens attend to which.
    """

    can_exit_early = heads_read_states = True
    read_prompts = decoder_inputs

    def build_backbone(self):
        self.embeddings = Embeddings(self.config, name="embeddings")
        self.stack = Stack(self.config, name=self.config.architecture)

    @property
    def backbone_roots(self):
        return frozenset({"embeddings", self.stack.name})

    @property
    def decoding_stack(self) -> Stack:
        return self.stack

    @property
    def can_pack(self):
        return self.config.attention_type != "prefix"  # which depends on the two segments of a text

    @property
    def is_causal(self):
        return self.config.attention_type == "causal"

    def unused_layers(self, depth):
        used = self.stack.layers_in_order()[:depth]
        unused = [block for block in self.stack.blocks if not any(block is other for other in used)]
        if self.stack.norm is not None and depth < self.config.num_hidden_layers:
            unused.append(self.stack.norm)
        return unused

    def features(self, batch, training=False, taps=(), depth=None):
        """The outputs without head; `depth`: compute only this number of layers (an early exit for pooling)."""
        tokens, position_ids = self.tokens(batch), batch.get("position_ids")
        x = self.embeddings(tokens, batch.get("token_type_ids"), position_ids, batch.get("task_type_ids"),
                            training=training)
        allow = masks.policy(self.config, ops.shape(tokens)[1], batch.get("attention_mask"),
                             batch.get("token_type_ids"))
        result = self.stack(x, allow=allow, position_ids=position_ids, head_mask=batch.get("head_mask"), depth=depth,
                            training=training, taps=taps)
        result["sequence_output"] = result.pop("output")
        if self.pooler is not None:
            result["pooled_output"] = self.pool(result["sequence_output"])
        return result

    def step(self, ids, cache, index, allow, position_ids, token_type_ids=None):
        """Hidden states `[B,T,H]` of new tokens `ids` `[B,T]`, and the cache with their states from `index` on.

        allow: the attention masks of the layers, repeated cyclically, `[B,1,T,S]` over the S positions of the cache.
        """
        x = self.embeddings(ids, token_type_ids, position_ids)
        result = self.stack(x, allow=allow, position_ids=position_ids, cache=(cache, index))
        return result["output"], result["cache"]


@keras.saving.register_keras_serializable("tfplm")
class Decoder(Encoder):
    """A causal language model (Radford et al. 2018)."""

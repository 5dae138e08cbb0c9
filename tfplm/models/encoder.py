"""Models of one stack: encoders (BERT and its family) and decoders (GPT)."""

import keras
from keras import ops

from tfplm.layers import masks
from tfplm.layers.embeddings import Embeddings
from tfplm.layers.stack import Stack
from tfplm.models.generation.generates import Generates
from tfplm.models.model import PretrainedModel


@keras.saving.register_keras_serializable("tfplm")
class Encoder(Generates, PretrainedModel):
    """Embeddings and one stack of blocks; who sees whom is `config.attention_type` (Devlin et al. 2018, section 3)."""

    def build_backbone(self):
        self.embeddings = Embeddings(self.config, name="embeddings")
        self.stack = Stack(self.config, name=self.config.architecture)

    def features(self, batch, training=False, taps=(), depth=None):
        """The headless outputs; `depth`: compute only that many layers (an early exit for pooling)."""
        ids = batch["input_ids"]
        self.check_ids(ids)
        x = self.embeddings(ids, batch.get("token_type_ids"), batch.get("position_ids"),
                            batch.get("task_type_ids"), training=training)
        allow = masks.policy(self.config, ops.shape(ids)[1], batch.get("attention_mask"), batch.get("token_type_ids"))
        result = self.stack(x, allow, depth=depth, training=training, taps=taps)
        result["sequence_output"] = result.pop("output")
        if self.pooler is not None:
            result["pooled_output"] = self.pool(result["sequence_output"])
        return result

    def step(self, ids, cache, index, allow, position_ids, token_type_ids=None):
        """Hidden states `[B,T,H]` of new tokens `ids` `[B,T]` at place `index` of the cache, and the new cache.

        allow: the masks of the layers, in rotation, `[B,1,T,S]` over the S places of the cache.
        """
        x = self.embeddings(ids, token_type_ids, position_ids)
        result = self.stack(x, allow, cache=(cache, index))
        return result["output"], result["cache"]


@keras.saving.register_keras_serializable("tfplm")
class Decoder(Encoder):
    """A causal language model's stack (Radford et al. 2018)."""

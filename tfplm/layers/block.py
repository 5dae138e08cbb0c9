"""A Transformer block: self-attention, cross-attention where there is a memory, feed-forward."""

import keras

from tfplm.core.config import Config
from tfplm.layers.attention import Attention
from tfplm.layers.cache import write
from tfplm.layers.feed_forward import FeedForward
from tfplm.layers.norms import Residual


class Block(keras.layers.Layer):
    """One layer of the Transformer, post-norm or pre-norm, each sub-layer in its residual connection.

    Sub-layers may be shared with other blocks: pass `attention=(layer, residual)` or `ffn=(layer, residual)` of another
    block (weights cannot be shared in Keras, layers can).
    """

    def __init__(self, config: Config, *, cross: bool = False, attention=None, ffn=None, **keywords):
        super().__init__(**keywords)
        self.attention, self.attention_residual = attention or (
            Attention(config, name="attention"), Residual(config, name="attention_residual"))
        self.cross, self.cross_residual = (
            Attention(config, name="cross"), Residual(config, name="cross_residual")) if cross else (None, None)
        self.ffn, self.ffn_residual = ffn or (FeedForward(config, name="ffn"), Residual(config, name="ffn_residual"))
        self.built = True

    def call(self, x, allow=None, bias=None, memory=None, memory_allow=None, cache=None, training=False,
             return_maps=False):
        """
        Args:
            x: `[B,T,H]`. allow, bias: as in `Attention`.
            memory: `[B,S,H]`, what cross-attention looks at; memory_allow: `[B,1,1,S]`.
            cache: `{"self": (keys, values), "cross": ..., "index": int32}`; updated copies are returned.

        Returns:
            x `[B,T,H]`, a tuple of attention maps (self, cross) that is empty unless `return_maps`, and the cache.
        """
        maps, attend = (), {"training": training, "return_map": return_maps}
        y, past = self.attention_residual.before(x), None
        if cache is not None:
            past = write(cache["self"], self.attention.keys_and_values(y), cache["index"])
            cache = {**cache, "self": past}
        y = self.attention(y, allow=allow, bias=bias, cache=past, **attend)
        if return_maps:
            y, maps = y[0], (y[1],)
        x = self.attention_residual.after(x, y, training=training)
        if self.cross is not None:
            seen = cache["cross"] if cache is not None else self.cross.keys_and_values(memory)
            y = self.cross(self.cross_residual.before(x), allow=memory_allow, cache=seen, **attend)
            if return_maps:
                y, maps = y[0], (*maps, y[1])
            x = self.cross_residual.after(x, y, training=training)
        y = self.ffn(self.ffn_residual.before(x), training=training)
        return self.ffn_residual.after(x, y, training=training), maps, cache

"""A Transformer block: self-attention, cross-attention if there is a memory, and feed-forward."""

import dataclasses
from typing import Any

import keras

from tfplm.core.config import Config
from tfplm.layers.attention import Attention
from tfplm.layers.cache import write
from tfplm.layers.feed_forward import FeedForward
from tfplm.layers.norms import Residual
from tfplm.layers.positions import PositionScheme


@dataclasses.dataclass(frozen=True)
class Memory:
    """The states to which cross-attention attends.

    Attributes:
        states: `[B,S,H]`; None if a cache has their keys and values.
        allow: bool `[B,1,1,S]`, or None for all.
        head_mask: `[N]`, or for the layers of a stack `[L,N]`, see `Attention`.
    """

    states: Any = None
    allow: Any = None
    head_mask: Any = None


class Block(keras.layers.Layer):
    """One layer of the Transformer, with post-norm or pre-norm; each sub-layer has a residual connection.

    Sub-layers can be shared with other blocks: pass `attention=(layer, residual)` or `ffn=(layer, residual)` of another
    block (in Keras layers can be shared, but weights cannot).

    Args:
        config: the configuration.
        scheme: the position scheme.
        cross: the block also attends to a memory.
        attention_norm: False for self-attention without a norm, as in the first layer of ModernBERT.
    """

    def __init__(self, config: Config, scheme: type[PositionScheme] | None = None, *, cross: bool = False,
                 attention_norm: bool = True, attention=None, ffn=None, **keywords):
        super().__init__(**keywords)
        self.attention, self.attention_residual = attention or (
            Attention(config, scheme, name="attention"), Residual(config, attention_norm, name="attention_residual"))
        self.cross, self.cross_residual = (
            Attention(config, name="cross"), Residual(config, name="cross_residual")) if cross else (None, None)
        self.hidden_size = config.hidden_size
        self.ffn, self.ffn_residual = ffn or (FeedForward(config, name="ffn"), Residual(config, name="ffn_residual"))
        self.built = True

    @property
    def layers(self) -> list[keras.layers.Layer]:
        """The sub-layers, which `Model.summary(expand_nested=True)` shows."""
        parts = (self.attention, self.attention_residual, self.cross, self.cross_residual, self.ffn, self.ffn_residual)
        return [part for part in parts if part is not None]

    @property
    def output_shape(self):
        return None, None, self.hidden_size

    def call(self, x, allow=None, positions=None, head_mask=None, memory: Memory | None = None, cache=None,
             training=False, return_maps=False):
        """Computes the block.

        Args:
            x: `[B,T,H]`.
            allow, positions, head_mask: for self-attention, as in `Attention`.
            memory: the states for cross-attention.
            cache: `{"self": (keys, values), "cross": ..., "index": int32}`; updated copies are returned.
            return_maps: also return the attention maps.

        Returns:
            x `[B,T,H]`, a tuple of attention maps (self, cross; empty unless `return_maps`), and the cache.
        """
        maps, attend = (), {"training": training, "return_map": return_maps}
        y, past = self.attention_residual.before(x), None
        if cache is not None:
            past = write(cache["self"], self.attention.keys_and_values(y, positions=positions), cache["index"])
            cache = {**cache, "self": past}
        y = self.attention(y, allow=allow, positions=positions, cache=past, head_mask=head_mask, **attend)
        if return_maps:
            y, maps = y[0], (y[1],)
        x = self.attention_residual.after(x, y, training=training)
        if self.cross is not None:
            states = cache["cross"] if cache is not None else self.cross.keys_and_values(memory.states)
            y = self.cross(self.cross_residual.before(x), allow=memory.allow, cache=states, head_mask=memory.head_mask,
                           **attend)
            if return_maps:
                y, maps = y[0], (*maps, y[1])
            x = self.cross_residual.after(x, y, training=training)
        y = self.ffn(self.ffn_residual.before(x), training=training)
        return self.ffn_residual.after(x, y, training=training), maps, cache

"""A stack of blocks: depth, sharing, the position bias, cache, LayerDrop, and the taps."""

import keras
from keras import ops

from tfplm.core.config import Config
from tfplm.layers.block import Block
from tfplm.layers.cache import empty
from tfplm.layers.dense import Dropout
from tfplm.layers.norms import make_norm
from tfplm.layers.positions import BucketedBias


class Stack(keras.layers.Layer):
    """`num_hidden_layers` applications of its blocks, which may be fewer than its layers (cross-layer sharing).

    Args:
        config: `share` says what layers have in common: "none"; "attention" or "ffn", that sub-layer in all layers;
            "all", `num_hidden_groups` groups of `inner_group_num` blocks, each group serving equally many layers
            (ALBERT, section 3.1).
        cross: whether the blocks attend to a memory as well.
    """

    def __init__(self, config: Config, *, cross: bool = False, **keywords):
        super().__init__(**keywords)
        self.config, self.cross = config, cross
        self.blocks = self._make_blocks()
        causal = config.attention_type != "full"
        self.relative_bias = BucketedBias(config, not causal, name="relative_bias") \
            if config.position_type == "bucketed" else None
        self.norm = make_norm(config) if config.final_norm else None
        self.dropout = Dropout(config.hidden_dropout_prob, name="dropout") \
            if config.final_dropout else None
        self.layerdrop_seed = keras.random.SeedGenerator() if config.layerdrop else None
        self.built = True

    def _make_blocks(self) -> list[Block]:
        config = self.config
        blocks, unique = [], config.num_hidden_layers
        if config.share == "all":
            unique = config.num_hidden_groups * config.inner_group_num
        for number in range(unique):
            shared = {}
            if blocks and config.share == "attention":
                shared["attention"] = (blocks[0].attention, blocks[0].attention_residual)
            if blocks and config.share == "ffn":
                shared["ffn"] = (blocks[0].ffn, blocks[0].ffn_residual)
            blocks.append(Block(config, cross=self.cross, name=f"block_{number}", **shared))
        return blocks

    def layers_in_order(self) -> list[Block]:
        """The block that each layer applies."""
        config = self.config
        if config.share != "all":
            return self.blocks
        inner, depth = config.inner_group_num, config.num_hidden_layers
        group_of = [layer * config.num_hidden_groups // depth for layer in range(depth)]
        return [self.blocks[group * inner + place] for group in group_of for place in range(inner)]

    def empty_cache(self, batch: int, length: int, dtype: str) -> list[dict]:
        shape = (batch, self.config.num_attention_heads, length, self.config.attention_head_dim)
        return [{"self": empty(*shape, dtype)} for _ in self.layers_in_order()]

    def memory_cache(self, memory) -> list[dict]:
        """The keys and values of cross-attention, computed once for a memory `[B,S,H]`."""
        return [{"cross": block.cross.keys_and_values(memory)} for block in self.layers_in_order()]

    def call(self, x, allow=(None,), memory=None, memory_allow=None, cache=None, depth=None, training=False, taps=()):
        """
        Args:
            x: `[B,T,H]`. allow: masks `[B,1,T,S]` that the layers use in rotation.
            memory, memory_allow: `[B,S,H]`, `[B,1,1,S]` for cross-attention.
            cache: `(entries, index)`: one entry per layer, and the place of the first token in them.
            depth: how many layers to apply (the others are not computed, nor the final norm); None: all.
            taps: of "hidden_states", "attentions": what to return besides.

        Returns:
            dict: `output` `[B,T,H]`; `hidden_states`, depth + 1 of them, the input first; `attentions`,
            `cross_attentions`: a `[B,N,T,S]` each; `cache`: its new entries.
        """
        length, bias = ops.shape(x)[1], None
        entries, index = (None, 0) if cache is None else cache
        if self.relative_bias is not None:
            keys = length if entries is None else ops.shape(entries[0]["self"][0])[2]
            bias = self.relative_bias.bias(length, keys, index)
        hidden_states, attentions, crossed, caches = [x], [], [], []
        layers = self.layers_in_order()
        for number, block in enumerate(layers[:depth]):
            past = None if entries is None else {**entries[number], "index": index}
            y, maps, past = block(x, allow=allow[number % len(allow)], bias=bias, memory=memory,
                                  memory_allow=memory_allow, cache=past, training=training,
                                  return_maps="attentions" in taps)
            x = self._layerdrop(x, y, training)
            hidden_states.append(x)
            attentions += maps[:1]
            crossed += maps[1:]
            caches.append(past)
        if self.norm is not None and depth in (None, len(layers)):
            x = hidden_states[-1] = self.norm(x)
            if self.dropout is not None:
                x = hidden_states[-1] = self.dropout(x, training=training)
        result = {"output": x}
        if "hidden_states" in taps:
            result["hidden_states"] = tuple(hidden_states)
        if "attentions" in taps:
            result["attentions"] = tuple(attentions)
            if crossed:
                result["cross_attentions"] = tuple(crossed)
        if entries is not None:
            result["cache"] = caches
        return result

    def _layerdrop(self, x, y, training):
        """Skips a layer with probability `layerdrop` while training (Fan et al. 2019, section 3.1)."""
        if not training or not self.config.layerdrop:
            return y
        keep = keras.random.uniform((), seed=self.layerdrop_seed) >= self.config.layerdrop
        return ops.where(keep, y, x)

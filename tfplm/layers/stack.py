"""A stack of blocks: depth, sharing, kinds of layers, cache, LayerDrop, and intermediate outputs."""

import dataclasses
import math

import keras
from keras import ops

from tfplm.core.config import Config
from tfplm.layers.block import Block, Memory
from tfplm.layers.cache import empty
from tfplm.layers.dense import Dropout
from tfplm.layers.kinds import Kinds
from tfplm.layers.masks import Band, whole
from tfplm.layers.norms import make_norm
from tfplm.layers.positions import Positions, PositionScheme, scheme_class, schemes_of_layers


class Stack(keras.layers.Layer):
    """`num_hidden_layers` layers, each of which applies a block; with cross-layer sharing there are fewer blocks.

    The kinds of layers are those of `layer_pattern`, repeated; each kind has a mask and a position scheme.

    Args:
        config: the configuration. `share` defines what the layers share: "none"; "attention" or "ffn", this sub-layer;
            "all", with `num_hidden_groups` groups of `inner_group_num` blocks, each group for equally many layers
            (ALBERT, section 3.1).
        cross: the blocks also attend to a memory.
        block_class: class of the blocks, with the arguments of `Block`.
    """

    def __init__(self, config: Config, *, cross: bool = False, block_class: type[Block] = Block, **keywords):
        super().__init__(**keywords)
        self.config, self.cross, self.block_class = config, cross, block_class
        self.blocks = self._make_blocks()
        self.schemes = schemes_of_layers(config)
        for scheme in self.schemes:
            if isinstance(scheme, keras.layers.Layer):
                setattr(self, scheme.name, scheme)
        self.norm = make_norm(config) if config.final_norm else None
        self.dropout = Dropout(config.hidden_dropout_prob, name="dropout") \
            if config.final_dropout else None
        self.layerdrop_seed = keras.random.SeedGenerator() if config.layerdrop else None
        self.built = True

    @property
    def layers(self) -> list[keras.layers.Layer]:
        """The blocks, which `Model.summary(expand_nested=True)` shows."""
        return list(self.blocks)

    @property
    def output_shape(self):
        return None, None, self.config.hidden_size

    def _make_blocks(self) -> list[Block]:
        config, scheme = self.config, scheme_class(self.config)
        blocks, unique = [], config.num_hidden_layers
        if config.share == "all":
            unique = config.num_hidden_groups * config.inner_group_num
        for index in range(unique):
            shared = {}
            if blocks and config.share == "attention":
                shared["attention"] = (blocks[0].attention, blocks[0].attention_residual)
            if blocks and config.share == "ffn":
                shared["ffn"] = (blocks[0].ffn, blocks[0].ffn_residual)
            blocks.append(self.block_class(config, scheme, cross=self.cross, name=f"block_{index}",
                                           attention_norm=config.first_norm or index > 0, **shared))
        return blocks

    def layers_in_order(self) -> list[Block]:
        """The blocks in the order in which the layers apply them."""
        config = self.config
        if config.share != "all":
            return self.blocks
        inner, depth = config.inner_group_num, config.num_hidden_layers
        group_of = [layer * config.num_hidden_groups // depth for layer in range(depth)]
        return [self.blocks[group * inner + index] for group in group_of for index in range(inner)]

    def empty_cache(self, batch: int, length: int, dtype: str) -> list[dict]:
        shape = (batch, self.config.num_attention_heads, length, self.config.attention_head_dim)
        return [{"self": empty(*shape, dtype)} for _ in self.layers_in_order()]

    def memory_cache(self, memory) -> list[dict]:
        """The keys and values of cross-attention, computed once for a memory `[B,S,H]`."""
        return [{"cross": block.cross.keys_and_values(memory)} for block in self.layers_in_order()]

    def call(self, x, allow=(None,), position_ids=None, head_mask=None,  # noqa: PLR0913 (one seam for every stack)
             memory: Memory | None = None, cache=None, depth=None, training=False, taps=()):
        """Computes the stack.

        Args:
            x: `[B,T,H]`.
            allow: the result of `masks.policy`: masks `[B,1,T,S]`, repeated cyclically over the layers.
            position_ids: int32 `[B,T]`, for rotary positions (default: indices in the row).
            head_mask: factors of the attention of heads, `[N]`, or for each layer `[L,N]`.
            memory: the states for cross-attention.
            cache: `(entries, index)`: one entry per layer, and the index of the first token in them.
            depth: number of layers to apply, without the final norm; None: all.
            taps: additional outputs: "hidden_states", "attentions".

        Returns:
            dict: `output` `[B,T,H]`; `hidden_states`, a tuple of depth + 1, the input first; `attentions` and
            `cross_attentions`, tuples of `[B,N,T,S]`; `cache`, the new entries.
        """
        entries, index = (None, 0) if cache is None else cache
        maps_wanted = "attentions" in taps
        kinds = self._kinds(x, (Kinds(allow), maps_wanted), position_ids, cache)
        hidden_states, attentions, crossed, caches = [x], [], [], []
        layers = self.layers_in_order()
        for layer, block in enumerate(layers[:depth]):
            past = None if entries is None else {**entries[layer], "index": index}
            mask, positions = kinds[layer]
            y, maps, past = block(x, allow=mask, positions=positions, head_mask=_of_layer(head_mask, layer),
                                  memory=_memory_of_layer(memory, layer), cache=past, training=training,
                                  return_maps=maps_wanted)
            x = self._layerdrop(x, y, training)
            hidden_states.append(x)
            attentions += maps[:1]
            crossed += maps[1:]
            caches.append(past)
        if self.norm is not None and depth in (None, len(layers)):
            x = hidden_states[-1] = self.norm(x)
            if self.dropout is not None:
                x = hidden_states[-1] = self.dropout(x, training=training)
        return _result(hidden_states, attentions, crossed, None if entries is None else caches, taps)

    def _kinds(self, x, masks: tuple, position_ids, cache) -> Kinds:
        """`(mask, positions)` of each kind of layer; shared ones are computed once.

        masks: (masks of the kinds, True to convert bands to whole masks).
        """
        allow, must_be_whole = masks
        length, (entries, index) = ops.shape(x)[1], cache or (None, 0)
        keys = length if entries is None else ops.shape(entries[0]["self"][0])[2]
        computed, kinds = {}, []
        for layer in range(math.lcm(len(allow), len(self.schemes))):
            mask, scheme = allow[layer], self.schemes[layer]
            key = id(mask), id(scheme)
            if key not in computed:
                mask = whole(mask) if must_be_whole else mask
                computed[key] = (mask, None) if scheme is None else \
                    positions_of(scheme, mask, position_ids, (index, length, keys))
            kinds.append(computed[key])
        return Kinds(kinds)

    def _layerdrop(self, x, y, training):
        """Skips a layer with probability `layerdrop` in training (Fan et al. 2019, section 3.1)."""
        if not training or not self.config.layerdrop:
            return y
        keep = keras.random.uniform((), seed=self.layerdrop_seed) >= self.config.layerdrop
        return ops.where(keep, y, x)


def positions_of(scheme: PositionScheme, mask, position_ids, indices: tuple) -> tuple:
    """`(mask, positions)`: the mask in the form that the scheme supports, and the positions of one call of a stack.

    indices: (index of the first query among the keys, number of queries, number of keys).
    """
    first, length, keys = indices
    if scheme.scores_pairs:
        mask = whole(mask)
    rows = ops.arange(length, dtype="int32") + first
    turn = scheme.turn(rows if position_ids is None else position_ids)
    if not isinstance(mask, Band):
        return mask, Positions(scheme, turn, scheme.bias(rows, ops.arange(keys, dtype="int32")))
    bias = scheme.bias(*mask.indices())
    return mask, Positions(scheme, turn, None if bias is None else bias[:, :, None])  # the same for all blocks


def _of_layer(head_mask, layer: int):
    """The head mask `[N]` of a layer, from that of all layers `[L,N]`, or one for each `[N]`."""
    return head_mask if head_mask is None or len(head_mask.shape) == 1 else head_mask[layer]


def _memory_of_layer(memory: Memory | None, layer: int) -> Memory | None:
    if memory is None or memory.head_mask is None:
        return memory
    return dataclasses.replace(memory, head_mask=_of_layer(memory.head_mask, layer))


def _result(hidden_states: list, attentions: list, crossed: list, cache: list | None, taps) -> dict:
    result = {"output": hidden_states[-1]}
    if "hidden_states" in taps:
        result["hidden_states"] = tuple(hidden_states)
    if "attentions" in taps:
        result["attentions"] = tuple(attentions)
        if crossed:
            result["cross_attentions"] = tuple(crossed)
    return result if cache is None else {**result, "cache": cache}

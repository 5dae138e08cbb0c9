"""Mask policies: pure functions that return a boolean mask `allow`, True where a query can attend to a key.

        full       causal     causal_reverse   prefix (2)    local: causal (window 2), full (window 2)
        1 1 1 1    1 . . .    1 1 1 1          1 1 . .       1 . . .    1 1 . .
        1 1 1 1    1 1 . .    . 1 1 1          1 1 . .       1 1 . .    1 1 1 .
        1 1 1 1    1 1 1 .    . . 1 1          1 1 1 .       . 1 1 .    . 1 1 1
        1 1 1 1    1 1 1 1    . . . 1          1 1 1 1       . . 1 1    . . 1 1
"""

from keras import ops

from tfplm.core.config import Config
from tfplm.layers.kinds import Kinds
from tfplm.layers.masks.bands import Band, pays


def _grid(length, key_length, offset):
    rows = ops.arange(length, dtype="int32")[:, None] + offset
    return rows, ops.arange(key_length, dtype="int32")[None, :]


def causal(length, key_length=None, offset=0):
    """`[1,1,T,S]`: position i attends to positions <= i; `offset` is the position of the first query among the keys."""
    rows, columns = _grid(length, length if key_length is None else key_length, offset)
    return ops.expand_dims(columns <= rows, (0, 1))


def causal_reverse(length):
    """`[1,1,T,T]`: position i attends to positions >= i, as in a right-to-left language model."""
    rows, columns = _grid(length, length, 0)
    return ops.expand_dims(columns >= rows, (0, 1))


def prefix(segment_ids):
    """`[B,1,T,T]` from `segment_ids` `[B,T]` (UniLM, Dong et al. 2019, section 2.2).

    Segment 0 attends to itself, segment 1 to segment 0 and its own earlier tokens.
    """
    source = ops.expand_dims(ops.equal(segment_ids, 0), (1, 2))
    target_row = ops.expand_dims(ops.equal(segment_ids, 1), (1, 3))
    length = ops.shape(segment_ids)[1]
    return ops.logical_or(source, ops.logical_and(target_row, causal(length)))


def banded(length, before: int, after: int = 0, key_length=None, offset=0):
    """`[1,1,T,S]`: position i attends to i - before ... i + after (Child et al. 2019)."""
    rows, columns = _grid(length, length if key_length is None else key_length, offset)
    return ops.expand_dims(ops.logical_and(columns <= rows + after, columns >= rows - before), (0, 1))


def padding(attention_mask):
    """`[B,1,1,S]` from `attention_mask` `[B,S]`, 1 for real tokens; a custom mask `[B,T,S]` becomes `[B,1,T,S]`."""
    real = ops.not_equal(attention_mask, 0)
    # not by slices, which LiteRT has not for bool
    return ops.expand_dims(real, 1 if len(real.shape) == 3 else (1, 2))


def combine(*masks):
    """The intersection of masks; None allows all keys."""
    result = None
    for mask in masks:
        if mask is not None:
            result = mask if result is None else ops.logical_and(result, mask)
    return result


def reach(config: Config) -> tuple[int, int]:
    """The number of tokens before and after a token to which it attends in a local layer."""
    window = config.attention_window
    one_way = {"causal": (window - 1, 0), "causal_reverse": (0, window - 1)}
    return one_way.get(config.attention_type, (window // 2, window // 2))


def policy(config: Config, length, attention_mask=None, token_type_ids=None, key_length=None, offset=0) -> Kinds:
    """The masks of the layers of a stack, one for each entry of the layer pattern.

    A mask is None if all keys are allowed, and a `Band` for local layers over long rows.

    Args:
        config: the configuration.
        length, key_length: number of queries and of keys.
        offset: position of the first query among the keys.
        attention_mask: `[B,S]` or `[B,T,S]`, 1 for real tokens.
        token_type_ids: `[B,T]`, for the prefix policy.
    """
    real = None if attention_mask is None else padding(attention_mask)

    def global_mask():
        if config.attention_type == "full":
            return real
        if config.attention_type == "prefix":
            if token_type_ids is None:
                raise ValueError("attention_type 'prefix' needs token_type_ids: 0 for the source, 1 for the target")
            return combine(prefix(token_type_ids), real)
        if config.attention_type == "causal_reverse":
            return combine(causal_reverse(length), real)
        return combine(causal(length, key_length, offset), real)

    def local_mask():
        before, after = reach(config)
        custom = attention_mask is not None and len(attention_mask.shape) == 3
        if config.attention_type == "prefix":
            return combine(global_mask(), banded(length, before, after))
        longest = length if isinstance(length, int) else config.max_position_embeddings
        if key_length is None and not custom and pays(longest, before, after):
            return Band(before, after, length, None if attention_mask is None else real[:, 0, 0])
        return combine(banded(length, before, after, key_length, offset), real)

    kinds = {kind: {"global": global_mask, "local": local_mask}[kind]() for kind in dict.fromkeys(config.layer_kinds)}
    return Kinds(kinds[kind] for kind in config.layer_kinds)


def whole(mask):
    """Converts a `Band` to one mask `[1 or B,1,T,T]`; other masks are returned unchanged."""
    if not isinstance(mask, Band):
        return mask
    return combine(banded(mask.length, mask.before, mask.after), None if mask.real is None else padding(mask.real))

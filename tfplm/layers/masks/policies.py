"""Mask policies: pure functions that tell which keys each query may attend to, as one boolean `allow`, True = may.

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
    """`[1,1,T,S]`: position i looks at positions <= i; the first query stands at `offset` among the keys."""
    rows, columns = _grid(length, length if key_length is None else key_length, offset)
    return (columns <= rows)[None, None]


def causal_reverse(length):
    """`[1,1,T,T]`: position i looks at positions >= i: a right-to-left language model."""
    rows, columns = _grid(length, length, 0)
    return (columns >= rows)[None, None]


def prefix(segment_ids):
    """`[B,1,T,T]` of `segment_ids` `[B,T]`: segment 0 sees all of itself, segment 1 sees segment 0 and its own past
    (UniLM, Dong et al. 2019, section 2.2)."""
    source = ops.equal(segment_ids, 0)[:, None, None, :]
    target_row = ops.equal(segment_ids, 1)[:, None, :, None]
    length = ops.shape(segment_ids)[1]
    return ops.logical_or(source, ops.logical_and(target_row, causal(length)))


def banded(length, before: int, after: int = 0, key_length=None, offset=0):
    """`[1,1,T,S]`: position i looks at i - before ... i + after (Child et al. 2019)."""
    rows, columns = _grid(length, length if key_length is None else key_length, offset)
    return ops.logical_and(columns <= rows + after, columns >= rows - before)[None, None]


def padding(attention_mask):
    """`[B,1,1,S]` of `attention_mask` `[B,S]`, 1 = real; a mask `[B,T,S]` of the caller's own gives `[B,1,T,S]`."""
    real = ops.not_equal(attention_mask, 0)
    return real[:, None] if len(real.shape) == 3 else real[:, None, None, :]


def combine(*masks):
    """What all of the masks allow; None allows everything."""
    result = None
    for mask in masks:
        if mask is not None:
            result = mask if result is None else ops.logical_and(result, mask)
    return result


def reach(config: Config) -> tuple[int, int]:
    """How many tokens before and after its own a local layer looks at."""
    window = config.attention_window
    one_way = {"causal": (window - 1, 0), "causal_reverse": (0, window - 1)}
    return one_way.get(config.attention_type, (window // 2, window // 2))


def policy(config: Config, length, attention_mask=None, token_type_ids=None, key_length=None, offset=0) -> Kinds:
    """The masks of a stack's layers, one for each entry of the layer pattern; None where everything is allowed. Of local
    layers over long rows a `Band`.

    Args:
        length, key_length: numbers of queries and of keys; offset: place of the first query among the keys.
        attention_mask: `[B,S]` or `[B,T,S]`, 1 = real. token_type_ids: `[B,T]`, for the prefix policy.
    """
    real = None if attention_mask is None else padding(attention_mask)

    def over_all():
        if config.attention_type == "full":
            return real
        if config.attention_type == "prefix":
            if token_type_ids is None:
                raise ValueError("attention_type 'prefix' needs token_type_ids: 0 for the source, 1 for the target")
            return combine(prefix(token_type_ids), real)
        if config.attention_type == "causal_reverse":
            return combine(causal_reverse(length), real)
        return combine(causal(length, key_length, offset), real)

    def over_neighbours():
        before, after = reach(config)
        own = attention_mask is not None and len(attention_mask.shape) == 3
        if config.attention_type == "prefix":
            return combine(over_all(), banded(length, before, after))
        longest = length if isinstance(length, int) else config.max_position_embeddings
        if key_length is None and not own and pays(longest, before, after):
            return Band(before, after, length, None if attention_mask is None else real[:, 0, 0])
        return combine(banded(length, before, after, key_length, offset), real)

    kinds = {kind: {"global": over_all, "local": over_neighbours}[kind]() for kind in dict.fromkeys(config.layer_kinds)}
    return Kinds(kinds[kind] for kind in config.layer_kinds)


def whole(mask):
    """A `Band` as one mask `[1 or B,1,T,T]`; others as they are."""
    if not isinstance(mask, Band):
        return mask
    return combine(banded(mask.length, mask.before, mask.after), None if mask.real is None else padding(mask.real))

"""Mask policies: pure functions that say who may look at whom, as one boolean `allow`, True = may look.

        full       causal     causal_reverse   prefix (2)    sparse (window 2)
        1 1 1 1    1 . . .    1 1 1 1          1 1 . .       1 . . .
        1 1 1 1    1 1 . .    . 1 1 1          1 1 . .       1 1 . .
        1 1 1 1    1 1 1 .    . . 1 1          1 1 1 .       . 1 1 .
        1 1 1 1    1 1 1 1    . . . 1          1 1 1 1       . . 1 1
"""

from keras import ops

from tfplm.core.config import Config


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


def banded(length, window: int, key_length=None, offset=0):
    """`[1,1,T,S]`: position i looks at the `window` positions i - window + 1 ... i (Child et al. 2019)."""
    rows, columns = _grid(length, length if key_length is None else key_length, offset)
    return ops.logical_and(columns <= rows, columns > rows - window)[None, None]


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


def policy(config: Config, length, attention_mask=None, token_type_ids=None, key_length=None, offset=0) -> tuple:
    """The masks of a stack's layers, one for all or several in rotation; None where everything is allowed.

    Args:
        length, key_length: numbers of queries and of keys; offset: place of the first query among the keys.
        attention_mask: `[B,S]` or `[B,T,S]`, 1 = real. token_type_ids: `[B,T]`, for the prefix policy.
    """
    real = None if attention_mask is None else padding(attention_mask)
    kind = config.attention_type
    if kind == "full":
        return (real,)
    if kind == "prefix":
        if token_type_ids is None:
            raise ValueError("attention_type 'prefix' needs token_type_ids: 0 for the source, 1 for the target")
        return (combine(prefix(token_type_ids), real),)
    if kind == "causal_reverse":
        return (combine(causal_reverse(length), real),)
    dense = combine(causal(length, key_length, offset), real)
    if kind == "causal":
        return (dense,)
    return (dense, combine(banded(length, config.attention_window, key_length, offset), real))

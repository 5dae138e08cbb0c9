"""The key-value cache of incremental decoding: tensors of a fixed length that each step writes into."""

from keras import ops


def empty(batch: int, heads: int, length: int, head_dim: int, dtype: str) -> tuple:
    """Keys and values `[B,N,S,D]` for `length` positions."""
    zeros = ops.zeros((batch, heads, length, head_dim), dtype=dtype)
    return zeros, zeros


def write(past: tuple, new: tuple, index) -> tuple:
    """`past` with `new` `[B,N,T,D]` in the places `index ... index + T - 1`."""
    return tuple(ops.slice_update(old, (0, 0, index, 0), ops.cast(fresh, old.dtype)) for old, fresh in zip(past, new))


def reorder(cache: list[dict], rows) -> list[dict]:
    """The cache of the chosen batch rows (int32 `[B]`): what beam search does after each step."""
    def take(pair):
        return tuple(ops.take(tensor, rows, axis=0) for tensor in pair)

    return [{**layer, **{name: take(layer[name]) for name in ("self", "cross") if name in layer}} for layer in cache]

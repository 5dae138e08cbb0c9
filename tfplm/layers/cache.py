"""The key-value cache of incremental decoding: tensors of a fixed length that each step writes into."""

from keras import ops


def empty(batch: int, heads: int, length: int, head_dim: int, dtype: str) -> tuple:
    """Keys and values `[B,N,S,D]` for `length` positions."""
    zeros = ops.zeros((batch, heads, length, head_dim), dtype=dtype)
    return zeros, zeros


def write(past: tuple, new: tuple, index) -> tuple:
    """`past` with `new` `[B,N,T,D]` in the places `index ... index + T - 1`."""
    return tuple(ops.slice_update(old, (0, 0, index, 0), ops.cast(fresh, old.dtype)) for old, fresh in zip(past, new))


def kept(cache: list[dict]) -> list[dict]:
    """The tensors of a cache, without the place that a step was told."""
    return [{name: layer[name] for name in ("self", "cross") if name in layer} for layer in cache]


def grow(cache: list[dict], length: int) -> list[dict]:
    """The cache with `length` places, the new ones zero."""
    def padded(tensor):
        return ops.pad(tensor, [[0, 0], [0, 0], [0, length - tensor.shape[2]], [0, 0]])

    return [{**layer, "self": tuple(map(padded, layer["self"]))} for layer in cache]


def repeat(cache: list[dict], times: int) -> list[dict]:
    """The cache with each batch row `times` times in a row: for beams or samples of one prompt."""
    if times == 1:
        return cache
    return [{name: tuple(ops.repeat(tensor, times, axis=0) for tensor in pair) for name, pair in layer.items()}
            for layer in cache]


def reorder(cache: list[dict], rows) -> list[dict]:
    """The cache of the chosen batch rows (int32 `[B]`): what beam search does after each step.

    Cross-attention is left as it is: the rows of one example look at the same memory.
    """
    return [{**layer, "self": tuple(ops.take(tensor, rows, axis=0) for tensor in layer["self"])} for layer in cache]

"""The key-value cache of incremental decoding: tensors of a fixed length, to which each step writes."""

from keras import ops


def empty(batch: int, heads: int, length: int, head_dim: int, dtype: str) -> tuple:
    """Empty keys and values `[B,N,S,D]` for `length` positions."""
    zeros = ops.zeros((batch, heads, length, head_dim), dtype=dtype)
    return zeros, zeros


def write(past: tuple, new: tuple, index) -> tuple:
    """`past` with `new` `[B,N,T,D]` at the positions `index ... index + T - 1`."""
    return tuple(ops.slice_update(old, (0, 0, index, 0), ops.cast(fresh, old.dtype)) for old, fresh in zip(past, new))


def kept(cache: list[dict]) -> list[dict]:
    """The tensors of a cache, without the index that was passed to a step."""
    return [{name: layer[name] for name in ("self", "cross") if name in layer} for layer in cache]


def grow(cache: list[dict], length: int) -> list[dict]:
    """The cache with `length` positions, of which the new ones are zero."""
    def padded(tensor):
        return ops.pad(tensor, [[0, 0], [0, 0], [0, length - tensor.shape[2]], [0, 0]])

    return [{**layer, "self": tuple(map(padded, layer["self"]))} for layer in cache]


def repeat(cache: list[dict], times: int) -> list[dict]:
    """The cache with each batch row repeated `times` times, for beams or samples of one prompt."""
    if times == 1:
        return cache
    return [{name: tuple(ops.repeat(tensor, times, axis=0) for tensor in pair) for name, pair in layer.items()}
            for layer in cache]


def reorder(cache: list[dict], rows) -> list[dict]:
    """The cache of the given batch rows (int32 `[B]`), as needed after each step of beam search.

    Cross-attention is not changed, as the rows of one example attend to the same memory.
    """
    return [{**layer, "self": tuple(ops.take(tensor, rows, axis=0) for tensor in layer["self"])} for layer in cache]

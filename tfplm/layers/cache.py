"""The key-value cache of incremental decoding: tensors of a fixed length, to which each step writes."""

from keras import ops

from tfplm.layers.kernels.plain import is_plain


def empty(batch: int, heads: int, length: int, head_dim: int, dtype: str) -> tuple:
    """Empty keys and values `[B,N,S,D]` for `length` positions."""
    zeros = ops.zeros((batch, heads, length, head_dim), dtype=dtype)
    return zeros, zeros


def write(past: tuple, new: tuple, index) -> tuple:
    """`past` with `new` `[B,N,T,D]` at the positions `index ... index + T - 1`."""
    update = _plain_update if is_plain() else ops.slice_update
    return tuple(update(old, (0, 0, index, 0), ops.cast(fresh, old.dtype)) for old, fresh in zip(past, new))


def _plain_update(old, start: tuple, new):
    """The same without an operation of XLA's, which other programs do not have."""
    index = start[2]
    if new.shape[2] == 1 and old.shape[2] is not None:
        here = ops.equal(ops.arange(old.shape[2], dtype="int32"), index)
        result = ops.where(here[None, None, :, None], new, old)
    else:
        result = ops.concatenate([old[:, :, :index], new, old[:, :, index + ops.shape(new)[2]:]], axis=2)
    result.set_shape(old.shape)  # the number of positions stays known, as loops need it
    return result


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

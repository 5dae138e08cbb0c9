"""A tensor that is not read yet: what every reader returns and every writer takes."""

import dataclasses
import functools
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import ml_dtypes
import numpy as np

# the dtypes of weights; safetensors' name -> NumPy's
DTYPES = {
    "F64": np.float64, "F32": np.float32, "F16": np.float16, "BF16": ml_dtypes.bfloat16,
    "F8_E4M3": ml_dtypes.float8_e4m3fn, "F8_E5M2": ml_dtypes.float8_e5m2,
    "I64": np.int64, "I32": np.int32, "I16": np.int16, "I8": np.int8,
    "U64": np.uint64, "U32": np.uint32, "U16": np.uint16, "U8": np.uint8, "BOOL": np.bool_,
}
DTYPES = {name: np.dtype(dtype) for name, dtype in DTYPES.items()}
KINDS = {dtype: name for name, dtype in DTYPES.items()}


@dataclasses.dataclass(frozen=True)
class Tensor:
    """A tensor that is not read yet: its shape, its NumPy dtype, and the function that reads it."""

    shape: tuple[int, ...]
    dtype: np.dtype
    read: Callable[[], np.ndarray]

    @property
    def nbytes(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize


def mapped(path: Path, dtype: np.dtype, offset: int, shape: tuple[int, ...]) -> np.ndarray:
    """A read-only view of a part of a file. Each view has its own mapping, so that its pages go when it goes."""
    if 0 in shape:
        return np.empty(shape, dtype)  # nothing can be mapped of nothing
    return np.asarray(np.memmap(path, dtype, "r", offset, shape))


def tensor_table(tensors: Mapping | Iterable) -> dict[str, Tensor]:
    """name -> Tensor of a dict, a Checkpoint or (name, array) pairs; what is a Tensor already is not read.

    A name that comes twice, or a dtype that no checkpoint knows, is a ValueError.
    """
    tensors = getattr(tensors, "tensors", tensors)  # a Checkpoint's own table is lazy
    table = {}
    for name, value in tensors.items() if isinstance(tensors, Mapping) else tensors:
        if name in table:
            raise ValueError(f"tensor '{name}' comes twice")
        if not isinstance(value, Tensor):
            array = np.asarray(value)
            array = array.astype(array.dtype.newbyteorder("<"), copy=False)
            value = Tensor(array.shape, array.dtype, functools.partial(np.asarray, array))
        if value.dtype not in KINDS:
            raise ValueError(f"tensor '{name}' has dtype {value.dtype}, which is not supported; known are "
                             f"{', '.join(map(str, KINDS))}")
        table[name] = value
    return table


def split(table: dict[str, Tensor], max_bytes: int) -> list[dict[str, Tensor]]:
    """The table in parts of at most `max_bytes`, in order; a tensor that is larger has a part of its own."""
    parts: list[dict[str, Tensor]] = [{}]
    size = 0
    for name, tensor in table.items():
        if parts[-1] and size + tensor.nbytes > max_bytes:
            parts.append({})
            size = 0
        parts[-1][name] = tensor
        size += tensor.nbytes
    return parts

"""Lazy tensors, which readers return and writers accept."""

import dataclasses
import functools
import math
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
MAX_AXES = 32  # of NumPy 1
MAX_COUNT = 1 << 63  # of elements and bytes, as NumPy counts them


@dataclasses.dataclass(frozen=True)
class Tensor:
    """A lazy tensor: its shape, its NumPy dtype, and the function that reads it."""

    shape: tuple[int, ...]
    dtype: np.dtype
    read: Callable[[], np.ndarray]

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize


def check_shape(path: Path, name: str, shape: tuple[int, ...], dtype: np.dtype) -> None:
    """Raises ValueError unless NumPy can represent a tensor of this shape, which may be empty."""
    if len(shape) > MAX_AXES or math.prod(size or 1 for size in shape) * dtype.itemsize >= MAX_COUNT:
        raise ValueError(f"{path}: tensor {name[:200]!r} has {len(shape)} axes and the sizes {list(shape[:8])}, expected at "
                         f"most {MAX_AXES} axes and {MAX_COUNT} bytes: the file is damaged, fetch it again")


def mapped(path: Path, dtype: np.dtype, offset: int, shape: tuple[int, ...]) -> np.ndarray:
    """A read-only view of a part of a file. Each view has its own mapping, so that its pages are released with it."""
    if 0 in shape:
        return np.empty(shape, dtype)  # an empty mapping is not possible
    return np.asarray(np.memmap(path, dtype, "r", offset, shape))


def tensor_table(tensors: Mapping | Iterable) -> dict[str, Tensor]:
    """Maps names to Tensors, from a dict, a Checkpoint or (name, array) pairs; lazy tensors are not read.

    Raises ValueError for a repeated name or an unsupported dtype.
    """
    tensors = getattr(tensors, "tensors", tensors)  # the table of a Checkpoint is lazy
    table = {}
    for name, value in tensors.items() if isinstance(tensors, Mapping) else tensors:
        if name in table:
            raise ValueError(f"tensor '{name}' occurs twice; each name must be unique")
        if not isinstance(value, Tensor):
            array = np.asarray(value)
            array = array.astype(array.dtype.newbyteorder("<"), copy=False)
            value = Tensor(array.shape, array.dtype, functools.partial(np.asarray, array))
        if value.dtype not in KINDS:
            raise ValueError(f"tensor '{name}' has dtype {value.dtype}, which is not supported; expected "
                             f"{', '.join(map(str, KINDS))}")
        table[name] = value
    return table


def split(table: dict[str, Tensor], max_bytes: int) -> list[dict[str, Tensor]]:
    """Splits the table, in order, into parts of at most `max_bytes`; a larger tensor forms a separate part."""
    parts: list[dict[str, Tensor]] = [{}]
    size = 0
    for name, tensor in table.items():
        if parts[-1] and size + tensor.nbytes > max_bytes:
            parts.append({})
            size = 0
        parts[-1][name] = tensor
        size += tensor.nbytes
    return parts

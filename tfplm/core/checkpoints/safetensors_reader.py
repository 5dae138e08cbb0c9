"""A reader of safetensors files that returns views of the file.

A file is 8 bytes (the header's length, little-endian), a JSON header `{name: {dtype, shape, data_offsets}}`, and the
data. The safetensors library copies each tensor from a permanent mapping of the whole file; a separate view for each
tensor needs no copy and releases its pages. All values in the header are validated.
"""

import functools
import json
import reprlib
from pathlib import Path

import numpy as np

from tfplm.core.checkpoints.checkpoint import reject_pointer
from tfplm.core.checkpoints.tensor import DTYPES, MAX_AXES, Tensor, check_shape, mapped
from tfplm.core.files import naming_the_file

MAX_HEADER = 100_000_000  # bytes; the limit of the safetensors library


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a file by name. Raises ValueError if the file is truncated or damaged, or has an unknown dtype."""
    reject_pointer(path)
    with naming_the_file(path):
        return _read(path)


def _read(path: Path) -> dict[str, Tensor]:
    header, start = _header(path)
    spans = {name: _span(path, name, entry) for name, entry in header.items() if name != "__metadata__"}
    end = 0
    for first, stop, name in sorted((*offsets, name) for name, (_, _, offsets) in spans.items()):
        if first != end:
            raise ValueError(f"{path}: tensor '{name}' starts at byte {first} of the data, expected {end}: tensors "
                             "overlap or leave gaps; the file is damaged, fetch it again")
        end = stop
    if (found := path.stat().st_size) != start + end:
        raise ValueError(f"{path}: found {found} bytes, its header expects {start + end}: the file is "
                         f"{'truncated' if found < start + end else 'damaged'}, fetch it again")
    return {name: Tensor(shape, dtype, functools.partial(mapped, path, dtype, start + first, shape))
            for name, (dtype, shape, (first, _)) in spans.items()}


def _header(path: Path) -> tuple[dict, int]:
    """(the header, the offset of the data)."""
    size = path.stat().st_size
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length > MAX_HEADER:
            raise ValueError(f"{path} is not a safetensors file: found {size} bytes, of which the first 8 give a "
                             f"header of {length} bytes; expected 2 to {MAX_HEADER}")
        if 8 + length > size:
            raise ValueError(f"{path}: found {size} bytes, its header alone expects {8 + length}: the file is "
                             "truncated, fetch it again")
        text = file.read(length)
    try:
        header = json.loads(text)
        if not isinstance(header, dict):
            raise ValueError(f"expected an object, found {type(header).__name__}")
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: its header is not a JSON object ({error}): the file is damaged or not a safetensors "
                         "file") from None
    return header, 8 + length


def _span(path: Path, name: str, entry: dict) -> tuple[np.dtype, tuple[int, ...], tuple[int, int]]:
    """(dtype, shape, (start, end)) of a tensor, after checking that they are consistent."""
    try:
        kind, shape, (start, end) = entry["dtype"], tuple(entry["shape"]), entry["data_offsets"]
        fits = isinstance(kind, str) and all(type(number) is int and number >= 0 for number in (*shape, start, end))
    except (TypeError, KeyError, ValueError):
        fits = False
    if not fits:
        raise ValueError(f"{path}: the header's entry of '{name}' is {reprlib.repr(entry)}; expected dtype, shape and two "
                         "data_offsets; the file is damaged, fetch it again")
    if kind not in DTYPES:
        raise ValueError(f"{path}: tensor '{name}' has dtype {kind}, which is not supported; expected "
                         f"{', '.join(DTYPES)}")
    if len(shape) > MAX_AXES or 0 in shape:
        check_shape(path, name, shape, DTYPES[kind])
    needed = DTYPES[kind].itemsize
    for size in shape:  # not np.prod, because Python integers do not overflow
        needed *= size
    if end - start != needed:
        raise ValueError(f"{path}: tensor '{name}' ({kind} {list(shape)}) has {end - start} bytes, expected {needed}; "
                         "the file is damaged, fetch it again")
    return DTYPES[kind], shape, (start, end)

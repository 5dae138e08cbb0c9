"""Reading safetensors files as views of the file.

A file is 8 bytes (the header's length, little-endian), a JSON header `{name: {dtype, shape, data_offsets}}`, and the
data. The safetensors library copies each tensor it hands to NumPy from one mapping that stays; a view of its own for
each tensor needs no copy and gives its pages back. Everything the header claims is checked before it is believed.
"""

import functools
import json
from pathlib import Path

import numpy as np

from tfplm.core.checkpoints.checkpoint import refuse_pointer
from tfplm.core.checkpoints.tensor import DTYPES, Tensor, mapped

MAX_HEADER = 100_000_000  # bytes; the library's own limit


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """The tensors of one file, by name. ValueError where the file is truncated, damaged, or of an unknown dtype."""
    refuse_pointer(path)
    header, start = _header(path)
    spans = {name: _span(path, name, entry) for name, entry in header.items() if name != "__metadata__"}
    end = 0
    for begin, stop, name in sorted((*offsets, name) for name, (_, _, offsets) in spans.items()):
        if begin != end:
            raise ValueError(f"{path}: tensor '{name}' begins at byte {begin} of the data, expected {end}: tensors "
                             "overlap or leave holes; the file is damaged, fetch it again")
        end = stop
    if (found := path.stat().st_size) != start + end:
        raise ValueError(f"{path}: found {found} bytes, its header expects {start + end}: the file is "
                         f"{'truncated' if found < start + end else 'damaged'}, fetch it again")
    return {name: Tensor(shape, dtype, functools.partial(mapped, path, dtype, start + begin, shape))
            for name, (dtype, shape, (begin, _)) in spans.items()}


def _header(path: Path) -> tuple[dict, int]:
    """(the header, where the data begin)."""
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
        raise ValueError(f"{path}: its header is not the JSON object it must be ({error}): the file is damaged or "
                         "not a safetensors file") from None
    return header, 8 + length


def _span(path: Path, name: str, entry: dict) -> tuple[np.dtype, tuple[int, ...], tuple[int, int]]:
    """(dtype, shape, (begin, end)) of a tensor, checked against each other."""
    try:
        kind, shape, (begin, end) = entry["dtype"], tuple(entry["shape"]), entry["data_offsets"]
        fits = all(isinstance(number, int) and number >= 0 for number in (*shape, begin, end))
    except (TypeError, KeyError, ValueError):
        fits = False
    if not fits:
        raise ValueError(f"{path}: the header's entry of '{name}' is {entry!r}; expected dtype, shape and two "
                         "data_offsets")
    if kind not in DTYPES:
        raise ValueError(f"{path}: tensor '{name}' has dtype {kind}, which is not supported; known are "
                         f"{', '.join(DTYPES)}")
    needed = DTYPES[kind].itemsize
    for size in shape:  # not np.prod: Python's integers do not overflow
        needed *= size
    if end - begin != needed:
        raise ValueError(f"{path}: tensor '{name}' ({kind} {list(shape)}) has {end - begin} bytes, expected {needed}")
    return DTYPES[kind], shape, (begin, end)

"""A reader of `pytorch_model.bin` without PyTorch, for both layouts of `torch.save`.

zip (PyTorch >= 1.6)   NAME/data.pkl describes the tensors, NAME/data/KEY is an uncompressed storage
legacy                 five pickles (magic number, protocol, system, tensors, storage keys), then for each key the int64
                       number of elements and the storage

Both describe a tensor as a strided view of a storage, which several tensors may share.
"""

import functools
import io
import math
import struct
import zipfile
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

from tfplm.core.checkpoints import torch_pickle
from tfplm.core.checkpoints.checkpoint import reject_pointer
from tfplm.core.checkpoints.tensor import Tensor, check_shape, mapped
from tfplm.core.checkpoints.torch_pickle import View
from tfplm.core.files import naming_the_file

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
# keys under which training programs save the weights: PyTorch Lightning, fairseq, DeepSpeed, Ignite, own loops
NESTED = ("state_dict", "model_state_dict", "model", "net", "network", "module", "weights", "params", "backbone",
          "encoder")
_EXPANDED = 1 << 20  # bytes to which a view may repeat the elements of a smaller storage

Spans = dict[str, tuple[int, int]]  # key of a storage -> its offset in the file, its size in bytes


def read_torch(path: Path) -> dict[str, Tensor]:
    """The tensors of a file by name; other objects are skipped.

    Raises ValueError for a damaged file, for a pickle that names anything but tensors, and for a file without tensors.
    """
    reject_pointer(path)
    with naming_the_file(path), open(path, "rb") as file:
        is_zip = file.read(4) == b"PK\x03\x04"
        file.seek(0)
        try:
            return _tensors(path, *(_zip if is_zip else _legacy)(file, path))
        except KeyError as error:
            raise ValueError(f"{path}: a storage of its pickle is missing ({error}): the file is truncated or damaged, "
                             "fetch it again") from None


def _tensors(path: Path, saved, spans: Spans) -> dict[str, Tensor]:
    views = max((_views(state) for state in _states(saved)), key=len, default={})
    if not views:
        raise ValueError(f"{path}: found no tensors in a {type(saved).__name__}; expected a state dict, names -> "
                         f"tensors, at the top or under {', '.join(NESTED)}")
    return {name: _tensor(path, name, view, spans) for name, view in views.items()}


def _states(saved) -> list[Any]:
    """The object, and what it has under the keys of training programs, also one level deeper."""
    inner = [saved.get(key) for key in NESTED] if isinstance(saved, dict) else []
    return [saved, *inner, *(state.get(key) for state in inner if isinstance(state, dict) for key in NESTED)]


def _views(state) -> dict[str, View]:
    if not isinstance(state, dict):
        return {}
    return {name: view for name, view in state.items() if isinstance(name, str) and isinstance(view, View)}


def _tensor(path: Path, name: str, view: View, spans: Spans) -> Tensor:
    dtype, (start, nbytes) = _dtype(view.dtype), spans[view.storage.key]
    check_shape(path, name, view.shape, dtype)
    if 0 in view.shape:
        return Tensor(view.shape, dtype, functools.partial(np.empty, view.shape, dtype))
    first = view.storage.start * _dtype(view.storage.dtype).itemsize + view.offset * dtype.itemsize
    reach = 1 + sum((size - 1) * stride for size, stride in zip(view.shape, view.strides))  # the elements it spans
    if first + reach * dtype.itemsize > nbytes:
        raise ValueError(f"{path}: tensor '{name}' ends at byte {first + reach * dtype.itemsize} of a storage of "
                         f"{nbytes}: the file is damaged, fetch it again")
    whole = math.prod(view.shape) * dtype.itemsize
    if whole > max(nbytes, _EXPANDED):
        raise ValueError(f"{path}: tensor '{name}' {list(view.shape)} of {whole} bytes repeats the elements of a "
                         f"storage of {nbytes}: expected tensors with elements of their own; save it again after "
                         ".contiguous()")
    strides = tuple(stride * dtype.itemsize for stride in view.strides)

    def read() -> np.ndarray:
        flat = mapped(path, dtype, start + first, (reach,))
        return np.lib.stride_tricks.as_strided(flat, view.shape, strides, writeable=False)

    return Tensor(view.shape, dtype, read)


def _dtype(name: str) -> np.dtype:
    return np.dtype(getattr(ml_dtypes, name, name))


def _zip(file: io.BufferedReader, path: Path) -> tuple[object, Spans]:
    """(saved object, locations of its storages) for the zip layout."""
    try:
        with zipfile.ZipFile(file) as archive:
            entries = {name.partition("/")[2]: archive.getinfo(name) for name in archive.namelist()}
            if "data.pkl" not in entries or any(e.compress_type != zipfile.ZIP_STORED for e in entries.values()):
                raise ValueError(f"{path} is a zip file, but not one of torch.save: expected uncompressed entries, "
                                 f"including data.pkl; found {', '.join(list(entries)[:10])}")
            if "byteorder" in entries and archive.read(entries["byteorder"]) != b"little":
                raise ValueError(f"{path} was written on a big-endian machine, which is not supported")
            saved, storages = torch_pickle.load(io.BytesIO(archive.read(entries["data.pkl"])), path)
        spans = {key: _entry_span(file, entries[f"data/{key}"]) for key in storages}
    except (zipfile.BadZipFile, EOFError, RuntimeError, OSError, struct.error, OverflowError) as error:
        raise ValueError(f"{path}: a truncated or damaged zip file of {path.stat().st_size} bytes ({error}); fetch it "
                         "again") from None
    return saved, spans


def _entry_span(file: io.BufferedReader, entry: zipfile.ZipInfo) -> tuple[int, int]:
    """(offset, size) of the bytes of an entry, from its local header, which PyTorch pads to align the data."""
    file.seek(entry.header_offset)
    local = file.read(30)
    if len(local) < 30 or not local.startswith(b"PK\x03\x04"):
        raise zipfile.BadZipFile(f"no entry at the offset of {entry.filename}")
    start = entry.header_offset + 30 + sum(struct.unpack("<HH", local[26:30]))
    if start + entry.file_size > file.seek(0, io.SEEK_END):
        raise zipfile.BadZipFile(f"{entry.filename} extends past the end of the file")
    return start, entry.file_size


def _legacy(file: io.BufferedReader, path: Path) -> tuple[object, Spans]:
    """(saved object, locations of its storages) for the legacy layout."""
    magic, _ = torch_pickle.load(file, path)
    if magic != LEGACY_MAGIC:
        raise ValueError(f"{path} is not a PyTorch file: expected a zip file or the number {LEGACY_MAGIC:#x}, found a "
                         f"pickled {type(magic).__name__}")
    (_, _), (system, _), (saved, storages), (keys, _) = (torch_pickle.load(file, path) for _ in range(4))
    if not isinstance(system, dict) or not isinstance(keys, list):
        raise ValueError(f"{path}: found a {type(system).__name__} and a {type(keys).__name__}, expected the settings of "
                         "the system and the list of storages: the file is damaged, fetch it again")
    if not system["little_endian"]:
        raise ValueError(f"{path} was written on a big-endian machine, which is not supported")
    spans, size = {}, path.stat().st_size
    for key in map(str, keys):
        count = file.read(8)
        start, nbytes = file.tell(), int.from_bytes(count, "little") * _dtype(storages[key].dtype).itemsize
        if len(count) < 8 or start + nbytes > size:
            raise ValueError(f"{path}: found {size} bytes, storage {key} of {len(keys)} expects {start + nbytes}: the "
                             "file is truncated, fetch it again")
        spans[key] = start, nbytes
        file.seek(start + nbytes)
    return saved, spans

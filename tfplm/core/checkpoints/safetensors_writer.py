"""A writer of safetensors files, single or sharded, in the layout of `transformers`.

Tensors are written one by one, so that only one needs to be in memory; the safetensors library needs all of them at
once.
"""

import json
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from tfplm.core.checkpoints.tensor import KINDS, Tensor, split, tensor_table
from tfplm.core.files import naming_the_space, new_folder

SINGLE = "model.safetensors"
INDEX = "model.safetensors.index.json"
OURS = re.compile(r"model(-\d{5}-of-\d{5})?\.safetensors(\.index\.json)?")


def write_safetensors(directory: str | os.PathLike, tensors: Mapping | Iterable,
                      max_shard_bytes: int = 5_000_000_000) -> list[Path]:
    """Writes `model.safetensors`, or shards and `model.safetensors.index.json` above `max_shard_bytes`.

    tensors: a dict, or pairs, of name and array or lazy Tensor (a Checkpoint works as well). All files are written
    under temporary names and then renamed, so that a failure keeps the old files. Old files of this writer that would
    take precedence over the new ones are removed. Returns the paths written. Raises OSError, with the path and the
    needed bytes, if the disk is full.
    """
    table = tensor_table(tensors)
    parts = split(table, max_shard_bytes)
    names = [SINGLE] if len(parts) == 1 else [f"model-{i:05d}-of-{len(parts):05d}.safetensors"
                                              for i in range(1, len(parts) + 1)]
    needed = sum(tensor.nbytes for tensor in table.values())
    with naming_the_space(Path(directory, names[0]), needed), new_folder(directory) as folder:
        return _write(folder, dict(zip(names, parts)), needed)


def _write(directory: Path, parts: dict[str, dict[str, Tensor]], total: int) -> list[Path]:
    """Writes the files with these names, and the index if there are several."""
    temporary = {name: directory / f"{name}.tmp" for name in parts}
    try:
        for name, part in parts.items():
            _write_file(temporary[name], part)
        if len(parts) > 1:
            temporary[INDEX] = directory / f"{INDEX}.tmp"  # last, because it names the others
            index = {"metadata": {"total_size": total},
                     "weight_map": {key: name for name, part in parts.items() for key in sorted(part)}}
            temporary[INDEX].write_text(json.dumps(index, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        for name, path in temporary.items():
            os.replace(path, directory / name)
    finally:
        for path in temporary.values():
            path.unlink(missing_ok=True)
    for path in directory.iterdir():
        if OURS.fullmatch(path.name) and path.name not in temporary:
            path.unlink()
    return [directory / name for name in temporary]


def _write_file(path: Path, part: dict[str, Tensor]) -> None:
    # wide elements first, so that every tensor is aligned to its element size
    names = sorted(part, key=lambda name: (-part[name].dtype.itemsize, name))
    header: dict[str, dict] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name in names:
        start, end = end, end + part[name].nbytes
        header[name] = {"dtype": KINDS[part[name].dtype], "shape": list(part[name].shape), "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name in names:
            array = np.ascontiguousarray(part[name].read())
            if (array.nbytes, array.dtype) != (part[name].nbytes, part[name].dtype):
                raise ValueError(f"tensor '{name}' was read as {array.dtype} {list(array.shape)}, expected "
                                 f"{part[name].dtype} {list(part[name].shape)}")
            file.write(array.reshape(-1).view(np.uint8).data)

"""Opening of checkpoints: choice of the reader, and joining of shards."""

import json
import os
import re
from pathlib import Path

from tfplm.core.checkpoints.checkpoint import Checkpoint
from tfplm.core.checkpoints.safetensors_reader import read_safetensors
from tfplm.core.checkpoints.tensor import Tensor
from tfplm.core.checkpoints.tf1 import find_prefix, read_tf1
from tfplm.core.checkpoints.torch_reader import read_torch
from tfplm.core.sources import HF_WEIGHTS

EXPECTED = f"one of {', '.join(HF_WEIGHTS)}, or a TensorFlow checkpoint NAME.index + NAME.data-*"


def open_checkpoint(path: str | os.PathLike) -> Checkpoint:
    """Opens the weights in a directory, in a file, or under a TensorFlow checkpoint prefix, without reading them.

    Formats: safetensors and `pytorch_model.bin`, single or in shards with an index (layout "hf"), and TensorFlow
    checkpoints (layout "tf1"). The prefix `module.`, which PyTorch's DataParallel adds to all names, is removed. Raises
    FileNotFoundError, naming the missing file, and ValueError for a damaged or rejected file.
    """
    path = Path(path).expanduser()
    if path.is_dir():
        path = _in_directory(path)
    name = path.name
    if prefix := re.fullmatch(r"(.+)\.(index|data-\d{5}-of-\d{5})", name):
        path = path.with_name(prefix[1])
    if prefix or not path.is_file():
        if not prefix and not Path(f"{path}.index").is_file():
            raise FileNotFoundError(f"there is no checkpoint {path}: expected a directory or a file with the weights, "
                                    f"or the prefix of a TensorFlow checkpoint (nor is there {path.name}.index)")
        return Checkpoint(path, "tf1", read_tf1(path))
    tensors = _read_shards(path) if name.endswith(".json") else _reader(name)(path)
    if tensors and all(name.startswith("module.") for name in tensors):
        tensors = {name.removeprefix("module."): tensor for name, tensor in tensors.items()}
    return Checkpoint(path, "hf", tensors)


def _in_directory(directory: Path) -> Path:
    for name in HF_WEIGHTS:
        if (directory / name).is_file():
            return directory / name
    if prefix := find_prefix(directory):
        return Path(f"{prefix}.index")
    found = ", ".join(sorted(path.name for path in directory.iterdir())) or "nothing, the directory is empty"
    raise FileNotFoundError(f"no weights in {directory}; expected {EXPECTED}; found: {found}")


def _reader(name: str):
    return read_safetensors if name.endswith(".safetensors") else read_torch


def _read_shards(index: Path) -> dict[str, Tensor]:
    """The tensors of all shards listed by an index."""
    try:
        weight_map = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        shards = sorted(set(weight_map.values()))
        missing = [shard for shard in shards if not (index.parent / shard).is_file()]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{index} is not the index of a sharded checkpoint: expected JSON with a weight_map, tensor "
                         f"-> file ({type(error).__name__}: {error})") from None
    if missing:
        raise FileNotFoundError(f"{len(missing)} of {len(shards)} shards listed by {index} are missing: "
                                f"{', '.join(missing)}; put them next to it")
    tables = {shard: _reader(shard)(index.parent / shard) for shard in shards}
    if absent := [f"'{name}' ({shard})" for name, shard in weight_map.items() if name not in tables[shard]]:
        raise ValueError(f"{index} lists {len(absent)} tensors that are not in their shards: {', '.join(absent[:10])}"
                         f"{' ...' if len(absent) > 10 else ''}; index and shards do not belong to the same model")
    return {name: tensor for table in tables.values() for name, tensor in table.items()}

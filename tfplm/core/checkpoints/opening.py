"""Opening of checkpoints: choice of the reader, and joining of shards."""

import os
import re
from pathlib import Path

from tfplm.core.checkpoints.checkpoint import Checkpoint
from tfplm.core.checkpoints.safetensors_reader import read_safetensors
from tfplm.core.checkpoints.tensor import Tensor
from tfplm.core.checkpoints.tf1 import find_prefix, read_tf1
from tfplm.core.checkpoints.torch_reader import read_torch
from tfplm.core.config import read_json
from tfplm.core.sources import HF_WEIGHTS, weights_file

EXPECTED = f"one of {', '.join(HF_WEIGHTS)}, or a TensorFlow checkpoint NAME.index + NAME.data-*"
# parts of names that torch.compile, FSDP and activation checkpointing insert for each wrapped module
_WRAPPERS = re.compile(r"(?:^|(?<=\.))(?:_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module|_forward_module)\.")


def open_checkpoint(path: str | os.PathLike) -> Checkpoint:
    """Opens the weights in a directory, in a file, or under a TensorFlow checkpoint prefix, without reading them.

    Formats: safetensors and `pytorch_model.bin`, single or in shards with an index (layout "hf"), and TensorFlow
    checkpoints (layout "tf1"). What PyTorch's wrappers add to the names is removed: `module.` of DataParallel at the
    start of all names, `_orig_mod.` of torch.compile and the parts of FSDP anywhere. Raises FileNotFoundError, naming
    the missing file, and ValueError for a damaged or rejected file.
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
    return Checkpoint(path, "hf", _without_wrappers(tensors))


def _without_wrappers(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    plain = {_WRAPPERS.sub("", name): tensor for name, tensor in tensors.items()}
    plain = plain if len(plain) == len(tensors) else tensors  # never lose a tensor
    while plain and all(name.startswith("module.") for name in plain):
        plain = {name.removeprefix("module."): tensor for name, tensor in plain.items()}
    return plain


def _in_directory(directory: Path) -> Path:
    if path := weights_file(directory):
        return path
    if prefix := find_prefix(directory):
        return Path(f"{prefix}.index")
    found = ", ".join(sorted(path.name for path in directory.iterdir())) or "nothing, the directory is empty"
    raise FileNotFoundError(f"no weights in {directory}; expected {EXPECTED}; found: {found}")


def _reader(name: str):
    return read_safetensors if name.endswith(".safetensors") else read_torch


def _read_shards(index: Path) -> dict[str, Tensor]:
    """The tensors of all shards listed by an index."""
    weight_map = _weight_map(index)
    shards = sorted(set(weight_map.values()))
    if missing := [shard for shard in shards if not (index.parent / shard).is_file()]:
        raise FileNotFoundError(f"{len(missing)} of {len(shards)} shards listed by {index} are missing: "
                                f"{', '.join(missing[:10])}{' ...' if len(missing) > 10 else ''}; put them next to it")
    tables = {shard: _reader(shard)(index.parent / shard) for shard in shards}
    if absent := [f"'{name}' ({shard})" for name, shard in weight_map.items() if name not in tables[shard]]:
        raise ValueError(f"{index} lists {len(absent)} tensors that are not in their shards: {', '.join(absent[:10])}"
                         f"{' ...' if len(absent) > 10 else ''}; index and shards do not belong to the same model")
    return {name: tensor for table in tables.values() for name, tensor in table.items()}


def _weight_map(index: Path) -> dict[str, str]:
    """Tensor -> file name in the folder of the index."""
    try:
        found = read_json(index).get("weight_map")
        if not isinstance(found, dict) or not found:
            raise ValueError(f"weight_map is a {type(found).__name__}{'' if found else ' without entries'}")
        # not a path, so that an index cannot name files outside its folder; 255 bytes is the limit of file systems
        if wrong := [name for name in found.values() if not isinstance(name, str) or not 0 < len(name.encode()) < 256
                     or name in (".", "..") or set(name) & set("/\\\0") or name.endswith(".json")]:
            raise ValueError(f"a shard is named {str(wrong[0])[:80]!r}")
    except ValueError as error:
        raise ValueError(f"{index} is not the index of a sharded checkpoint: expected JSON with a weight_map, tensor "
                         f"-> file name in the same folder ({error})") from None
    return found

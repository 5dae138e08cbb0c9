"""Reading and writing of TensorFlow checkpoints (`NAME.index` + `NAME.data-*`). TensorFlow is imported on demand.

Published checkpoints also contain the optimizer's variables; only the weights are listed.
"""

import functools
import json
import os
import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

import numpy as np

from tfplm.core.checkpoints.tensor import Tensor, split, tensor_table
from tfplm.core.files import full_disk, naming_the_space, new_folder

ATTRIBUTE = "/.ATTRIBUTES/VARIABLE_VALUE"  # the end of every name in a TF2 object checkpoint
# counters of the training loop, not weights; `_1` with several optimizers
COUNTER = re.compile(r"(.*/)?(global_step|save_counter|beta_?[12]_power|(current_)?loss_scale|good_steps)(_\d+)?")
# an optimizer's slot of the weight W: `W/adam_m`, `W/Adam_1`, `W/LAMB/lamb_v`, `W_slot_vc` (Adafactor)
SLOT = re.compile(r"(?P<weight>.+?)(/(adam|lamb|lars)_[mv]|/(Adam|AdamW|LAMB|LARS|Adagrad|Adadelta|Momentum|RMSProp|"
                  r"Ftrl|AdamWeightDecayOptimizer|ExponentialMovingAverage)(_\d+)?|_slot_(v|vr|vc|m))+")
DATA = re.compile(r"\.data-\d{5}-of-(\d{5})")


def find_prefix(directory: Path) -> Path | None:
    """The prefix of the checkpoint in a directory: the latest according to its `checkpoint` file, or the only one.

    Returns None if there is no checkpoint. Raises ValueError for several checkpoints without a latest one.
    """
    prefixes = sorted(path.with_suffix("") for path in directory.glob("*.index"))
    prefixes = [prefix for prefix in prefixes if prefix.suffix != ".tmp"]  # possibly left by a crash
    if len(prefixes) > 1 and (directory / "checkpoint").is_file():
        import tensorflow as tf

        state = tf.train.get_checkpoint_state(str(directory))
        # released files often contain a path on the machine that trained them: only the name is used
        latest = directory / Path(state.model_checkpoint_path).name if state else None
        if latest in prefixes:
            return latest
    if len(prefixes) > 1:
        raise ValueError(f"{directory} has several checkpoints: {', '.join(p.name for p in prefixes)}; give the path "
                         f"of one, such as {prefixes[-1]}")
    return prefixes[0] if prefixes else None


def read_tf1(prefix: Path) -> dict[str, Tensor]:
    """The weights of a checkpoint by name, without optimizer slots and counters.

    Raises FileNotFoundError for a missing data file, and ValueError if TensorFlow cannot read the checkpoint.
    """
    variables = read_variables(prefix)
    return {name: tensor for name, tensor in variables.items() if is_weight(name, variables)}


def read_variables(prefix: Path) -> dict[str, Tensor]:
    """All numeric variables of a checkpoint by name, those of the optimizer included; errors as in `read_tf1`."""
    import tensorflow as tf

    _check_data_files(prefix)
    try:
        reader = tf.train.load_checkpoint(str(prefix))
        shapes, dtypes = reader.get_variable_to_shape_map(), reader.get_variable_to_dtype_map()
    except (tf.errors.OpError, RuntimeError, ValueError, IndexError) as error:
        raise ValueError(f"{prefix}.index cannot be read as a TensorFlow checkpoint ({error}): it is truncated or "
                         "damaged, fetch it again") from None

    def read(name: str) -> np.ndarray:
        try:
            return np.asarray(reader.get_tensor(name))
        except (tf.errors.OpError, RuntimeError, ValueError, IndexError) as error:
            raise ValueError(f"{prefix}: '{name}' cannot be read ({error}): the data file is truncated or damaged, "
                             "fetch it again") from None

    return {name: Tensor(tuple(shapes[name]), np.dtype(dtypes[name].as_numpy_dtype), functools.partial(read, name))
            for name in sorted(shapes) if dtypes[name] not in (tf.string, tf.resource, tf.variant)}


def is_weight(name: str, names: Collection[str]) -> bool:
    """Returns True if a variable of a checkpoint with `names` is a weight, not an optimizer slot or a counter."""
    if name.startswith("optimizer/") or "/.OPTIMIZER_SLOT/" in name or COUNTER.fullmatch(name.removesuffix(ATTRIBUTE)):
        return False
    if (slot := SLOT.fullmatch(name)) is None:
        return True
    weight = slot["weight"]
    # a slot that was made inside of the scope of the weight has the scope twice
    return not any(weight[start:] in names for start in (0, *(i + 1 for i, char in enumerate(weight) if char == "/")))


def _data_files(prefix: Path) -> list[Path]:
    return [path for path in prefix.parent.iterdir()
            if path.name.startswith(prefix.name) and DATA.fullmatch(path.name.removeprefix(prefix.name))]


def _check_data_files(prefix: Path) -> None:
    if not Path(f"{prefix}.index").is_file():
        raise FileNotFoundError(f"{prefix}.index is missing; a TensorFlow checkpoint is NAME.index and NAME.data-*: "
                                "add the index")
    found = {path.name for path in _data_files(prefix)}
    last = DATA.search(max(found, default=""))
    count = int(last[1]) if last else 1
    expected = {f"{prefix.name}.data-{i:05d}-of-{count:05d}" for i in range(count)}
    if missing := sorted(expected - found):
        raise FileNotFoundError(f"{prefix}.index exists, but not {', '.join(missing)}: the index only names the "
                                f"tensors; put the data file{'s' if len(missing) > 1 else ''} next to it")


def write_tf1(prefix: str | os.PathLike, tensors: Mapping | Iterable, max_shard_bytes: int = 5_000_000_000) -> Path:
    """Writes `PREFIX.index`, `PREFIX.data-00000-of-00001` and the `checkpoint` file that names it as the latest.

    tensors: a dict, or pairs, of name and array or lazy Tensor (a Checkpoint works as well). There is a data file for
    every `max_shard_bytes`, which is also the memory needed. All files are written under temporary names and then
    renamed, so that a failure keeps the old files. Returns the prefix for `tf.train.load_checkpoint`.
    Raises OSError, with the path and the needed bytes, if the disk is full.
    """
    import tensorflow as tf

    prefix, table = Path(prefix), tensor_table(tensors)
    needed = sum(tensor.nbytes for tensor in table.values())
    try:
        with naming_the_space(f"{prefix}.index", needed), new_folder(prefix.parent):
            _write(prefix, split(table, max_shard_bytes))
    except tf.errors.OpError as error:
        full = any(reason in str(error) for reason in ("No space left", "File too large", "quota exceeded"))
        if full or isinstance(error, tf.errors.ResourceExhaustedError):
            raise full_disk(f"{prefix}.index", needed) from None
        raise OSError(f"{prefix}.index cannot be written ({str(error).splitlines()[0]}): check the folder, or choose "
                      "another one") from None
    return prefix


def _write(prefix: Path, parts: list[dict[str, Tensor]]) -> None:
    import tensorflow as tf

    temporary = prefix.with_name(f"{prefix.name}.tmp")
    names = [f"{prefix.name}.part{i}.tmp" for i in range(len(parts))]
    try:
        for name, part in zip(names, parts):
            tf.raw_ops.SaveV2(prefix=str(prefix.with_name(name)), tensor_names=list(part),
                              shape_and_slices=[""] * len(part),
                              tensors=[tf.convert_to_tensor(tensor.read()) for tensor in part.values()])
        tf.raw_ops.MergeV2Checkpoints(checkpoint_prefixes=[str(prefix.with_name(name)) for name in names],
                                      destination_prefix=str(temporary), delete_old_dirs=False)
        old, new = _data_files(prefix), {path: path.with_name(path.name.replace(temporary.name, prefix.name, 1))
                                         for path in _data_files(temporary)}
        for source, target in new.items():
            os.replace(source, target)
        os.replace(f"{temporary}.index", f"{prefix}.index")
    finally:
        for path in list(prefix.parent.iterdir()):
            if path.name.startswith((f"{temporary.name}.", *(f"{name}." for name in names))):
                path.unlink()
    for path in set(old) - set(new.values()):
        path.unlink()
    latest = json.dumps(prefix.name, ensure_ascii=False)
    state = prefix.with_name("checkpoint.tmp")
    state.write_text(f"model_checkpoint_path: {latest}\nall_model_checkpoint_paths: {latest}\n", encoding="utf-8")
    os.replace(state, prefix.with_name("checkpoint"))

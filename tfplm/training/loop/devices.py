"""Visible GPUs and their memory."""

import logging
import os
import subprocess

import tensorflow as tf

from tfplm.options.base import DeviceOptions

log = logging.getLogger(__name__)


def set_devices_of(options: DeviceOptions) -> None:
    """Calls `set_devices` with the settings of a verb, if it has any. Raises the same errors."""
    settings = {"gpu": options.gpu, "memory_fraction": options.memory_fraction, "memory_limit": options.memory_limit,
                "allow_growth": options.allow_growth or None}
    if given := {name: value for name, value in settings.items() if value is not None}:
        set_devices(**given)


def set_devices(gpu: int | str | None = None, memory_fraction: float | None = None, memory_limit: int | None = None,
                allow_growth: bool = False) -> list[str]:
    """Sets the visible GPUs and the limits of their memory; must be called before TensorFlow uses a device.

    These are the TF1 settings `CUDA_VISIBLE_DEVICES`, `per_process_gpu_memory_fraction` and `allow_growth`, for
    TensorFlow 2. Settings that are the same as before have no effect, at any time.

    Args:
        gpu: index of the visible GPU, several as `"0,2"`, or -1 for none (CPU only); None: all are visible.
        memory_fraction: fraction of the memory of each visible GPU that this process can use, in (0, 1].
        memory_limit: the same as an absolute number, in MiB. At most one of the two can be given.
        allow_growth: allocate memory when it is needed, instead of all at once; with a limit, up to the limit.

    Returns:
        The names of the visible GPUs; without any, a warning says that limits of memory have no effect.

    Raises:
        ValueError: a GPU does not exist, or the settings are contradictory.
        RuntimeError: TensorFlow has made its devices, so other settings are too late.
    """
    _check_memory(memory_fraction, memory_limit)
    present = tf.config.list_physical_devices("GPU")
    chosen = present if gpu is None else [_device(present, index) for index in _indices(gpu)]
    if not chosen and (memory_fraction or memory_limit or allow_growth):
        log.warning("no GPU is used, so the settings of its memory have no effect")
    try:
        if gpu is not None:
            tf.config.set_visible_devices(chosen, "GPU")
        for device in chosen:
            if limit := memory_limit or (memory_fraction and int(memory_fraction * _memory_of(present, device))):
                tf.config.set_logical_device_configuration(device, [tf.config.LogicalDeviceConfiguration(limit)])
                if allow_growth:  # TensorFlow rejects set_memory_growth with a limit; its allocator uses this variable
                    os.environ["TF_FORCE_GPU_ALLOW_GROWTH"] = "true"
            elif allow_growth:
                tf.config.experimental.set_memory_growth(device, True)
    except RuntimeError as error:
        raise RuntimeError(f"TensorFlow has made its devices, so it is too late for other settings of GPUs ({error}); "
                           "expected them before the first tensor, model or strategy of the process: give them to the "
                           "first verb that is called, or call tfplm.training.set_devices(...) at the start") from error
    return [device.name for device in chosen]


def _check_memory(fraction: float | None, limit: int | None) -> None:
    if fraction is not None and limit is not None:
        raise ValueError(f"memory_fraction is {fraction} and memory_limit is {limit}; expected only one of them: omit "
                         "the other")
    if fraction is not None and not 0 < fraction <= 1:
        raise ValueError(f"memory_fraction is {fraction}; expected a fraction in (0, 1], such as 0.33")
    if limit is not None and limit <= 0:
        raise ValueError(f"memory_limit is {limit}; expected a number of MiB, such as 4096")


def _indices(gpu: int | str) -> list[int]:
    try:
        indices = [int(part) for part in str(gpu).split(",")]
    except ValueError as error:
        raise ValueError(f"gpu is {gpu!r}; expected an index such as 0, several as in '0,1', or -1 for none: change --gpu"
                         ) from error
    return [] if indices == [-1] else sorted(set(indices))


def _device(present: list, index: int):
    if not 0 <= index < len(present):
        indices = ", ".join(map(str, range(len(present)))) or "none"
        raise ValueError(f"there is no GPU {index}; expected one of the GPUs of this machine ({indices}), or -1 for the "
                         "CPU: change --gpu")
    return present[index]


def _memory_of(present: list, device) -> int:
    """The total memory of a GPU in MiB, from nvidia-smi, as TensorFlow provides it only after initialization."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    query = ["nvidia-smi", "--query-gpu=memory.total", "--format=csv,noheader,nounits"]
    if visible:
        query.append(f"--id={visible}")
    try:
        lines = subprocess.run(query, capture_output=True, text=True, check=True, timeout=60).stdout.split()
        return int(lines[present.index(device)])
    except (OSError, subprocess.SubprocessError, ValueError, IndexError) as error:
        raise ValueError(f"the memory of {device.name} could not be read from nvidia-smi ({error}); "
                         "use memory_limit in MiB instead of memory_fraction") from error

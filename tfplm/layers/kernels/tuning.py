"""What is fast on this processor, as it was measured: the library of float32 products, and the precision.

Which is faster does not follow from the processor's features. On Zen 4 oneDNN and XLA reach the peak of float32, on Zen 5
oneDNN reaches 57 % of the speed of XLA. Of two processors with the same bfloat16 units one is twice as fast in bfloat16, the
other half as fast. So small pieces of work are timed, once on each machine, and the times are kept in a folder, see
`tfplm.core.machine.measurements`.
"""

import contextlib
import functools
import os
from concurrent.futures import ThreadPoolExecutor

import tensorflow as tf

from tfplm.core.machine.measurements import file_of, recall, remember
from tfplm.core.machine.processor import processor
from tfplm.layers.kernels import timing
from tfplm.layers.kernels.plain import is_plain

WORTH = 512 * 512  # elements of a kernel; for smaller products compiling costs more than it saves
GAIN = 1.3  # minimum ratio of speeds for XLA, as it compiles once per shape
PAYS = 1.2  # minimum ratio of speeds for bfloat16, as it is less exact
_KINDS = {"products": timing.products, "forward": timing.forward, "step": timing.step}
_VERSION = 1  # of the pieces of work


def prefers_xla(kernel: tf.Tensor) -> bool:
    """Returns True if products with this float32 kernel should use XLA; $TFPLM_FLOAT32 = onednn | xla sets it."""
    if kernel.dtype != tf.float32 or kernel.shape.num_elements() < WORTH or tf.executing_eagerly() or is_plain():
        return False
    return float32_library() == "xla"


def float32_library() -> str:
    """"onednn" or "xla": what multiplies large float32 matrices; not "xla" on a GPU, where a whole model is one program."""
    chosen = os.environ.get("TFPLM_FLOAT32", "")
    if chosen not in ("", "onednn", "xla"):
        raise ValueError(f"TFPLM_FLOAT32 is {chosen!r}; expected onednn, xla, or nothing, to measure the speeds")
    if chosen or has_gpu():
        return chosen or "onednn"
    times = seconds("products")
    return "xla" if times["onednn"] > GAIN * times["xla"] else "onednn"


def reason_of_library() -> str:
    """Why `float32_library` is what it is."""
    if os.environ.get("TFPLM_FLOAT32"):
        return "TFPLM_FLOAT32 is set"
    if has_gpu():
        return "there is a GPU, on which a whole model is one program"
    times = seconds("products")
    speeds = {name: 2 * 512 * 768 * 1536 / 1e9 / time for name, time in times.items()}
    return (f"{speeds['onednn']:,.0f} GFLOP/s by oneDNN, {speeds['xla']:,.0f} by XLA, which must be {GAIN} times as fast, "
            "as it compiles for each shape")


def slowdown(kind: str) -> float:
    """The time of a layer in bfloat16 divided by that in float32; kind: "forward" or "step"."""
    times = seconds(kind)
    return times["bfloat16"] / times["float32"]


def has_bfloat16() -> bool | None:
    """Whether the processor multiplies bfloat16, as far as oneDNN may use it; None if its features are unknown.

    oneDNN aborts the process for a bfloat16 product where $ONEDNN_MAX_CPU_ISA forbids the units that it has.
    """
    return False if limit() else processor().has_bfloat16


def limit() -> str:
    """The instruction set to which oneDNN is limited, if it is one without bfloat16."""
    named = (os.environ.get("ONEDNN_MAX_CPU_ISA") or os.environ.get("DNNL_MAX_CPU_ISA") or "").upper()
    return "" if any(part in named for part in ("DEFAULT", "ALL", "BF16", "FP16", "AMX", "AVX10", "VNNI_2")) else named


def has_gpu() -> bool:
    """Returns True if TensorFlow uses a GPU."""
    return bool(tf.config.get_visible_devices("GPU"))


@functools.cache
def seconds(kind: str) -> dict[str, float]:
    """The times of "products", "forward" or "step": those of an earlier process, or measured now, in a second or two."""
    key = key_of(kind)
    if (known := recall(key)) is not None and min(known.values(), default=0) > 0:
        return known
    with ThreadPoolExecutor(1) as thread:  # without the graph, the tapes and the devices of the caller
        found = thread.submit(_KINDS[kind]).result()
    remember(key, found)
    return found


def forget() -> None:
    """Forgets all times, also those of earlier processes, so that they are measured again."""
    seconds.cache_clear()
    for kind in _KINDS:
        if (file := file_of(key_of(kind))) is not None:
            with contextlib.suppress(OSError):
                file.unlink()


def key_of(kind: str) -> dict:
    """All that the times depend on."""
    this = processor()
    threads = tf.config.threading.get_intra_op_parallelism_threads() or os.environ.get("TF_NUM_INTRAOP_THREADS")
    return {"kind": kind, "version": _VERSION, "processor": this.name, "features": sorted(this.features),
            "cores": this.cores, "threads": int(threads or this.cores), "tensorflow": tf.__version__,
            "onednn": os.environ.get("TF_ENABLE_ONEDNN_OPTS", ""), "limit": limit()}

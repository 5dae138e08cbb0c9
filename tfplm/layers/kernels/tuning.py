"""Choice of the faster library for float32 matrix products, oneDNN or XLA, by measuring on the CPU.

On Zen 4 both reach the peak; on Zen 5 oneDNN reaches 57 % of the speed of XLA. In bfloat16 oneDNN is always faster.
"""

import functools
import os
import time

import tensorflow as tf

from tfplm.layers.kernels.plain import is_plain

WORTH = 512 * 512  # elements of a kernel; for smaller products compiling costs more than it saves
GAIN = 1.3  # minimum ratio of speeds for XLA, as it compiles once per shape


def prefers_xla(kernel: tf.Tensor) -> bool:
    """Returns True if products with this float32 kernel should use XLA; $TFPLM_FLOAT32 = onednn | xla sets it."""
    if kernel.dtype != tf.float32 or kernel.shape.num_elements() < WORTH or tf.executing_eagerly() or is_plain():
        return False
    return _xla_is_faster()


@functools.cache
def _xla_is_faster() -> bool:
    chosen = os.environ.get("TFPLM_FLOAT32", "")
    if chosen not in ("", "onednn", "xla"):
        raise ValueError(f"TFPLM_FLOAT32 is {chosen!r}; expected onednn, xla, or nothing, to measure the speeds")
    if chosen or tf.config.list_physical_devices("GPU"):  # on a GPU the whole model is one XLA program
        return chosen == "xla"
    with tf.init_scope():
        a, b = tf.ones((512, 768)), tf.ones((768, 1536))
        product = tf.function(lambda: tf.matmul(a, b), autograph=False)
        cluster = tf.function(tf.matmul, jit_compile=True, autograph=False)
        times = [(_seconds(product), _seconds(lambda: cluster(a, b))) for _ in range(7)][2:]
    return min(time for time, _ in times) > GAIN * min(time for _, time in times)


def _seconds(function) -> float:
    start = time.perf_counter()
    function().numpy()
    return time.perf_counter() - start

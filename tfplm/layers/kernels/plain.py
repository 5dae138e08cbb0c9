"""The plain form of the kernels: TensorFlow's own operations only, for graphs that another program reads.

Converters to ONNX, OpenVINO and LiteRT, and TensorFlow Serving, read neither XLA clusters nor custom gradients. The form
"nested" is for the converters: each step is written as their optimizers expect it (ONNX Runtime fuses a GELU, a LayerNorm
or a bias only if it finds these very operations), and products keep the axes of their input, so that no shape is
computed. The form "lite" is the same with the GELU that LiteRT knows. The form "flat" is for TensorFlow itself, which
fuses bias and GELU with a product of two matrices only.
"""

import contextlib
import contextvars
from typing import Literal

import tensorflow as tf

_FORM = contextvars.ContextVar("plain", default=None)


def is_plain() -> bool:
    """Returns True while a graph is traced in `plain_kernels()`."""
    return _FORM.get() is not None


def is_nested() -> bool:
    """Returns True while a graph is traced for a converter, in `plain_kernels("nested")` or `("lite")`."""
    return _FORM.get() in ("nested", "lite")


@contextlib.contextmanager
def plain_kernels(form: Literal["flat", "nested", "lite"] = "flat"):
    """A context in which functions are traced without XLA clusters and custom gradients: for inference only."""
    token = _FORM.set(form)
    try:
        yield
    finally:
        _FORM.reset(token)


def gelu(x):
    """The erf form of GELU, in the order of operations of PyTorch's exporter; LiteRT has no erf, but knows TensorFlow's."""
    if _FORM.get() == "lite":
        return tf.nn.gelu(x, approximate=False)
    return x * (tf.math.erf(x / 1.4142135623730951) + 1.0) * 0.5


def product(x, kernel, bias):
    """`x kernel + bias`: `[..., in]`, `[in, out]` -> `[..., out]`."""
    y = tf.matmul(x, kernel)
    return y if bias is None else y + bias


def norm(x, gamma, beta, epsilon: float):
    """LayerNorm over the last axis, in float32."""
    wide, last = tf.cast(x, tf.float32), [-1]  # a list: OpenVINO's fusion does not accept a scalar
    centered = wide - tf.reduce_mean(wide, last, keepdims=True)
    normal = centered / tf.sqrt(tf.reduce_mean(tf.pow(centered, 2.0), last, keepdims=True) + epsilon)
    return tf.cast(normal * tf.cast(gamma, tf.float32) + tf.cast(beta, tf.float32), x.dtype)

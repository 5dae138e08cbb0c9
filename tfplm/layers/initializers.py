"""Initializers of weights by their role in the model."""

import contextlib
import contextvars

import keras

from tfplm.core.config import Config

_SKIP = contextvars.ContextVar("skip", default=False)


@contextlib.contextmanager
def skip_initialization(skip: bool = True):
    """A context in which new weights are zeros, which is faster for models whose weights are loaded from a file."""
    token = _SKIP.set(skip)
    try:
        yield
    finally:
        _SKIP.reset(token)


def kernel_initializer(config: Config, fan_in: int, *, residual: bool = False, query: bool = False):
    """The initializer of a kernel `[fan_in, units]`.

    Args:
        config: the configuration.
        fan_in: number of inputs.
        residual: the kernel's product is added to the residual stream; "depth" divides its std by sqrt(2 N) for N
            blocks, so that the variance of the stream does not grow with depth (GPT-2, section 2.3).
        query: the kernel computes attention queries; "fan_in" also divides its std by sqrt(head_dim) (T5).
    """
    std = config.initializer_range
    if config.initializer_scheme == "depth" and residual:
        std /= (2 * config.num_hidden_layers) ** 0.5
    if config.initializer_scheme == "fan_in":
        std *= fan_in ** -0.5 * (config.attention_head_dim ** -0.5 if query else 1.0)
    return normal(config, std)


class Orthogonal(keras.initializers.Orthogonal):
    """`keras.initializers.Orthogonal`, also for bfloat16."""

    def __call__(self, shape, dtype=None):
        return keras.ops.cast(super().__call__(shape, "float32"), dtype or "float32")


def usual_initializer(initializer):
    """An initializer of Keras, for weights to which no scheme of a `Config` applies."""
    return "zeros" if _SKIP.get() else initializer


def embedding_initializer(config: Config):
    return normal(config, config.initializer_range)


def normal(config: Config, std: float):
    """A normal distribution, truncated at two standard deviations in BERT ("flat"), but not in GPT and T5."""
    if _SKIP.get():
        return "zeros"
    if config.initializer_scheme == "flat":
        return keras.initializers.TruncatedNormal(stddev=std)
    return keras.initializers.RandomNormal(stddev=std)

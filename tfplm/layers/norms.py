"""Norms, and residual connections with a norm before or after the sub-layer."""

import keras
from keras import ops

from tfplm.core.config import Config
from tfplm.layers.dense import Dropout
from tfplm.layers.kernels import fused as kernels


@keras.saving.register_keras_serializable("tfplm")
class LayerNorm(keras.layers.Layer):
    """LayerNorm (Ba et al. 2016) over the last axis, with statistics in float32: `[..., size]` -> `[..., size]`.

    use_bias: False for a norm without `beta`.
    """

    def __init__(self, size: int, epsilon: float = 1e-12, use_bias: bool = True, **keywords):
        super().__init__(**keywords)
        self.size, self.epsilon, self.use_bias = size, epsilon, use_bias
        self.gamma = self.add_weight(name="gamma", shape=(size,), initializer="ones")
        self.beta = self.add_weight(name="beta", shape=(size,), initializer="zeros") if use_bias else None
        self.built = True

    def call(self, x):
        return kernels.layer_norm(x, self.gamma, self.beta, self.epsilon)

    def get_config(self):
        return {**super().get_config(), "size": self.size, "epsilon": self.epsilon, "use_bias": self.use_bias}


@keras.saving.register_keras_serializable("tfplm")
class RMSNorm(keras.layers.Layer):
    """Root-mean-square norm without centering or bias (Zhang and Sennrich 2019), with statistics in float32 (T5)."""

    def __init__(self, size: int, epsilon: float = 1e-6, **keywords):
        super().__init__(**keywords)
        self.size, self.epsilon = size, epsilon
        self.gamma = self.add_weight(name="gamma", shape=(size,), initializer="ones")
        self.built = True

    def call(self, x):
        wide = ops.cast(x, "float32")
        wide = wide * ops.rsqrt(ops.mean(ops.square(wide), axis=-1, keepdims=True) + self.epsilon)
        return ops.cast(wide * ops.cast(self.gamma, "float32"), x.dtype)

    def get_config(self):
        return {**super().get_config(), "size": self.size, "epsilon": self.epsilon}


def make_norm(config: Config, size: int | None = None, name: str = "norm") -> keras.layers.Layer:
    size = size or config.hidden_size
    if config.norm_type == "rms_norm":
        return RMSNorm(size, config.layer_norm_eps, name=name)
    return LayerNorm(size, config.layer_norm_eps, config.norm_bias, name=name)


class Residual(keras.layers.Layer):
    """A residual connection around a sub-layer, with a norm before the sub-layer or after the sum.

        post:  x ─┬─ sublayer ─ dropout ─ + ─ norm ─        pre:  x ─┬─ norm ─ sublayer ─ dropout ─ + ─
                  └────────────────────── ┘                          └───────────────────────────── ┘

    `before(x)` returns the input of the sub-layer, and `after(x, y)` the output; the post-norm form is one fused
    kernel.
    norm: False for a connection without norm.
    """

    def __init__(self, config: Config, norm: bool = True, **keywords):
        super().__init__(**keywords)
        self.norm = make_norm(config) if norm else None
        self.hidden_size = config.hidden_size
        self.pre = norm and config.norm_placement == "pre"
        self.dropout = Dropout(config.hidden_dropout_prob, name="dropout")
        self.built = True

    @property
    def output_shape(self):
        return None, None, self.hidden_size

    def before(self, x):
        return self.norm(x) if self.pre else x

    def after(self, x, y, training=False):
        rate, seed = self.dropout.draw(training)
        if not self.pre and isinstance(self.norm, LayerNorm):
            norm = self.norm
            return kernels.add_layer_norm(x, y, norm.gamma, norm.beta, norm.epsilon, rate, seed)
        x = x + kernels.dropout(y, rate, seed)
        return x if self.pre or self.norm is None else self.norm(x)

    def call(self, x, y, training=False):
        return self.after(x, y, training=training)

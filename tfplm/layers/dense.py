"""Dense and dropout layers that use the fused kernels."""

import keras

from tfplm.layers.kernels import fused as kernels


@keras.saving.register_keras_serializable("tfplm")
class Dense(keras.layers.Dense):
    """`keras.layers.Dense` that is built in its constructor, and computes product, bias and activation in one kernel.

    Args:
        input_dim: size of the last axis of the input.
        units: size of the last axis of the output.
        activation: a value of `tfplm.core.config.Activation`, or None.
    """

    def __init__(self, input_dim: int, units: int, activation: str | None = None, **keywords):
        super().__init__(units, **keywords)
        self.act = activation
        self.input_dim = input_dim
        self.build((None, input_dim))

    def call(self, inputs, training=None):
        if self.quantization_mode:  # the int8 and LoRA paths of Keras
            return kernels.activate(super().call(inputs, training=training), self.act)
        return kernels.dense(inputs, self.kernel, self.bias, self.act, bool(training))

    def get_config(self):
        config = super().get_config()
        config["activation"] = self.act
        return {**config, "input_dim": self.input_dim}


@keras.saving.register_keras_serializable("tfplm")
class Dropout(keras.layers.Dropout):
    """`keras.layers.Dropout` whose mask is a hash of the seed, which the backward pass computes again."""

    def draw(self, training):
        """`(rate, seed)` for a fused kernel; rate 0 outside of training."""
        if not training or self.rate == 0:
            return 0.0, None
        return self.rate, self.seed_generator.next()

    def call(self, inputs, training=False):
        rate, seed = self.draw(training)
        return kernels.dropout(inputs, rate, seed)

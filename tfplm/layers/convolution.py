"""Convolutions over tokens with several widths."""

import keras
from keras import ops

from tfplm.core.config import Config
from tfplm.layers.initializers import usual_initializer


class ConvolutionBlock(keras.layers.Layer):
    """ReLU convolutions of widths `config.kernel_sizes` (Kim 2014, section 2), concatenated: `[B,T,E]` -> `[B,T,H]`.

    Each width has `hidden_size` / number of widths filters. Inputs outside the text are zeros, so that the output at a
    token does not depend on the padding after it.
    """

    def __init__(self, config: Config, input_dim: int, **keywords):
        super().__init__(**keywords)
        widths = config.kernel_sizes or [3, 4, 5]
        if not all(isinstance(width, int) and width > 0 for width in widths) or len(set(widths)) < len(widths):
            raise ValueError(f"kernel_sizes is {widths}, expected different positive numbers of tokens, such as [3, 4, 5]")
        if config.hidden_size % len(widths):
            raise ValueError(f"hidden_size {config.hidden_size} is not a multiple of {len(widths)}, the number of "
                             f"kernel_sizes {widths}: change one of them")
        self.convolutions = [
            keras.layers.Conv1D(config.hidden_size // len(widths), width, padding="same", activation="relu",
                                name=f"convolution_{width}", kernel_initializer=usual_initializer("glorot_uniform"))
            for width in widths]
        for convolution in self.convolutions:
            convolution.build((None, None, input_dim))
        self.built = True

    @property
    def output_shape(self):
        return None, None, sum(convolution.filters for convolution in self.convolutions)

    def call(self, x, real=None):
        """Computes the block. real: bool `[B,T]`, False for padding; None: no padding."""
        if real is not None:
            x = x * ops.expand_dims(ops.cast(real, x.dtype), -1)  # LiteRT has no slices of bool
        return ops.concatenate([convolution(x) for convolution in self.convolutions], axis=-1)

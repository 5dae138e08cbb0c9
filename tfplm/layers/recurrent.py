"""Recurrent layers over tokens."""

import keras
from keras import ops

from tfplm.core.config import Config
from tfplm.layers.initializers import Orthogonal, usual_initializer


class BidirectionalLSTM(keras.layers.Layer):
    """A bidirectional LSTM (Graves & Schmidhuber 2005): `[B,T,E]` -> `[B,T,H]`, forward and backward half.

    Padding at any position is moved after the tokens, so that neither direction reads it before a token, and cuDNN
    needs no mask.
    """

    def __init__(self, config: Config, input_dim: int, **keywords):
        super().__init__(**keywords)
        if config.hidden_size % 2:
            raise ValueError(f"hidden_size {config.hidden_size} is odd, expected an even size, half of it for each "
                             "direction")
        self.forward_side, self.backward_side = (
            keras.layers.LSTM(config.hidden_size // 2, return_sequences=True, name=name,
                              kernel_initializer=usual_initializer("glorot_uniform"),
                              recurrent_initializer=usual_initializer(Orthogonal()))
            for name in ("forward", "backward"))
        for side in (self.forward_side, self.backward_side):
            side.build((None, None, input_dim))
        self.built = True

    @property
    def output_shape(self):
        return None, None, 2 * self.forward_side.units

    def call(self, x, real=None):
        """Computes the layer. real: bool `[B,T]`, False for padding; None: no padding."""
        if real is None:
            return ops.concatenate([self.forward_side(x), ops.flip(self.backward_side(ops.flip(x, 1)), 1)], axis=-1)
        length, kept = ops.shape(x)[1], ops.cast(real, "int32")
        positions = ops.arange(length, dtype="int32")[None]
        order = ops.argsort(positions + (1 - kept) * length, axis=1)  # the tokens, then the padding
        index = ops.maximum(ops.cumsum(kept, axis=1) - 1, 0)  # of the token at or before each position
        last = ops.maximum(ops.sum(kept, axis=1, keepdims=True) - 1, 0)
        backward = ops.where(positions <= last, last - positions, positions)  # the positions in reverse order
        x = _gather(x, order)
        forwards = _gather(self.forward_side(x), index)
        backwards = _gather(self.backward_side(_gather(x, backward)), last - index)
        return ops.concatenate([forwards, backwards], axis=-1)


def _gather(x, positions):
    """Gathers vectors: `[B,T,H]` and int32 positions `[B,T]` -> `[B,T,H]`."""
    return ops.take_along_axis(x, positions[:, :, None], axis=1)

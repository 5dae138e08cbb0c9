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


@keras.saving.register_keras_serializable("tfplm")
class ProjectedLSTMCell(keras.layers.Layer):
    """An LSTM cell with a recurrent projection (Sak et al. 2014), as ELMo uses it; for `keras.layers.RNN`.

    Gates are in TensorFlow 1's order: input, candidate, forget, output; the forget gate is biased by 1.

    Args:
        input_dim, units, projection: sizes E, U and P.
        cell_clip, projection_clip: limits of the absolute values of the cell state and of the output; None: none.
        skip: the input is added to the output (E = P), but not to the state.
    """

    def __init__(self, input_dim: int, units: int, projection: int, cell_clip: float | None = None,
                 projection_clip: float | None = None, skip: bool = False, **keywords):
        super().__init__(**keywords)
        self.settings = {"input_dim": input_dim, "units": units, "projection": projection, "cell_clip": cell_clip,
                         "projection_clip": projection_clip, "skip": skip}
        self.state_size, self.output_size = [projection, units], projection
        self.cell_clip, self.projection_clip, self.skip = cell_clip, projection_clip, skip
        glorot = usual_initializer("glorot_uniform")
        self.kernel = self.add_weight(name="kernel", shape=(input_dim + projection, 4 * units), initializer=glorot)
        self.bias = self.add_weight(name="bias", shape=(4 * units,), initializer="zeros")
        self.projection = self.add_weight(name="projection", shape=(units, projection), initializer=glorot)
        self.built = True

    def call(self, inputs, states, training=False):
        """One step: `[B,E]` and the states `[B,P]`, `[B,U]` -> `[B,P]` and the new states."""
        output, memory = states
        gates = ops.matmul(ops.concatenate([inputs, output], axis=-1), self.kernel) + self.bias
        enter, candidate, forget, leave = ops.split(gates, 4, axis=-1)
        memory = ops.sigmoid(forget + 1) * memory + ops.sigmoid(enter) * ops.tanh(candidate)
        memory = _clipped(memory, self.cell_clip)
        output = _clipped(ops.matmul(ops.sigmoid(leave) * ops.tanh(memory), self.projection), self.projection_clip)
        return (output + inputs if self.skip else output), [output, memory]

    def get_config(self):
        return {**super().get_config(), **self.settings}


def _clipped(x, limit: float | None):
    return x if limit is None else ops.clip(x, -limit, limit)

"""The mix of layers that a task learns (Peters et al. 2018, equation 1)."""

import keras
from keras import ops

from tfplm.layers.initializers import usual_initializer


@keras.saving.register_keras_serializable("tfplm")
class ScalarMix(keras.layers.Layer):
    """`gamma sum_j softmax(w)_j h_j` of the layers of a model: `[B,L,T,H]` -> `[B,T,H]`.

    Args:
        layers: L.
        layer_norm: each layer is first normalised over all its numbers at real tokens.
        l2: weight of the square of `w` in the loss; large values keep the mix near the mean of the layers.
    """

    def __init__(self, layers: int = 3, layer_norm: bool = False, l2: float = 0.0, **keywords):
        super().__init__(**keywords)
        self.settings = {"layers": layers, "layer_norm": layer_norm, "l2": l2}
        self.layer_norm = layer_norm
        self.mix = self.add_weight(name="mix", shape=(layers,), initializer="zeros",
                                   regularizer=keras.regularizers.L2(l2) if l2 else None)
        self.gamma = self.add_weight(name="gamma", shape=(), initializer=usual_initializer("ones"))
        self.built = True

    def call(self, states, mask=None):
        """Computes the mix. mask: `[B,T]`, 0 for padding, which is left out of the normalisation."""
        states = ops.convert_to_tensor(states)
        if self.layer_norm:
            states = _normalized(states, mask)
        weights = ops.cast(self.gamma * ops.softmax(self.mix), states.dtype)
        return ops.sum(states * weights[None, :, None, None], axis=1)

    def get_config(self):
        return {**super().get_config(), **self.settings}


def _normalized(states, mask):
    """Each layer `[B,L,T,H]` with mean 0 and variance 1 over the batch, its real tokens and their numbers."""
    real = ops.ones_like(states[:, :1, :, :1]) if mask is None else ops.cast(mask, states.dtype)[:, None, :, None]
    count = ops.sum(real) * states.shape[-1]
    mean = ops.sum(states * real, axis=(0, 2, 3), keepdims=True) / count
    variance = ops.sum(ops.square((states - mean) * real), axis=(0, 2, 3), keepdims=True) / count
    return (states - mean) * ops.rsqrt(variance + 1e-12)

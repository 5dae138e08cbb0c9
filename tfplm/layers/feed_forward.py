"""The position-wise feed-forward network."""

import keras

from tfplm.core.config import Config
from tfplm.layers.dense import Dense, Dropout
from tfplm.layers.initializers import kernel_initializer


class FeedForward(keras.layers.Layer):
    """`act(x W1 + b1) W2 + b2` (Vaswani et al. 2017, section 3.3), or gated, `(act(x W) * x V) W2` (Shazeer 2020).

    `[B,T,H]` -> `[B,T,H]`.
    """

    def __init__(self, config: Config, **keywords):
        super().__init__(**keywords)
        hidden, inner = config.hidden_size, config.ffn_size
        into = {"use_bias": config.ffn_bias, "kernel_initializer": kernel_initializer(config, hidden)}
        self.up = Dense(hidden, inner, config.hidden_act, name="gate" if config.ffn_gated else "up", **into)
        self.linear = Dense(hidden, inner, name="linear", **into) if config.ffn_gated else None
        self.dropout = Dropout(config.activation_dropout_prob, name="dropout")
        self.down = Dense(inner, hidden, use_bias=config.ffn_bias, name="down",
                          kernel_initializer=kernel_initializer(config, inner, residual=True))
        self.built = True

    @property
    def output_shape(self):
        return None, None, self.down.units

    def call(self, x, training=False):
        y = self.up(x)  # [B,T,4H]
        if self.linear is not None:
            y = y * self.linear(x)
        return self.down(self.dropout(y, training=training))

"""Multi-head attention: self, cross and cached in one layer."""

import keras
from keras import ops

from tfplm.core.config import Config
from tfplm.layers import kernels
from tfplm.layers.dense import Dense, Dropout
from tfplm.layers.initializers import kernel_initializer


class Attention(keras.layers.Layer):
    """Scaled dot-product attention in several heads (Vaswani et al. 2017, section 3.2).

        softmax(Q K^T / sqrt(head_dim) + bias, where allow) V

    `heads * head_dim` need not be `hidden_size`.
    """

    def __init__(self, config: Config, **keywords):
        super().__init__(**keywords)
        self.heads, self.head_dim = config.num_attention_heads, config.attention_head_dim
        self.scale = self.head_dim ** -0.5 if config.attention_scale else 1.0
        hidden, width = config.hidden_size, self.heads * self.head_dim

        def projection(name, **roles):
            initializer = kernel_initializer(config, hidden, **roles)
            return Dense(hidden, width, name=name, use_bias=config.attention_bias, kernel_initializer=initializer)

        self.query, self.key, self.value = projection("query", query=True), projection("key"), projection("value")
        self.out = Dense(width, hidden, name="out", use_bias=config.attention_bias,
                         kernel_initializer=kernel_initializer(config, width, residual=True))
        self.dropout = Dropout(config.attention_probs_dropout_prob, name="dropout")
        self.built = True

    def split(self, x):
        """`[B,T,N*D]` -> `[B,N,T,D]`."""
        x = ops.reshape(x, (ops.shape(x)[0], -1, self.heads, self.head_dim))
        return ops.transpose(x, (0, 2, 1, 3))

    def keys_and_values(self, key, value=None):
        """What a cache holds: `key`, `value` `[B,S,H]` -> two tensors `[B,N,S,D]`."""
        return self.split(self.key(key)), self.split(self.value(key if value is None else value))

    def call(self, query, key=None, value=None, allow=None, bias=None,  # noqa: PLR0913 (one seam for every attention)
             positions=None, cache=None, return_map=False, training=False):
        """
        Args:
            query: `[B,T,H]`. key, value: `[B,S,H]`; default: `query`, and `key`.
            allow: bool, broadcast to `[B,N,T,S]`: who may look at whom; None: everybody at everybody.
            bias: added to the scaled scores, broadcast to `[B,N,T,S]`.
            positions: a position object; its `rotate(q, k)` and `score(q, k)` hooks are used where it has them.
            cache: `(keys, values)` `[B,N,S,D]` to attend to, in the place of `key` and `value`.
            return_map: whether the probabilities (before dropout) are returned as well.

        Returns:
            `[B,T,H]`, or `([B,T,H], [B,N,T,S])`.
        """
        q = self.split(self.query(query))  # [B,N,T,D]
        k, v = cache if cache is not None else self.keys_and_values(query if key is None else key, value)
        if hasattr(positions, "rotate"):
            q, k = positions.rotate(q, k)
        if hasattr(positions, "score"):
            bias = positions.score(q, k) + (0 if bias is None else bias)
        rate, seed = self.dropout.draw(training)
        weights = kernels.attention_weights(q, k, self.scale, allow, bias, rate, seed)
        context = ops.transpose(ops.matmul(weights, v), (0, 2, 1, 3))  # [B,T,N,D]
        output = self.out(ops.reshape(context, (ops.shape(context)[0], -1, self.heads * self.head_dim)))
        if not return_map:
            return output
        return output, weights if rate == 0 else kernels.attention_weights(q, k, self.scale, allow, bias)

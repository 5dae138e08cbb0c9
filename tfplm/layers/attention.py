"""Multi-head attention: self, cross and cached in one layer."""

import contextlib
import contextvars

import keras
from keras import ops

from tfplm.core.config import Config
from tfplm.layers import kernels
from tfplm.layers.dense import Dense, Dropout
from tfplm.layers.initializers import kernel_initializer

_ONE_CLUSTER = contextvars.ContextVar("one_cluster", default=False)


@contextlib.contextmanager
def one_cluster():
    """Inside, graphs are traced in which all that lies between the projections of an attention is one XLA cluster.

    For few tokens, where an operation takes longer to begin than to do. For inference without a cache.
    """
    token = _ONE_CLUSTER.set(True)
    try:
        yield
    finally:
        _ONE_CLUSTER.reset(token)


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
        if _ONE_CLUSTER.get() and cache is None and not (training or return_map):
            key = query if key is None else key
            projected = self.query(query), self.key(key), self.value(key if value is None else value)
            return self.out(kernels.cluster(lambda *given: self._in_float32(*given, positions))(*projected, allow, bias))
        q = self.split(self.query(query))  # [B,N,T,D]
        k, v = cache if cache is not None else self.keys_and_values(query if key is None else key, value)
        q, k, bias = _placed(q, k, bias, positions)
        rate, seed = self.dropout.draw(training)
        weights = kernels.attention_weights(q, k, self.scale, allow, bias, rate, seed)
        output = self.out(self._merged(weights, v))
        if not return_map:
            return output
        return output, weights if rate == 0 else kernels.attention_weights(q, k, self.scale, allow, bias)

    def _merged(self, weights, v):
        """`[B,N,T,S]`, `[B,N,S,D]` -> `[B,T,N*D]`."""
        context = ops.transpose(ops.matmul(weights, v), (0, 2, 1, 3))  # [B,T,N,D]
        return ops.reshape(context, (ops.shape(context)[0], -1, self.heads * self.head_dim))

    def _in_float32(self, query, key, value, allow, bias, positions):
        """Projected `[B,T,N*D]`, `[B,S,N*D]` -> `[B,T,N*D]`. XLA would round each step to bfloat16."""
        q, k, v = (self.split(ops.cast(x, "float32")) for x in (query, key, value))
        q, k, bias = _placed(q, k, bias, positions)
        return ops.cast(self._merged(kernels.attention_weights(q, k, self.scale, allow, bias), v), query.dtype)


def _placed(q, k, bias, positions):
    """Queries, keys and bias, with what a position object does to them."""
    if hasattr(positions, "rotate"):
        q, k = positions.rotate(q, k)
    if hasattr(positions, "score"):
        bias = positions.score(q, k) + (0 if bias is None else bias)
    return q, k, bias

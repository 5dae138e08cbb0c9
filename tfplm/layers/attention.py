"""Multi-head attention: self, cross and cached in one layer."""

import contextlib
import contextvars
import functools

import keras
from keras import ops

from tfplm.core.config import Config
from tfplm.layers.dense import Dense, Dropout
from tfplm.layers.initializers import kernel_initializer
from tfplm.layers.kernels import fused as kernels

_ONE_CLUSTER = contextvars.ContextVar("one_cluster", default=False)


@contextlib.contextmanager
def one_cluster():
    """Inside, self-attention is three operations: one product for queries, keys and values, one XLA cluster, one product.

    For few tokens, where an operation takes longer to begin than to do; for inference without a cache, in a graph whose
    kernels are constants, so that they are joined once.
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
        return _split(x, self.heads, self.head_dim)

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
        if _ONE_CLUSTER.get() and self._is_plain(key, positions, cache, training or return_map):
            between = _between_projections(self.heads, self.head_dim, self.scale)
            return self.out(between(self._projected(query), allow, bias))
        q = self.split(self.query(query))  # [B,N,T,D]
        k, v = cache if cache is not None else self.keys_and_values(query if key is None else key, value)
        if hasattr(positions, "rotate"):
            q, k = positions.rotate(q, k)
        if hasattr(positions, "score"):
            bias = positions.score(q, k) + (0 if bias is None else bias)
        rate, seed = self.dropout.draw(training)
        weights = kernels.attention_weights(q, k, self.scale, allow, bias, rate, seed)
        output = self.out(_merge(ops.matmul(weights, v)))
        if not return_map:
            return output
        return output, weights if rate == 0 else kernels.attention_weights(q, k, self.scale, allow, bias)

    def _is_plain(self, key, positions, cache, more) -> bool:
        """Whether this is self-attention that needs nothing but its three projections."""
        plain = not (hasattr(positions, "rotate") or hasattr(positions, "score") or self.query.quantization_mode)
        return key is None and cache is None and plain and not more

    def _projected(self, x):
        """Queries, keys and values side by side: `[B,T,H]` -> `[B,T,3ND]`."""
        layers = (self.query, self.key, self.value)
        bias = ops.concatenate([layer.bias for layer in layers]) if self.query.use_bias else None
        return kernels.dense(x, ops.concatenate([layer.kernel for layer in layers], axis=1), bias)


def _split(x, heads: int, head_dim: int):
    """`[B,T,N*D]` -> `[B,N,T,D]`."""
    x = ops.reshape(x, (ops.shape(x)[0], -1, heads, head_dim))
    return ops.transpose(x, (0, 2, 1, 3))


def _merge(x):
    """`[B,N,T,D]` -> `[B,T,N*D]`."""
    x = ops.transpose(x, (0, 2, 1, 3))
    return ops.reshape(x, (ops.shape(x)[0], -1, x.shape[2] * x.shape[3]))


@functools.cache
def _between_projections(heads: int, head_dim: int, scale: float):
    """One kernel for all layers: `[B,T,3ND]` -> `[B,T,ND]`. In float32: XLA would round each step to bfloat16."""
    def attend(projected, allow, bias):
        q, k, v = (_split(x, heads, head_dim) for x in ops.split(ops.cast(projected, "float32"), 3, axis=-1))
        weights = kernels.attention_weights(q, k, scale, allow, bias)
        return ops.cast(_merge(ops.matmul(weights, v)), projected.dtype)

    return kernels.cluster(attend)

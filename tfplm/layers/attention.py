"""Multi-head attention: self-attention, cross-attention and cached attention in one layer."""

import contextlib
import contextvars
import functools

import keras
from keras import ops

from tfplm.core.config import Config
from tfplm.layers.dense import Dense, Dropout
from tfplm.layers.initializers import kernel_initializer
from tfplm.layers.kernels import fused as kernels
from tfplm.layers.masks import Band
from tfplm.layers.positions import Positions, PositionScheme, Turn

_ONE_CLUSTER = contextvars.ContextVar("one_cluster", default=False)


@contextlib.contextmanager
def one_cluster():
    """A context in which self-attention is three operations: a joint projection, an XLA cluster, the output projection.

    The joint projection computes queries, keys and values.

    For few tokens, for which starting an operation takes longer than running it; for inference without a cache, in a
    graph whose kernels are constants, so that they are concatenated only once.
    """
    token = _ONE_CLUSTER.set(True)
    try:
        yield
    finally:
        _ONE_CLUSTER.reset(token)


class Attention(keras.layers.Layer):
    """Scaled dot-product attention with several heads (Vaswani et al. 2017, section 3.2).

        softmax(Q K^T / sqrt(head_dim) + positions, where allow) V

    `heads * head_dim` can differ from `hidden_size`. scheme: the position scheme, for its weights in each layer.
    """

    def __init__(self, config: Config, scheme: type[PositionScheme] | None = None, **keywords):
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
        self.position = scheme.weights_of_layer(config) if scheme is not None else None
        self.built = True

    @property
    def output_shape(self):
        return None, None, self.out.units

    def split(self, x):
        """Splits heads: `[B,T,N*D]` -> `[B,N,T,D]`."""
        return _split(x, self.heads, self.head_dim)

    def keys_and_values(self, key, value=None, positions: Positions | None = None):
        """The content of a cache: `key`, `value` `[B,S,H]` -> two tensors `[B,N,S,D]`; keys are already rotated."""
        keys, values = self.split(self.key(key)), self.split(self.value(key if value is None else value))
        return keys if positions is None else positions.turned(keys), values

    def call(self, query, key=None, value=None, allow=None, positions=None,  # noqa: PLR0913 (one seam for all attention)
             cache=None, head_mask=None, return_map=False, training=False):
        """Computes attention.

        Args:
            query: `[B,T,H]`.
            key, value: `[B,S,H]` (default: `query`, and `key`).
            allow: the keys to which each query can attend: bool, broadcast to `[B,N,T,S]`, a `Band`, or None for all.
            positions: the `Positions` of queries and keys.
            cache: `(keys, values)` `[B,N,S,D]` to attend to, instead of `key` and `value`; keys are already rotated.
            head_mask: `[N]`, factors of the probabilities of the heads: 0 removes a head (Michel et al. 2019, section
                2.2).
            return_map: also return the probabilities (before dropout); not with a `Band`.

        Returns:
            `[B,T,H]`, or `([B,T,H], [B,N,T,S])`.
        """
        if _ONE_CLUSTER.get() and self._is_plain(key, cache, training or return_map or head_mask is not None) \
                and _in_one_cluster(allow, positions):
            return self._at_once(query, allow, positions)
        q = self.split(self.query(query))  # [B,N,T,D]
        k, v = cache if cache is not None else self.keys_and_values(query if key is None else key, value, positions)
        bias, band = None, allow if isinstance(allow, Band) else None
        if positions is not None:
            q = positions.turned(q)
            bias = positions.scores(self, q, k)
        if band is not None:  # [B,N,C,b,D], [B,N,C,L,D]
            q, k, v, allow = band.blocks(q), band.windows(k), band.windows(v), band.allow
        rate, seed = self.dropout.draw(training)
        weights = _without_heads(kernels.attention_weights(q, k, self.scale, allow, bias, rate, seed), head_mask)
        context = ops.matmul(weights, v)
        output = self.out(_merge(context if band is None else band.join(context)))
        if not return_map:
            return output
        return output, weights if rate == 0 else _without_heads(
            kernels.attention_weights(q, k, self.scale, allow, bias), head_mask)

    def _is_plain(self, key, cache, more) -> bool:
        """Returns True for self-attention that only needs its three projections."""
        return key is None and cache is None and not more and not self.query.quantization_mode

    def _at_once(self, query, allow, positions):
        turn, bias = (None, None) if positions is None else (positions.turn, positions.bias)
        attend = _between_projections(self.heads, self.head_dim, self.scale, turn is not None and turn.interleaved)
        return self.out(attend(self._projected(query), allow, bias, None if turn is None else (turn.cos, turn.sin)))

    def _projected(self, x):
        """Queries, keys and values, concatenated: `[B,T,H]` -> `[B,T,3ND]`."""
        layers = (self.query, self.key, self.value)
        bias = ops.concatenate([layer.bias for layer in layers]) if self.query.use_bias else None
        return kernels.dense(x, ops.concatenate([layer.kernel for layer in layers], axis=1), bias)


def _in_one_cluster(allow, positions: Positions | None) -> bool:
    """Returns True if masks and positions are tensors that one kernel can use."""
    plain = positions is None or (not positions.scheme.scores_pairs and isinstance(positions.turn, Turn | None))
    return plain and not isinstance(allow, Band)


def _without_heads(weights, head_mask):
    """Multiplies `[B,N,...]` by `[N]`."""
    if head_mask is None:
        return weights
    return weights * ops.reshape(ops.cast(head_mask, weights.dtype), (-1, *[1] * (len(weights.shape) - 2)))


def _split(x, heads: int, head_dim: int):
    """`[B,T,N*D]` -> `[B,N,T,D]`."""
    x = ops.reshape(x, (ops.shape(x)[0], -1, heads, head_dim))
    return ops.transpose(x, (0, 2, 1, 3))


def _merge(x):
    """`[B,N,T,D]` -> `[B,T,N*D]`."""
    x = ops.transpose(x, (0, 2, 1, 3))
    return ops.reshape(x, (ops.shape(x)[0], -1, x.shape[2] * x.shape[3]))


@functools.cache
def _between_projections(heads: int, head_dim: int, scale: float, interleaved: bool):
    """The kernel for all layers: `[B,T,3ND]` -> `[B,T,ND]`, in float32, as XLA would round each step to bfloat16."""
    def attend(projected, allow, bias, angles):
        q, k, v = (_split(x, heads, head_dim) for x in ops.split(ops.cast(projected, "float32"), 3, axis=-1))
        if angles is not None:
            q, k = (kernels.rotate(x, *angles, interleaved) for x in (q, k))
        weights = kernels.attention_weights(q, k, scale, allow, bias)
        return ops.cast(_merge(ops.matmul(weights, v)), projected.dtype)

    return kernels.cluster(attend)

"""The fused kernels: only this folder of `layers` uses TensorFlow instead of `keras.ops`.

On a CPU, matrix products are computed by oneDNN, which also fuses bias and GELU with them in inference; element-wise
operations are limited by memory bandwidth, so each chain of them is one XLA cluster, forward and backward. A cluster is
compiled once per shape (about 0.1 s), which is only worthwhile in a `tf.function`: eager calls use plain operations,
and so do graphs for other programs (`plain.py`).
"""

import functools

import tensorflow as tf

from tfplm.layers.kernels import plain
from tfplm.layers.kernels.hashing import keep_mask
from tfplm.layers.kernels.masks import added_mask
from tfplm.layers.kernels.plain import is_plain
from tfplm.layers.kernels.tuning import prefers_xla


def _in_graphs(function, **options):
    """`function`, wrapped in a separate `tf.function` while a graph is built, unless that graph is to be plain."""
    inner = tf.function(function, autograph=False, **options)

    @functools.wraps(function)
    def call(*arguments):
        return (function if tf.executing_eagerly() or is_plain() else inner)(*arguments)

    return call


def cluster(function):
    """`function` as one XLA cluster while a graph is built."""
    return _in_graphs(function, jit_compile=True)


def _differentiable(function):
    """`tf.custom_gradient` of a `function` that returns the result and the function of the gradient.

    TensorFlow keeps the graph in which a custom gradient was traced forever, and searches it at each use; here it is a
    small separate function, traced once per shape, and not the whole model.
    """
    trained = _in_graphs(tf.custom_gradient(function))

    @functools.wraps(function)
    def call(*arguments):
        return function(*arguments)[0] if is_plain() else trained(*arguments)

    return call


# Activations ------------------------------------------------------------------------------------------------------

def activate(x, activation: str | None):
    """Element-wise activation by its configuration name; `gelu` is the erf form, `gelu_new` the tanh form."""
    if activation is None:
        return x
    if activation == "gelu" and plain.is_nested():
        return plain.gelu(x)
    if activation in ("gelu", "gelu_new"):
        return tf.nn.gelu(x, approximate=activation == "gelu_new")
    if activation == "quick_gelu":
        return x * tf.sigmoid(tf.cast(1.702, x.dtype) * x)
    return {"relu": tf.nn.relu, "silu": tf.nn.silu, "tanh": tf.tanh}[activation](x)


def _wide_gelu(x, activation: str):
    return tf.cast(activate(tf.cast(x, tf.float32), activation), x.dtype)


def _gelu_slope(x, activation: str):
    if activation == "gelu":
        return 0.5 * (1 + tf.math.erf(x * 0.7071067811865476)) + x * tf.exp(-0.5 * x * x) * 0.3989422804014327
    tanh = tf.tanh(0.7978845608028654 * x * (1 + 0.044715 * x * x))
    return 0.5 * (1 + tanh) + 0.5 * x * (1 - tanh * tanh) * 0.7978845608028654 * (1 + 3 * 0.044715 * x * x)


def _gelu_gradient(x, upstream, activation: str):
    slope = _gelu_slope(tf.cast(x, tf.float32), activation)
    return tf.cast(tf.cast(upstream, tf.float32) * slope, x.dtype)


# Products ---------------------------------------------------------------------------------------------------------

@functools.cache
def _trained_dense(activation: str | None, xla: bool):
    """Dense with a custom gradient, for training.

    TensorFlow's GELU is ten operations in each direction, and its gradient of the bias is a slow reduction, whereas a
    product with ones is one pass at the speed of the memory.
    """
    wrap = cluster if xla else lambda function: function
    forward = cluster(lambda x: _wide_gelu(x, activation))
    backward = cluster(lambda x, upstream: _gelu_gradient(x, upstream, activation))
    product = wrap(lambda x, kernel, bias: tf.nn.bias_add(tf.matmul(x, kernel), bias))

    @wrap
    def products(x, kernel, upstream):
        ones = tf.ones([1, tf.shape(upstream)[0]], upstream.dtype)
        return (tf.matmul(upstream, kernel, transpose_b=True), tf.matmul(x, upstream, transpose_a=True),
                tf.matmul(ones, upstream)[0])

    @_differentiable
    def dense(x, kernel, bias):
        y = product(x, kernel, bias)

        def gradient(upstream):
            return products(x, kernel, upstream if activation is None else backward(y, upstream))

        return (y if activation is None else forward(y)), gradient

    return dense


@functools.cache
def _dense(activation: str | None, xla: bool):
    """Dense for inference: bias and GELU directly after the product are fused with it to one oneDNN operation."""
    def dense(x, kernel, bias):
        return activate(tf.nn.bias_add(tf.matmul(x, kernel), bias), activation)

    return cluster(dense) if xla else dense


def dense(x, kernel, bias=None, activation: str | None = None, training: bool = False):
    """`activation(x kernel + bias)`: x `[..., in]`, kernel `[in, out]` -> `[..., out]`."""
    x = tf.convert_to_tensor(x)
    kernel = tf.cast(tf.convert_to_tensor(kernel), x.dtype)
    if plain.is_nested():
        return activate(plain.product(x, kernel, None if bias is None else tf.cast(bias, x.dtype)), activation)
    rows = tf.reshape(x, [-1, kernel.shape[0]])
    if bias is None:
        return _like(activate(tf.matmul(rows, kernel), activation), x)
    bias, xla = tf.cast(tf.convert_to_tensor(bias), x.dtype), prefers_xla(kernel)
    if not training:
        return _like(_dense(activation, xla)(rows, kernel, bias), x)
    fused = activation if activation in ("gelu", "gelu_new") else None
    y = _trained_dense(fused, xla)(rows, kernel, bias)
    return _like(y if fused else activate(y, activation), x)


def dense_transposed(x, table):
    """`x table^T`: x `[..., in]`, table `[out, in]` -> `[..., out]`, for logits with an embedding table."""
    x = tf.convert_to_tensor(x)
    table = tf.cast(tf.convert_to_tensor(table), x.dtype)
    if plain.is_nested():
        return tf.matmul(x, tf.transpose(table))
    return _like(tf.matmul(tf.reshape(x, [-1, table.shape[1]]), table, transpose_b=True), x)


def _like(y, x):
    """Reshapes y `[N, out]` to the leading axes of x `[..., in]`."""
    y_shape = tf.concat([tf.shape(x)[:-1], tf.shape(y)[-1:]], 0)
    return tf.ensure_shape(tf.reshape(y, y_shape), [*x.shape[:-1], y.shape[-1]])


# Dropout ----------------------------------------------------------------------------------------------------------

def _drop(x, rate: float, seed):
    return tf.where(keep_mask(tf.shape(x), rate, seed), x * tf.cast(1 / (1 - rate), x.dtype), tf.zeros((), x.dtype))


@functools.cache
def _dropout(rate: float):
    drop = cluster(lambda x, seed: _drop(x, rate, seed))

    @_differentiable
    def dropout(x, seed):
        return drop(x, seed), lambda upstream: (drop(upstream, seed), None)

    return dropout


def dropout(x, rate: float, seed=None):
    """Inverted dropout; `seed` is a uint32 tensor `[2]`."""
    return x if rate == 0 else _dropout(rate)(x, seed)


# Norm -------------------------------------------------------------------------------------------------------------

def _normalize(x, epsilon: float):
    """((x - mean) / standard deviation, 1 / standard deviation), over the last axis, in float32."""
    x = tf.cast(x, tf.float32)
    centered = x - tf.reduce_mean(x, -1, keepdims=True)
    scale = tf.math.rsqrt(tf.reduce_mean(centered * centered, -1, keepdims=True) + epsilon)
    return centered * scale, scale


@functools.cache
def _add_layer_norm(epsilon: float, rate: float):
    """The kernel for one epsilon and rate. It saves the sum x + dropout(y); the backward pass recomputes the rest."""

    @cluster
    def forward(x, y, gamma, beta, seed):
        total = x + (_drop(y, rate, seed) if rate else y)
        normal, _ = _normalize(total, epsilon)
        return tf.cast(normal * tf.cast(gamma, tf.float32) + tf.cast(beta, tf.float32), x.dtype), total

    @cluster
    def backward(total, gamma, upstream, seed):
        normal, scale = _normalize(total, epsilon)
        upstream = tf.cast(upstream, tf.float32)
        axes = list(range(len(total.shape) - 1))
        inner = upstream * tf.cast(gamma, tf.float32)
        dx = scale * (inner - tf.reduce_mean(inner, -1, keepdims=True)
                      - normal * tf.reduce_mean(inner * normal, -1, keepdims=True))
        dx = tf.cast(dx, total.dtype)
        return (dx, _drop(dx, rate, seed) if rate else dx, tf.cast(tf.reduce_sum(upstream * normal, axes), gamma.dtype),
                tf.cast(tf.reduce_sum(upstream, axes), gamma.dtype))

    @_differentiable
    def add_norm(x, y, gamma, beta, seed):
        result, total = forward(x, y, gamma, beta, seed)
        return result, lambda upstream: (*backward(total, gamma, upstream, seed), None)

    return add_norm


def add_layer_norm(x, y, gamma, beta, epsilon: float, rate: float = 0.0, seed=None):
    """`layer_norm(x + dropout(y))`: residual connection and norm in one kernel. beta: None for a norm without bias."""
    gamma = tf.convert_to_tensor(gamma)
    beta = tf.zeros_like(gamma) if beta is None else tf.convert_to_tensor(beta)
    if plain.is_nested():
        return plain.norm(x if y is None else x + y, gamma, beta, epsilon)
    return _add_layer_norm(epsilon, rate)(x, y, gamma, beta, tf.zeros([2], tf.uint32) if seed is None else seed)


def layer_norm(x, gamma, beta, epsilon: float):
    """LayerNorm (Ba et al. 2016) over the last axis, with statistics in float32."""
    return add_layer_norm(x, None if plain.is_nested() else tf.zeros_like(x), gamma, beta, epsilon)


# Rotation ---------------------------------------------------------------------------------------------------------

def _rotate(x, cos, sin, interleaved: bool):
    wide = tf.cast(x, tf.float32)
    first, second = (wide[..., 0::2], wide[..., 1::2]) if interleaved else tf.split(wide, 2, axis=-1)
    rotated = first * cos - second * sin, second * cos + first * sin
    rotated = tf.reshape(tf.stack(rotated, -1), tf.shape(x)) if interleaved else tf.concat(rotated, -1)
    return tf.cast(rotated, x.dtype)


@functools.cache
def _rotation(interleaved: bool):
    rotate_pairs = cluster(lambda x, cos, sin: _rotate(x, cos, sin, interleaved))

    @_differentiable
    def rotation(x, cos, sin):
        return rotate_pairs(x, cos, sin), lambda upstream: (rotate_pairs(upstream, cos, -sin), None, None)

    return rotation


def rotate(x, cos, sin, interleaved: bool = False):
    """Rotates pairs of the last axis of x `[...,D]` by angles whose cos and sin are float32 `[...,D/2]`.

    Pairs are the units i and i + D/2, or with `interleaved` 2 i and 2 i + 1.
    """
    return _rotation(interleaved)(x, cos, sin)


# Softmax ----------------------------------------------------------------------------------------------------------

@functools.cache
def _softmax(rate: float):
    """Softmax and dropout, with the exponentials of oneDNN, as XLA's are slower; the gradient is one cluster."""
    drop = cluster(lambda x, seed: _drop(x, rate, seed))

    @cluster
    def backward(weights, upstream, seed):
        upstream = tf.cast(_drop(upstream, rate, seed) if rate else upstream, tf.float32)
        wide = tf.cast(weights, tf.float32)
        return tf.cast(wide * (upstream - tf.reduce_sum(upstream * wide, -1, keepdims=True)), weights.dtype)

    @_differentiable
    def softmax(scores, seed):
        weights = tf.nn.softmax(scores) if scores.dtype == tf.bfloat16 and not _has_gpu() else \
            tf.cast(tf.nn.softmax(tf.cast(scores, tf.float32)), scores.dtype)
        return drop(weights, seed) if rate else weights, lambda upstream: (backward(weights, upstream, seed), None)

    return softmax


@functools.cache
def _has_gpu() -> bool:
    return bool(tf.config.list_physical_devices("GPU"))


def attention_weights(query, key, scale: float, allow=None, bias=None, rate: float = 0.0, seed=None):
    """`dropout(softmax(scale query key^T + bias, where allow))`: `[B,N,T,D]`, `[B,N,S,D]` -> `[B,N,T,S]`.

    With blocks of queries and their keys, `[B,N,C,T,D]`, `[B,N,C,S,D]` and a mask `[B,1,C,T,S]` -> `[B,N,C,T,S]`.

    Product, scale and a mask that is *added* are fused to one oneDNN operation; a select would be a separate, slow
    pass. Sums are in float32 (for bfloat16 inside oneDNN).
    """
    scores = tf.matmul(query, key, transpose_b=True) * tf.cast(scale, query.dtype) + added_mask(query, key, allow)
    if bias is not None:
        scores = scores + tf.cast(bias, scores.dtype)
    return _softmax(rate)(scores, tf.zeros([2], tf.uint32) if seed is None else seed)

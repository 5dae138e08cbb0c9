"""The fused kernels: the only file of `layers` that speaks TensorFlow instead of `keras.ops`."""

import tensorflow as tf


def activate(x, activation: str | None):
    """Element-wise activation by its configuration name; `gelu` is the erf form, `gelu_new` the tanh form."""
    if activation is None:
        return x
    if activation == "gelu":
        return tf.nn.gelu(x, approximate=False)
    if activation == "gelu_new":
        return tf.nn.gelu(x, approximate=True)
    if activation == "quick_gelu":
        return x * tf.sigmoid(tf.cast(1.702, x.dtype) * x)
    return {"relu": tf.nn.relu, "silu": tf.nn.silu, "tanh": tf.tanh}[activation](x)


def dense(x, kernel, bias=None, activation: str | None = None):
    """`activation(x kernel + bias)`: x `[..., in]`, kernel `[in, out]` -> `[..., out]`."""
    x = tf.convert_to_tensor(x)
    kernel = tf.cast(tf.convert_to_tensor(kernel), x.dtype)
    shape = tf.concat([tf.shape(x)[:-1], [kernel.shape[-1]]], 0)
    y = tf.matmul(tf.reshape(x, [-1, kernel.shape[0]]), kernel)
    if bias is not None:
        y = tf.nn.bias_add(y, tf.cast(tf.convert_to_tensor(bias), x.dtype))
    y = activate(y, activation)
    return tf.ensure_shape(tf.reshape(y, shape), [*x.shape[:-1], kernel.shape[-1]])


def dense_transposed(x, table):
    """`x table^T`: x `[..., in]`, table `[out, in]` -> `[..., out]`; logits over an embedding table."""
    x = tf.convert_to_tensor(x)
    table = tf.cast(tf.convert_to_tensor(table), x.dtype)
    shape = tf.concat([tf.shape(x)[:-1], [table.shape[0]]], 0)
    y = tf.matmul(tf.reshape(x, [-1, table.shape[1]]), table, transpose_b=True)
    return tf.ensure_shape(tf.reshape(y, shape), [*x.shape[:-1], table.shape[0]])


def dropout(x, rate: float, seed=None):
    """Inverted dropout; `seed` is a uint32 `[2]` tensor."""
    if rate == 0:
        return x
    keep = tf.random.stateless_uniform(tf.shape(x), tf.cast(seed, tf.int32)) >= rate
    return tf.where(keep, x / tf.cast(1 - rate, x.dtype), tf.zeros((), x.dtype))


def layer_norm(x, gamma, beta, epsilon: float):
    """LayerNorm (Ba et al. 2016) over the last axis, statistics in float32."""
    wide = tf.cast(x, tf.float32)
    mean, variance = tf.nn.moments(wide, -1, keepdims=True)
    y = (wide - mean) * tf.math.rsqrt(variance + epsilon)
    return tf.cast(y * tf.cast(gamma, tf.float32) + tf.cast(beta, tf.float32), x.dtype)


def add_layer_norm(x, y, gamma, beta, epsilon: float, rate: float = 0.0, seed=None):
    """`layer_norm(x + dropout(y))`."""
    return layer_norm(x + dropout(y, rate, seed), gamma, beta, epsilon)


def softmax(scores, allow=None, rate: float = 0.0, seed=None):
    """Softmax over the last axis, in float32, where `allow`; then dropout."""
    wide = tf.cast(scores, tf.float32)
    if allow is not None:
        wide = tf.where(allow, wide, tf.constant(-1e9, tf.float32))
    return dropout(tf.cast(tf.nn.softmax(wide), scores.dtype), rate, seed)

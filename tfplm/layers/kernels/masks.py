"""Masks that are added to attention scores."""

import tensorflow as tf

from tfplm.layers.kernels.plain import is_nested, is_plain


def added_mask(query, key, allow):
    """0 where a query can attend to a key, a very low number elsewhere; `[B,N,T,D]`, `[B,N,S,D]`, bool or None ->
    broadcast to `[B,N,T,S]`, with the dtype of the queries.

    It is never None, because product, scale and an added mask are fused to one oneDNN operation; converters need none.
    """
    dtype, low = query.dtype, -3e4 if query.dtype == tf.float16 else -1e9
    if allow is None:
        return tf.zeros([] if is_nested() else [tf.shape(query)[0], 1, 1, tf.shape(key)[2]], dtype)
    if is_plain():  # by a product, as not every runtime has a select that broadcasts
        return tf.cast(allow, dtype) * tf.constant(-low, dtype) + tf.constant(low, dtype)
    return tf.where(allow, tf.zeros((), dtype), tf.constant(low, dtype))

"""Rows of embedding tables."""

import tensorflow as tf
from keras import ops

from tfplm.layers.kernels.plain import is_plain


def rows_of(table, ids):
    """The rows of a table `[V, E]` for int32 ids `[...]`: `[..., E]`; negative ids count from the end, except in a graph
    for another program, which gets no operations for what no batch has."""
    return tf.gather(tf.convert_to_tensor(table), ids) if is_plain() else ops.take(table, ids, axis=0)

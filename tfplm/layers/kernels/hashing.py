"""Random bits that need no memory: a hash of index and seed, which a backward pass can compute again."""

import tensorflow as tf


def _constant(value: int):
    return tf.constant(value, tf.uint32)


def _shifted(h, bits: int):
    return tf.bitwise.bitwise_xor(h, tf.bitwise.right_shift(h, _constant(bits)))


def keep_mask(shape, rate: float, seed):
    """A bool tensor whose elements are True with probability `1 - rate`, independently of each other.

    It applies the finalizer of MurmurHash3 to the index of an element and the seed: a few integer operations per
    element, which XLA vectorizes; a counter-based generator (Philox) takes several times as long on a CPU.

    Args:
        shape: static or dynamic shape.
        rate: in [0, 1), exact to 2^-32.
        seed: uint32 `[2]`.
    """
    seed = tf.cast(seed, tf.uint32)
    key = _shifted(_shifted(seed[0] * _constant(0x9E3779B1), 15) + seed[1], 13) * _constant(0x27D4EB2F)
    h = _shifted(tf.cast(tf.range(tf.reduce_prod(shape)), tf.uint32) * _constant(0x9E3779B1), 16)
    h = _shifted((h + key) * _constant(0x85EBCA6B), 13)
    h = _shifted(h * _constant(0xC2B2AE35), 16)
    return tf.reshape(h >= _constant(round(rate * 2**32)), shape)

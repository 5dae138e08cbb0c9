"""The random numbers of sampling."""

import tensorflow as tf


def gumbel(shape, seed, step):
    """float32 Gumbel noise, a function of `seed` and `step` alone: the largest of scores + noise is a draw from
    softmax(scores), the largest k are k draws without replacement (Kool et al. 2019)."""
    tiny = 1e-20
    uniform = tf.random.stateless_uniform(shape, tf.stack([seed, step]), minval=tiny, maxval=1.0)
    return -tf.math.log(-tf.math.log(uniform))

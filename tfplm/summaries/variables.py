"""`variable_summaries`: the mean, standard deviation, extremes and histogram of a variable or activation."""

import keras
import tensorflow as tf

from tfplm.summaries.histograms import histogram


def variable_summaries(name: str, value, step=None) -> None:
    """Writes `name/mean`, `name/stddev`, `name/max`, `name/min` (scalars) and `name/histogram`.

    Args:
        name: the prefix of the five tags; name scopes are prepended, as in `tf.summary.scalar`.
        value: a variable (TensorFlow or Keras), tensor or array of any shape and any numeric dtype.
        step: the training step; default: that of `tf.summary.experimental.set_step` or `writer.as_default(step)`.

    Writes to the current default writer, if any: eagerly, in a `tf.function`, in a custom loop, or under a strategy.
    `stddev` is that of the population (divided by n).
    """
    if tf.executing_eagerly() and not tf.summary.should_record_summaries():
        return
    value = tf.convert_to_tensor(value.value if isinstance(value, keras.Variable) else value)
    if not value.dtype.is_floating or value.dtype.size < 4:
        value = tf.cast(value, tf.float32)
    mean = tf.reduce_mean(value)
    tf.summary.scalar(f"{name}/mean", mean, step)
    tf.summary.scalar(f"{name}/stddev", tf.sqrt(tf.reduce_mean(tf.math.squared_difference(value, mean))), step)
    tf.summary.scalar(f"{name}/max", tf.reduce_max(value), step)
    tf.summary.scalar(f"{name}/min", tf.reduce_min(value), step)
    histogram(f"{name}/histogram", value, step)

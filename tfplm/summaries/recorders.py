"""Recorders of the gradient norm and the number of tokens inside the compiled training step."""

import types

import keras
import tensorflow as tf

from tfplm.core.keras_internals import after_reduction, before_clipping, kept, shadow


def _variable(model: keras.Model, value, aggregation) -> tf.Variable:
    """A variable with one copy per replica, so that a step compiled for one device can write it."""
    with model.distribute_strategy.scope():
        return tf.Variable(value, trainable=False, synchronization=tf.VariableSynchronization.ON_READ,
                           aggregation=aggregation)


def innermost(optimizer: keras.Optimizer) -> keras.Optimizer:
    """The optimizer inside loss scaling and other wrappers, which receives the unscaled gradients of finite steps."""
    while hasattr(optimizer, "inner_optimizer"):
        optimizer = optimizer.inner_optimizer
    return optimizer


class GradientNorm:
    """Records the global norm of the gradients of a model's optimizer in `value`, every `every` steps.

    `every` is an int64 variable, which may be set between two steps.

    The norm covers all variables and the unscaled, accumulated gradient of the global batch, before clipping. It is
    computed inside the compiled step, in a branch that is only executed at those steps. (With several replicas, Keras'
    optimizers clip the gradients of each replica before summing them: it is then the norm of the sum of clipped
    gradients.)
    """

    def __init__(self, model: keras.Model, every: int):
        optimizer = innermost(model.optimizer)
        self.optimizer = optimizer
        with model.distribute_strategy.scope():
            self.every = tf.Variable(every, trainable=False, dtype=tf.int64)
        self.value = _variable(model, float("nan"), tf.VariableAggregation.ONLY_FIRST_REPLICA)
        if hasattr(optimizer, "gradient_scale"):  # of `tfplm.training`, which clips the sum of all replicas
            shadow(optimizer, "gradient_scale", self._before_scaling)
        elif model.distribute_strategy.num_replicas_in_sync == 1:
            before_clipping(optimizer, self._record)
        else:
            after_reduction(optimizer, self._record)
        model.train_function = None  # traced again, with the recorder

    def _before_scaling(self, gradients, factor):
        self._record(gradients, factor)
        return type(self.optimizer).gradient_scale(self.optimizer, gradients, factor)

    def _record(self, gradients, factor: float = 1.0) -> None:
        def norm():
            # a dense tensor, because the slices of an embedding's gradient may contain a row twice
            squares = [tf.reduce_sum(tf.square(tf.cast(tf.convert_to_tensor(gradient), tf.float32)))
                       for gradient in gradients if gradient is not None]
            return tf.sqrt(tf.add_n(squares)) * factor

        step = tf.cast(tf.convert_to_tensor(self.optimizer.iterations), tf.int64) + 1
        self.value.assign(tf.cond(step % tf.convert_to_tensor(self.every) == 0, norm, self.value.read_value))


class TokenCounter:
    """Counts the tokens that a model is trained on in `total`: ones in `attention_mask`, or else all `input_ids`.

    A batch that is not a dict with one of these has no tokens.
    """

    def __init__(self, model: keras.Model):
        self.total = _variable(model, tf.constant(0, tf.int64), tf.VariableAggregation.SUM)
        original = model.train_step

        def train_step(model, data):
            self._count(data)
            return original(data)

        # a bound method with the same name, because strategies inspect both
        shadow(model, "train_step", types.MethodType(train_step, model))
        model.train_function = None

    def _count(self, data) -> None:
        x, _, _ = keras.utils.unpack_x_y_sample_weight(data)
        if isinstance(x, dict):
            mask, ids = x.get("attention_mask"), x.get("input_ids")
            if mask is not None:
                self.total.assign_add(tf.reduce_sum(tf.cast(mask, tf.int64)))
            elif ids is not None:
                self.total.assign_add(tf.size(ids, tf.int64))


def gradient_norm_of(model: keras.Model, every: int) -> GradientNorm:
    """The recorder of the model's optimizer: created once, and reused by later calls of `fit`."""
    found = kept(model.optimizer, "_gradient_norm", lambda: GradientNorm(model, every))
    found.every.assign(every)
    return found


def token_counter_of(model: keras.Model) -> TokenCounter:
    """The counter of the model, created once."""
    return kept(model, "_token_counter", lambda: TokenCounter(model))

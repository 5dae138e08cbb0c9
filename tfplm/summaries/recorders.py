"""What only the compiled training step knows, kept in variables: the gradient's norm and the number of tokens."""

import types

import keras
import tensorflow as tf

from tfplm.core.keras_internals import after_reduction, before_clipping, kept, shadow


def _variable(model: keras.Model, value, aggregation) -> tf.Variable:
    """A variable of which each replica has its own, so that a step compiled for its device may write it."""
    with model.distribute_strategy.scope():
        return tf.Variable(value, trainable=False, synchronization=tf.VariableSynchronization.ON_READ,
                           aggregation=aggregation)


def innermost(optimizer: keras.Optimizer) -> keras.Optimizer:
    """The optimizer inside of loss scaling and other wrappers, which sees the unscaled gradients of finite steps."""
    while hasattr(optimizer, "inner_optimizer"):
        optimizer = optimizer.inner_optimizer
    return optimizer


class GradientNorm:
    """The global norm of the gradients that a model's optimizer applies, recorded every so many steps in `value`.

    It is computed inside the compiled step, in a branch that is taken at those steps only: over all variables, of the
    unscaled and accumulated gradient of the global batch, before clipping. (Keras' own optimizers clip the gradients of
    each of several replicas before they are summed up: there it is the norm of the sum of clipped gradients.)
    """

    def __init__(self, model: keras.Model, every: int):
        optimizer = innermost(model.optimizer)
        self.every, self.optimizer = every, optimizer
        self.value = _variable(model, float("nan"), tf.VariableAggregation.ONLY_FIRST_REPLICA)
        if hasattr(optimizer, "gradient_scale"):  # of `tfplm.training`, which clips the sum of all replicas
            shadow(optimizer, "gradient_scale", self._before_scaling)
        elif model.distribute_strategy.num_replicas_in_sync == 1:
            before_clipping(optimizer, self._record)
        else:
            after_reduction(optimizer, self._record)
        model.train_function = None  # to be traced with the recorder in it

    def _before_scaling(self, gradients, factor):
        self._record(gradients, factor)
        return type(self.optimizer).gradient_scale(self.optimizer, gradients, factor)

    def _record(self, gradients, factor: float = 1.0) -> None:
        def norm():
            # a dense tensor, as the slices of an embedding's gradient may name one row twice
            squares = [tf.reduce_sum(tf.square(tf.cast(tf.convert_to_tensor(gradient), tf.float32)))
                       for gradient in gradients if gradient is not None]
            return tf.sqrt(tf.add_n(squares)) * factor

        step = tf.convert_to_tensor(self.optimizer.iterations) + 1
        self.value.assign(tf.cond(step % self.every == 0, norm, self.value.read_value))


class TokenCounter:
    """The number of tokens a model was trained on, in `total`: ones of `attention_mask`, or else the `input_ids`.

    Batches that are not a dict with one of them count as no tokens.
    """

    def __init__(self, model: keras.Model):
        self.total = _variable(model, tf.constant(0, tf.int64), tf.VariableAggregation.SUM)
        original = model.train_step

        def train_step(model, data):
            self._count(data)
            return original(data)

        # still a method of the model under its name, as strategies look at both
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
    """The recorder of the model's optimizer: made once, and found again by later calls of `fit`."""
    found = kept(model.optimizer, "_gradient_norm", lambda: GradientNorm(model, every))
    if found.every != every:
        found = GradientNorm(model, every)
        shadow(model.optimizer, "_gradient_norm", found)
    return found


def token_counter_of(model: keras.Model) -> TokenCounter:
    """The model's counter, made once."""
    return kept(model, "_token_counter", lambda: TokenCounter(model))

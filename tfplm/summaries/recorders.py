"""What only the compiled training step knows, kept in variables: the gradient's norm and the number of tokens."""

import types

import keras
import tensorflow as tf


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
        # into the instances' dicts, as Keras' attribute tracking is for layers and variables
        if hasattr(optimizer, "_scale"):  # of `tfplm.training`, which clips the sum of all replicas
            vars(optimizer)["_scale"] = self._before_scaling
        elif model.distribute_strategy.num_replicas_in_sync == 1:
            vars(optimizer)["_clip_gradients"] = self._before_clipping
        else:
            vars(optimizer)["_all_reduce_sum_gradients"] = self._after_reduction
        model.train_function = None  # to be traced with the recorder in it

    def _before_scaling(self, gradients, factor):
        self._record(gradients, factor)
        return type(self.optimizer)._scale(self.optimizer, gradients, factor)

    def _before_clipping(self, gradients):
        self._record(gradients)
        return type(self.optimizer)._clip_gradients(self.optimizer, gradients)

    def _after_reduction(self, gradients_and_variables):
        reduced = type(self.optimizer)._all_reduce_sum_gradients(self.optimizer, gradients_and_variables)
        self._record([gradient for gradient, _ in reduced])
        return reduced

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
        vars(model)["train_step"] = types.MethodType(train_step, model)
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
    found = vars(model.optimizer).get("_gradient_norm")
    if found is None or found.every != every:
        found = vars(model.optimizer)["_gradient_norm"] = GradientNorm(model, every)
    return found


def token_counter_of(model: keras.Model) -> TokenCounter:
    """The model's counter, made once."""
    if "_token_counter" not in vars(model):
        vars(model)["_token_counter"] = TokenCounter(model)
    return vars(model)["_token_counter"]

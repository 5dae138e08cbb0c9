"""Updates of all tfplm optimizers, which are the same on one device and on several.

Keras clips the gradient of each replica before the sum, cannot accumulate gradients under `MirroredStrategy`, counts
the steps of a schedule in batches even if several form one update, and does not save `exclude_from_weight_decay`.

    gradients -> sum over replicas -> accumulate -> clip by global norm -> decay weights -> update
"""

import re
from collections.abc import Callable, Mapping

import keras
import tensorflow as tf

from tfplm.core import keras_internals
from tfplm.training.loop.distribute import batch_share
from tfplm.training.optimizers.layer_rates import layer_rates

NO_DECAY = ("bias", "gamma", "beta", "scale")  # biases and parameters of normalization, by the variable's name


class Updates(keras_internals.OptimizerHooks):
    """Mixin that adds these updates to a Keras optimizer; it stands left of the optimizer.

    Args (in addition to those of the Keras optimizer):
        no_decay: regular expressions; variables whose name (not path) matches one are not decayed.
        rates: factors of the learning rate, `{regular expression of the path: factor}` (the first match counts; without
            a match, 1) or a function of the variable; weight decay is scaled by the same factors.
        layer_decay: factor of the rate from each block to the one below, see `layer_rates`; multiplied with `rates`.
    """

    def __init__(self, *args, no_decay: tuple[str, ...] = NO_DECAY,
                 rates: Mapping[str, float] | Callable | None = None, layer_decay: float = 1.0, **kwargs):
        super().__init__(*args, **kwargs)
        self.no_decay, self.rates, self.layer_decay = tuple(no_decay), rates or {}, layer_decay

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        if callable(self.rates):
            self.rates = {f"^{re.escape(variable.path)}$": float(self.rates(variable)) for variable in variables}
        paths = [variable.path for variable in variables]
        self._factors = [factor * next((rate for pattern, rate in self.rates.items() if re.search(pattern, path)), 1.0)
                         for path, factor in zip(paths, layer_rates(paths, self.layer_decay))]
        self._decayed = [bool(self.weight_decay) and keras_internals.may_decay(self, variable)
                         and not any(re.search(pattern, variable.name) for pattern in self.no_decay)
                         for variable in variables]

    def get_config(self):
        if callable(self.rates):
            raise ValueError("rates is a function, which cannot be saved; build the optimizer first "
                             "(optimizer.build(model.trainable_variables)), or pass a mapping of paths")
        return {**super().get_config(), "no_decay": list(self.no_decay), "rates": dict(self.rates),
                "layer_decay": self.layer_decay}

    def apply_unscaled(self, grads, variables):
        indices = [keras_internals.index_of(self, variable) for variable in variables]
        variables = [variable.value if isinstance(variable, keras.Variable) else variable for variable in variables]
        grads = self._sum_over_replicas([tf.cast(tf.convert_to_tensor(grad), variable.dtype)
                                         for grad, variable in zip(grads, variables)])
        steps = self.gradient_accumulation_steps or 1
        if steps > 1:
            stores = [keras_internals.gradient_store(self, index) for index in indices]
            grads = [grad + store for grad, store in zip(grads, stores)]
            scale = self.gradient_scale(grads, 1.0 / steps)
        else:
            stores, scale = [], self.gradient_scale(grads, 1.0)
        keras_internals.merge_call(self, self._update_or_store, indices, variables, stores, grads, scale)
        self._average_variables()

    def _sum_over_replicas(self, grads):
        context = tf.distribute.get_replica_context()
        if context is None or context.num_replicas_in_sync == 1:
            return grads
        if (share := batch_share()) is not None:
            grads = [tf.math.multiply_no_nan(grad, tf.cast(share, grad.dtype)) for grad in grads]
        return context.all_reduce(tf.distribute.ReduceOp.SUM, grads)

    def gradient_scale(self, grads, factor: float):
        """The factor of the summed gradients: `factor`, reduced if their global norm exceeds `global_clipnorm`.

        factor: 1 / number of accumulated batches.
        """
        if self.clipnorm or self.clipvalue:
            raise ValueError(f"clipnorm is {self.clipnorm} and clipvalue is {self.clipvalue}; expected None, as the "
                             "optimizers of tfplm clip by the global norm only: use global_clipnorm")
        if not self.global_clipnorm:
            return tf.constant(factor)
        halves = [tf.cast(tf.nn.l2_loss(grad), tf.float32) for grad in grads]
        norm = tf.sqrt(2.0 * tf.add_n(halves)) * factor
        # an infinite norm must not be hidden: the update becomes NaN, as in Keras
        return factor * tf.minimum(1.0, self.global_clipnorm / norm) + (norm - norm)

    def _update_or_store(self, distribution, indices, variables, stores, grads, scale):
        def update():
            rate = tf.cast(self.learning_rate, tf.float32)
            for index, variable, grad in zip(indices, variables, grads):
                distribution.extended.update(variable, self._update_variable, args=(
                    grad, scale, rate * self._factors[index], index, *self._slots(index)), group=False)
            for store in stores:
                distribution.extended.update(store, lambda local: local.assign(tf.zeros_like(local)), group=False)

        def keep():
            for store, grad in zip(stores, grads):
                distribution.extended.update(store, lambda local, new: local.assign(new), args=(grad,), group=False)

        if not stores:
            update()
            return
        batches = tf.convert_to_tensor(keras_internals.batch_counter(self).value) + 1
        last = tf.equal(batches % self.gradient_accumulation_steps, 0)
        tf.cond(last, lambda: (update(), tf.no_op())[1], lambda: (keep(), tf.no_op())[1])

    def _slots(self, index: int) -> tuple:
        """The optimizer's variables for variable `index`, passed to `_update_variable` as local ones of each device."""
        return ()

    def _update_variable(self, variable, grad, scale, rate, index):
        if self._decayed[index]:
            variable.assign_sub(variable * tf.cast(rate * self.weight_decay, variable.dtype))
        self.update_step(grad * tf.cast(scale, grad.dtype), variable, rate)

    def _average_variables(self):
        """Exponential moving average of the weights (`use_ema`), as in Keras."""
        if not self.use_ema:
            return
        keras_internals.average_weights(self)
        if self.ema_overwrite_frequency:
            due = tf.equal((self.iterations + 1) % self.ema_overwrite_frequency, 0)
            keras.ops.cond(due, lambda: keras_internals.use_averages(self), lambda: None)

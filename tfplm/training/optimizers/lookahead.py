"""Lookahead: k steps forward, one step back (Zhang et al. 2019)."""

import keras
import tensorflow as tf

from tfplm.core import keras_internals


@keras.saving.register_keras_serializable("tfplm")
class Lookahead(keras.optimizers.Optimizer):
    """Wraps an optimizer: every `steps` updates, slow weights move towards the fast ones, which are reset to them.

    slow += slow_step * (fast - slow); fast = slow (Zhang et al. 2019, algorithm 1). It needs one copy of the weights.

    Args:
        inner_optimizer: any Keras optimizer; it defines the learning rate, the clipping and the accumulation.
        steps: k of the paper, number of updates of the inner optimizer.
        slow_step: alpha of the paper, in (0, 1].
    """

    def __init__(self, inner_optimizer, steps: int = 6, slow_step: float = 0.5, name: str | None = None):
        if steps < 1 or not 0 < slow_step <= 1:
            raise ValueError(f"steps is {steps} and slow_step is {slow_step}; expected steps of at least 1, and "
                             "slow_step in (0, 1]")
        super().__init__(learning_rate=0.0, name=name)
        self.inner_optimizer, self.steps, self.slow_step = inner_optimizer, steps, slow_step

    def build(self, variables):
        if self.built:
            return
        self.inner_optimizer.build(variables)
        super().build(variables)
        self._slow = self.add_optimizer_variables(variables, "slow")

    @property
    def variables(self):
        return super().variables + self.inner_optimizer.variables

    @property
    def iterations(self):
        return self.inner_optimizer.iterations

    @property
    def learning_rate(self):
        return self.inner_optimizer.learning_rate

    @learning_rate.setter
    def learning_rate(self, value):
        self.inner_optimizer.learning_rate = value

    def scale_loss(self, loss):
        return self.inner_optimizer.scale_loss(loss)

    def apply(self, grads, trainable_variables=None):
        if not self.built:
            with keras.name_scope(self.name):
                self.build(list(trainable_variables))
        variables = list(trainable_variables or keras_internals.trained_variables(self))
        batches = self.steps * (self.inner_optimizer.gradient_accumulation_steps or 1)
        done = keras_internals.batch_counter(self.inner_optimizer)
        self._when(done.value, lambda count: tf.equal(count, 0), self._start, variables)
        self.inner_optimizer.apply(grads, variables)
        self._when(done.value, lambda count: tf.equal(count % batches, 0), self._synchronize, variables)
        keras_internals.batch_counter(self).assign_add(1)

    def _when(self, count, condition, change, variables):
        """If the count meets the condition, calls `change(fast, slow)` for every pair of variables on every device."""
        slow = [self._slow[keras_internals.index_of(self, variable)].value for variable in variables]
        fast = [variable.value if isinstance(variable, keras.Variable) else variable for variable in variables]

        def on_all_devices(distribution, fast, slow):
            def update():
                for weight, slow_weight in zip(fast, slow):
                    distribution.extended.update(weight, change, args=(slow_weight,), group=False)
                return tf.no_op()

            tf.cond(condition(tf.convert_to_tensor(count)), update, tf.no_op)

        keras_internals.merge_call(self, on_all_devices, fast, slow)

    def _start(self, fast, slow):
        slow.assign(fast)

    def _synchronize(self, fast, slow):
        slow.assign_add(self.slow_step * (fast - slow))
        fast.assign(slow)

    def finalize_variable_values(self, var_list):
        self.inner_optimizer.finalize_variable_values(var_list)

    def get_config(self):
        return {"inner_optimizer": keras.saving.serialize_keras_object(self.inner_optimizer), "steps": self.steps,
                "slow_step": self.slow_step, "name": self.name}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        inner = keras.saving.deserialize_keras_object(config["inner_optimizer"], custom_objects=custom_objects)
        return cls(**{**config, "inner_optimizer": inner})

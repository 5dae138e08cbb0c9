"""Adam as TensorFlow 1 computed it, for programs that must give the same numbers."""

import keras
import numpy as np
import tensorflow as tf

from tfplm.core.keras_internals import adam_moments, index_of

_STEPS = 1 << 15  # after as many, both powers are lost beside 1


@keras.saving.register_keras_serializable("tfplm")
class TF1Adam(keras.optimizers.Adam):
    """`tf.compat.v1.train.AdamOptimizer` (Kingma & Ba 2015, end of section 2), with its kernel and its default epsilon.

    TensorFlow 1 multiplies the powers of the betas up from step to step; Keras' Adam raises them in each step, which
    changes the first updates by a hundred-thousandth, more than all other rounding. Variables of other dtypes than float32
    are updated as by Keras.
    """

    def __init__(self, learning_rate=0.001, epsilon: float = 1e-8, **keywords):
        super().__init__(learning_rate, epsilon=epsilon, **keywords)
        if self.amsgrad:
            raise ValueError("amsgrad is True, but Adam of TensorFlow 1 has no such variant: use keras.optimizers.Adam")
        self._powers = [np.cumprod(np.full(_STEPS, beta, np.float32), dtype=np.float32)
                        for beta in (self.beta_1, self.beta_2)]

    def update_step(self, gradient, variable, learning_rate):
        if variable.dtype not in (tf.float32, "float32"):
            super().update_step(gradient, variable, learning_rate)
            return
        first, second = adam_moments(self, index_of(self, variable))
        step = tf.minimum(tf.convert_to_tensor(self.iterations), _STEPS - 1)
        powers = [tf.gather(table, step) for table in self._powers]
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle, m=first.handle, v=second.handle, beta1_power=powers[0], beta2_power=powers[1],
            lr=tf.cast(learning_rate, tf.float32), beta1=self.beta_1, beta2=self.beta_2, epsilon=self.epsilon,
            grad=tf.cast(gradient, tf.float32))

"""Adam of TensorFlow 1, beside that of `tf.compat.v1`."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfplm.training.optimizers.tf1_adam import TF1Adam

v1 = tf.compat.v1
GRADIENTS = np.random.default_rng(0).normal(0, 1, (30, 5)).astype(np.float32)
START = np.linspace(-1, 1, 5, dtype=np.float32)


def of_tf1(**settings) -> np.ndarray:
    """The weights after each step."""
    with tf.Graph().as_default(), v1.Session() as session:
        weight, gradient = v1.Variable(START), v1.placeholder(tf.float32, [5])
        update = v1.train.AdamOptimizer(**settings).apply_gradients([(gradient, weight)])
        session.run(v1.global_variables_initializer())
        return np.array([session.run([update, weight], {gradient: one}) and session.run(weight) for one in GRADIENTS])


@pytest.mark.parametrize("settings", [{}, {"learning_rate": 0.1, "beta1": 0.8, "beta2": 0.99, "epsilon": 1e-4}])
def test_every_bit_of_every_step(settings):
    ours = {name.replace("beta", "beta_"): value for name, value in settings.items()}
    optimizer, weight = TF1Adam(**ours), keras.Variable(START)
    optimizer.build([weight])
    step = tf.function(lambda gradient: optimizer.apply([gradient], [weight]))
    found = []
    for gradient in GRADIENTS:
        step(tf.constant(gradient))
        found.append(np.asarray(weight))
    np.testing.assert_array_equal(found, of_tf1(**settings))


def test_other_dtypes_and_configuration():
    again = TF1Adam.from_config(TF1Adam(0.5, beta_1=0.7).get_config())
    assert (float(again.learning_rate), again.beta_1, again.epsilon) == (0.5, 0.7, 1e-8)
    weights = [keras.Variable(START, dtype="float16") for _ in range(2)]
    for optimizer, weight in zip((again, keras.optimizers.Adam(0.5, beta_1=0.7, epsilon=1e-8)), weights):
        optimizer.build([weight])
        optimizer.apply([tf.cast(GRADIENTS[0], tf.float16)], [weight])
    np.testing.assert_array_equal(*map(np.asarray, weights))
    assert (np.asarray(weights[0]) != START).any()
    with pytest.raises(ValueError, match="amsgrad is True, but Adam of TensorFlow 1 has no such variant"):
        TF1Adam(amsgrad=True)

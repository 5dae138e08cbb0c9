"""Names of layers and variables, and activations, gradients and attention maps on a probe batch."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.summaries.models import data, functional, own
from tfplm.summaries import Probe, layer_paths, variable_paths


def test_paths_are_unique_where_those_of_keras_collide():
    model = own()
    assert len({weight.path for weight in model.trainable_weights}) < len(model.trainable_weights)
    assert list(layer_paths(model)) == ["block_0", "block_0/dense", "block_0/dense_1", "block_1", "block_1/dense",
                                        "block_1/dense_1", "shared", "head"]
    paths = variable_paths(model)
    assert len(paths) == len(model.trainable_weights) == 12
    assert paths["block_1/dense_1/kernel"] is model.blocks[1].value.kernel


def test_variables_of_a_layer_itself_and_frozen_ones():
    class Scale(keras.layers.Layer):
        def __init__(self):
            super().__init__(name="scale")
            self.one, self.two = (self.add_weight(shape=(), name="factor") for _ in range(2))

        def call(self, x):
            return x * self.one + self.two

    model = keras.Sequential([keras.Input((2,)), Scale(), keras.layers.BatchNormalization(name="norm")])
    assert list(variable_paths(model)) == ["scale/factor", "scale/factor_1", "norm/gamma", "norm/beta"]
    assert "norm/moving_mean" in variable_paths(model, trainable=False)


def test_activations_of_a_subclassed_model():
    model, (x, y) = own(), data(7)
    activations = Probe(model, (x, y)).activations()
    assert set(activations) == set(layer_paths(model))
    np.testing.assert_allclose(activations["head"], model(x), atol=1e-6)
    np.testing.assert_allclose(activations["block_0/dense"], model.blocks[0].query(x), atol=1e-6)
    assert all("call" not in vars(layer) for layer in layer_paths(model).values())


def test_gradients_equal_a_tape(tmp_path):
    model, (x, y) = functional(), data(7)
    gradients = Probe(model, tf.data.Dataset.from_tensor_slices((x, y)).batch(7)).gradients()
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, model(x)))
    wanted = tape.gradient(loss, [weight.value for weight in model.trainable_weights])
    assert list(gradients) == ["hidden/kernel", "hidden/bias", "out/kernel", "out/bias"]
    for path, gradient in zip(gradients, wanted):
        np.testing.assert_allclose(gradients[path], gradient, atol=1e-6)


def test_probe_uses_the_current_weights():
    model, (x, _) = functional(), data(4)
    probe = Probe(model, x)
    before = probe.activations()["out"].numpy()
    model.get_layer("out").bias.assign_add([1.0, 1.0])
    np.testing.assert_allclose(probe.activations()["out"], before + 1, atol=1e-6)


def test_errors_of_a_probe():
    model, (x, y) = functional(), data(4)
    with pytest.raises(ValueError, match=r"gradients need a probe with labels: give probe=\(x, y\)"):
        Probe(model, x).gradients()
    with pytest.raises(ValueError, match=r"Sequential gives no attention maps.*expected model"):
        Probe(model, (x, y)).attentions()
    maps = Probe(own(), (x, y)).attentions()
    assert len(maps) == 2 and maps[0].shape == (4, 1, 6, 6)

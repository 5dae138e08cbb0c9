"""Keras' own loops: fit, evaluate and predict from NumPy, tf.data and generators, with and without XLA, replicas."""

import gc
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework.func_graph import FuncGraph

import tfplm
from tests.models import cases

LABELS = np.array([0, 1, 1])
ROOT = Path(__file__).parents[2]


def classifier(name="bert", head="sequence_classification", jit=False, dtype=None, **fields):
    keras.utils.set_random_seed(3)
    model = tfplm.from_config(cases.CASES[name].replace(**fields), head, dtype=dtype)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.01), loss, jit_compile=jit)
    return model


def quiet(model, *data, **keywords):
    return model.fit(*data, verbose=0, **keywords).history["loss"]


@pytest.mark.slow
def test_numpy_dataset_and_generator_agree():
    batch = cases.batch("bert")
    off = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    dataset = tf.data.Dataset.from_tensors((batch, LABELS))

    def generator():
        while True:
            yield batch, LABELS

    losses = [quiet(classifier(**off), batch, LABELS, epochs=2, shuffle=False),
              quiet(classifier(**off), dataset, epochs=2),
              quiet(classifier(**off), generator(), epochs=2, steps_per_epoch=1)]
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-5)
    np.testing.assert_allclose(losses[0], losses[2], rtol=1e-5)
    assert losses[0][1] < losses[0][0]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "head"), [("gpt2", "causal_lm"), ("t5", "seq2seq_lm")])
def test_language_models_learn(name, head):
    model, batch = classifier(name, head), cases.batch(name, padded=False)
    labels = batch.get("decoder_input_ids", batch["input_ids"])
    losses = quiet(model, batch, labels, epochs=12)
    assert losses[-1] < 0.8 * losses[0]
    assert model.evaluate(batch, labels, verbose=0) < losses[0]


@pytest.mark.slow
def test_with_xla():
    model, batch = classifier(jit=True), cases.batch("bert")
    losses = quiet(model, batch, LABELS, epochs=3)
    assert np.isfinite(losses).all()
    predicted = model.predict(batch, verbose=0)
    np.testing.assert_allclose(predicted, model(batch), atol=1e-5)


@pytest.mark.parametrize("dtype", ["bfloat16", pytest.param("mixed_bfloat16", marks=pytest.mark.slow),
                                   pytest.param("mixed_float16", marks=pytest.mark.slow)])
def test_half_precision_learns(dtype):
    model, batch = classifier(dtype=dtype), cases.batch("bert")
    losses = quiet(model, batch, LABELS, epochs=8)
    assert np.isfinite(losses).all() and losses[-1] < losses[0]


def test_heads_with_several_outputs():
    model, batch = tfplm.from_config(cases.CASES["bert"], "pretraining"), cases.batch("bert")
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", {"masked_lm": loss, "next_sentence": loss}, jit_compile=False)
    targets = {"masked_lm": batch["input_ids"], "next_sentence": LABELS}
    assert np.isfinite(quiet(model, batch, targets)).all()
    predicted = model.predict(batch, verbose=0)
    assert predicted["masked_lm"].shape == (3, 9, 47) and predicted["next_sentence"].shape == (3, 2)


@pytest.mark.slow
def test_headless_in_a_functional_model_learns():
    backbone, batch = tfplm.from_config(cases.CASES["bert"]), cases.batch("bert")
    inputs = {key: keras.Input((None,), dtype="int32", name=key) for key in batch}
    model = keras.Model(inputs, keras.layers.Dense(2)(backbone(inputs)["pooled_output"]))
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), jit_compile=False)
    before = np.array(backbone.stack.blocks[0].ffn.up.kernel)
    assert np.isfinite(quiet(model, batch, LABELS)).all()
    assert np.abs(backbone.stack.blocks[0].ffn.up.kernel - before).max() > 0


def graphs() -> int:
    gc.collect()
    return sum(isinstance(one, FuncGraph) for one in gc.get_objects())


def test_a_model_leaves_nothing_behind():
    """TensorFlow keeps the graph of a custom gradient forever, so it must not be the model's, which has the weights."""
    counts = []
    for _ in range(3):
        model = classifier(num_hidden_layers=1)
        quiet(model, cases.batch("bert"), LABELS)
        del model
        keras.backend.clear_session()
        counts.append(graphs())
    assert counts[0] > 0 and counts[2] == counts[1], counts


def test_frozen_backbone():
    model, batch = classifier(), cases.batch("bert")
    model.embeddings.trainable = model.stack.trainable = False
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), jit_compile=False)
    before = {v.path: np.array(v) for v in model.weights}
    quiet(model, batch, LABELS)
    changed = {path for path, value in before.items()
               if not np.array_equal(value, next(v for v in model.weights if v.path == path))}
    assert changed == {"bert/pooler/kernel", "bert/pooler/bias", "bert/classifier/kernel", "bert/classifier/bias"}


PROGRAM = """
import numpy as np, keras, tensorflow as tf, tfplm
from tests.models import cases
cpus = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(cpus[0], [tf.config.LogicalDeviceConfiguration()] * 2)
rows = cases.batch("bert", rows=4, padded=False)
labels = np.array([0, 1, 1, 0])
results = []
for strategy in (tf.distribute.get_strategy(), tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])):
    with strategy.scope():
        keras.utils.set_random_seed(3)
        model = tfplm.from_config(cases.CASES["bert"].replace(hidden_dropout_prob=0.0,
                                  attention_probs_dropout_prob=0.0), "sequence_classification")
        model.compile(keras.optimizers.SGD(0.1), keras.losses.SparseCategoricalCrossentropy(from_logits=True),
                      jit_compile=False)
        model.optimizer.build(model.trainable_variables)
    history = model.fit(tf.data.Dataset.from_tensors((rows, labels)).unbatch().batch(4), epochs=3, verbose=0)
    results.append((history.history["loss"], [np.array(v) for v in model.trainable_variables]))
(one, weights), (two, mirrored) = results
np.testing.assert_allclose(one, two, atol=1e-5)
assert strategy.num_replicas_in_sync == 2
for a, b in zip(weights, mirrored):
    np.testing.assert_allclose(a, b, atol=1e-5)
print("agree")
"""


@pytest.mark.slow
def test_two_replicas_train_like_one():
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": ""}
    result = subprocess.run([sys.executable, "-c", PROGRAM], cwd=ROOT, env=environment, capture_output=True, text=True,
                            timeout=600)
    assert result.returncode == 0 and "agree" in result.stdout, result.stderr[-2000:]

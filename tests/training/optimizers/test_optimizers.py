"""Optimizers against their papers in NumPy and against Keras: decay, clipping, accumulation and saving."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfplm.options.finetune import FinetuneOptions
from tfplm.training.optimizers import adam
from tfplm.training.optimizers.adam import LAMB, SGD, Adafactor, AdamW
from tfplm.training.optimizers.layer_rates import layer_rates
from tfplm.training.optimizers.lookahead import Lookahead
from tfplm.training.optimizers.make import compile_arguments, make_optimizer

START = {"kernel": np.array([[1.0, -2.0, 3.0], [0.5, 0.1, -0.3]]), "bias": np.array([0.3, -0.2, 0.1])}


def gradients(steps: int, seed: int = 0) -> list[dict[str, np.ndarray]]:
    random = np.random.RandomState(seed)
    return [{name: random.normal(size=value.shape) for name, value in START.items()} for _ in range(steps)]


def trained(optimizer, steps: int = 5) -> dict[str, np.ndarray]:
    variables = [keras.Variable(value.astype("float32"), name=name) for name, value in START.items()]
    for grads in gradients(steps):
        optimizer.apply([tf.constant(grads[v.name], tf.float32) for v in variables], variables)
    return {variable.name: variable.numpy() for variable in variables}


def in_numpy(rule, steps: int = 5) -> dict[str, np.ndarray]:
    """`rule(weight, first moment, second moment, step from 1, decays) -> weight`; the moments are Adam's."""
    weights = {name: value.copy() for name, value in START.items()}
    first, second = ({name: np.zeros_like(value) for name, value in START.items()} for _ in range(2))
    for step, grads in enumerate(gradients(steps), 1):
        for name, grad in grads.items():
            first[name] = 0.9 * first[name] + 0.1 * grad
            second[name] = 0.999 * second[name] + 0.001 * grad ** 2
            weights[name] = rule(weights[name], first[name], second[name], step, name == "kernel")
    return weights


def assert_close(found: dict, expected: dict, tolerance: float = 2e-6) -> None:
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, atol=tolerance, rtol=0)


@pytest.mark.parametrize("fused", [False, True])
def test_adamw(monkeypatch, fused):
    monkeypatch.setattr(adam, "FUSED_FROM", 0 if fused else 10 ** 9)

    def rule(weight, first, second, step, decays):
        size = 0.01 * np.sqrt(1 - 0.999 ** step) / (1 - 0.9 ** step)
        return weight * (1 - 0.01 * 0.1 * decays) - size * first / (np.sqrt(second) + 1e-6)

    assert_close(trained(AdamW(0.01, weight_decay=0.1, epsilon=1e-6)), in_numpy(rule))


@pytest.mark.parametrize("fused", [False, True])
def test_adamw_equals_keras(monkeypatch, fused):
    monkeypatch.setattr(adam, "FUSED_FROM", 0 if fused else 10 ** 9)
    assert_close(trained(AdamW(0.01, weight_decay=0.1, no_decay=())),
                 trained(keras.optimizers.AdamW(0.01, weight_decay=0.1)), tolerance=1e-6)


def test_bert_adam_has_no_bias_correction():
    def rule(weight, first, second, step, decays):
        return weight - 0.01 * (first / (np.sqrt(second) + 1e-6) + 0.01 * decays * weight)

    optimizer = make_optimizer("bert_adam", learning_rate=0.01, schedule="constant", clip_norm=0)
    assert_close(trained(optimizer), in_numpy(rule))


def test_lamb_equals_algorithm_2():
    def rule(weight, first, second, step, decays):
        direction = first / (1 - 0.9 ** step) / (np.sqrt(second / (1 - 0.999 ** step)) + 1e-6) + 0.1 * decays * weight
        ratio = np.linalg.norm(weight) / np.linalg.norm(direction) if decays else 1.0
        return weight - 0.01 * ratio * direction

    assert_close(trained(LAMB(0.01, weight_decay=0.1, epsilon=1e-6)), in_numpy(rule))


def test_lookahead_equals_algorithm_1():
    fast = {name: value.copy() for name, value in START.items()}
    slow = {name: value.copy() for name, value in START.items()}
    for step, grads in enumerate(gradients(5), 1):
        for name in fast:
            fast[name] -= 0.1 * grads[name]
            if step % 2 == 0:
                slow[name] += 0.3 * (fast[name] - slow[name])
                fast[name] = slow[name].copy()
    assert_close(trained(Lookahead(SGD(0.1), steps=2, slow_step=0.3)), fast)


def test_lookahead_counts_updates_and_forwards_the_rate():
    optimizer = Lookahead(SGD(0.1, gradient_accumulation_steps=2), steps=2)
    trained(optimizer, steps=6)
    assert int(optimizer.iterations) == 3
    optimizer.learning_rate = 0.05
    assert float(optimizer.inner_optimizer.learning_rate) == pytest.approx(0.05)


@pytest.mark.parametrize("ours, theirs", [(Adafactor, keras.optimizers.Adafactor), (SGD, keras.optimizers.SGD)])
def test_others_equal_keras(ours, theirs):
    assert_close(trained(ours(0.01)), trained(theirs(0.01)))


def test_clipping_is_by_the_norm_of_all_gradients_together():
    one = gradients(1)[0]
    norm = np.sqrt(sum(np.sum(grad ** 2) for grad in one.values()))
    expected = {name: START[name] - one[name] * 0.5 / norm for name in one}
    assert_close(trained(SGD(1.0, global_clipnorm=0.5), 1), expected)
    assert_close(trained(SGD(1.0, global_clipnorm=norm + 1), 1), {name: START[name] - one[name] for name in one})


def test_rows_of_a_sparse_gradient_are_summed_before_the_norm():
    table = keras.Variable(np.zeros((4, 2), "float32"), name="embeddings")
    SGD(1.0, global_clipnorm=1.0).apply([tf.IndexedSlices(tf.ones((3, 2)), [1, 1, 3], (4, 2))], [table])
    dense = np.array([[0, 0], [2, 2], [0, 0], [1, 1]])
    np.testing.assert_allclose(table.numpy(), -dense / np.linalg.norm(dense), atol=1e-6)


def test_a_nan_is_not_hidden_by_clipping():
    weight = keras.Variable(np.ones(2, "float32"), name="kernel")
    SGD(1.0, global_clipnorm=1.0).apply([tf.constant([np.inf, 1.0])], [weight])
    assert np.isnan(weight.numpy()).any()


def test_accumulated_gradients_give_one_update_with_their_mean():
    grads = gradients(4)
    means = [{name: (a[name] + b[name]) / 2 for name in a} for a, b in zip(grads[::2], grads[1::2])]
    expected = {name: START[name] - sum(0.1 * mean[name] for mean in means) for name in START}
    optimizer = SGD(0.1, gradient_accumulation_steps=2)
    assert_close(trained(optimizer, 4), expected)
    assert_close(trained(SGD(0.1, gradient_accumulation_steps=2), 5), expected)  # the fifth is stored
    assert int(optimizer.iterations) == 2


def test_the_schedule_counts_updates():
    optimizer = make_optimizer("sgd", learning_rate=1.0, accumulation=4, warmup_steps=0, total_steps=10)
    trained(optimizer, 8)
    assert float(optimizer.learning_rate) == pytest.approx(0.8)


def model() -> keras.Model:
    keras.utils.set_random_seed(0)
    ids = keras.Input((5,), dtype="int32")
    hidden = keras.layers.Embedding(9, 4, name="embeddings")(ids)
    for index in range(2):
        hidden = keras.layers.LayerNormalization(name=f"block_{index}")(keras.layers.Dense(4)(hidden))
    return keras.Model(ids, keras.layers.Dense(2)(keras.layers.Flatten()(hidden)))


def test_norms_and_biases_are_not_decayed():
    network = model()
    optimizer = AdamW(0.1, weight_decay=0.5)
    before = [variable.numpy() for variable in network.trainable_variables]
    optimizer.apply([tf.zeros(v.shape) for v in network.trainable_variables], network.trainable_variables)
    for variable, old in zip(network.trainable_variables, before):
        decayed = variable.name in ("kernel", "embeddings")
        np.testing.assert_allclose(variable.numpy(), old * (0.95 if decayed else 1.0), rtol=1e-6, err_msg=variable.path)


def test_exclude_from_weight_decay_of_keras_is_respected():
    optimizer = SGD(0.1, weight_decay=0.5)
    optimizer.exclude_from_weight_decay(var_names=["kernel"])
    weight = keras.Variable(np.ones(3, "float32"), name="kernel")
    optimizer.apply([tf.zeros(3)], [weight])
    assert (weight.numpy() == 1).all()


def test_layer_rates():
    paths = ["embeddings/word", "block_0/kernel", "encoder/block_1/query/bias", "head/kernel"]
    assert layer_rates(paths, 0.5) == [0.125, 0.25, 0.5, 1.0]
    assert layer_rates(["a", "b"], 0.5) == [1.0, 1.0]


@pytest.mark.parametrize("rates, expected", [
    ({"kernel": 0.5}, {"kernel": 0.5, "bias": 1.0}),
    (lambda variable: 0.25 if variable.name == "bias" else 2.0, {"kernel": 2.0, "bias": 0.25}),
])
def test_rates_of_variables(rates, expected):
    one = gradients(1)[0]
    optimizer = SGD(1.0, rates=rates)
    assert_close(trained(optimizer, 1), {name: START[name] - expected[name] * one[name] for name in one})
    restored = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert_close(trained(restored, 1), {name: START[name] - expected[name] * one[name] for name in one})


@pytest.mark.parametrize("name, options", [
    ("adamw", {"layer_decay": 0.5}), *[pytest.param(*case, marks=pytest.mark.slow) for case in (
        ("bert_adam", {"accumulation": 2}), ("lamb", {"lookahead": 2}), ("adafactor", {}),
        ("sgd", {"schedule": "slanted_triangular"}))]])
def test_training_resumes_from_a_saved_model(tmp_path, name, options):
    random = np.random.RandomState(1)
    data = random.randint(0, 9, (24, 5)), random.randint(0, 2, 24)
    network = model()
    network.compile(make_optimizer(name, learning_rate=0.01, total_steps=20, **options),
                    keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    network.fit(*data, batch_size=8, shuffle=False, verbose=0)
    network.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.optimizer.get_config() == network.optimizer.get_config()
    for each in (network, loaded):
        each.fit(*data, batch_size=8, shuffle=False, verbose=0)
    for found, expected in zip(loaded.get_weights(), network.get_weights()):
        np.testing.assert_array_equal(found, expected)


def test_errors():
    with pytest.raises(ValueError, match="optimizer is 'adamax'; expected one of adamw, bert_adam"):
        make_optimizer("adamax", total_steps=10)
    with pytest.raises(TypeError, match="learn"):
        make_optimizer(learn=3)
    with pytest.raises(ValueError, match="rates is a function, which cannot be saved; build the optimizer first"):
        SGD(1.0, rates=lambda variable: 1.0).get_config()
    with pytest.raises(ValueError, match="clipnorm is 1.0 and clipvalue is None; expected None, .* global norm only"):
        trained(SGD(1.0, clipnorm=1.0), 1)
    with pytest.raises(ValueError, match="amsgrad is not supported"):
        AdamW(amsgrad=True)
    with pytest.raises(ValueError, match="steps is 0 and slow_step is 0.5; expected steps of at least 1"):
        Lookahead(SGD(1.0), steps=0)


def test_compile_arguments():
    options = FinetuneOptions(output="x", dtype="mixed_float16", jit="off", accumulation=4, warmup_ratio=0.25,
                              learning_rate=1.0, clip_norm=0.0, weight_decay=0.0)
    arguments = compile_arguments(options, steps=80.0, rates={"bias": 0.5})
    assert isinstance(arguments["optimizer"], keras.optimizers.LossScaleOptimizer) and arguments["jit_compile"] is False
    schedule = arguments["optimizer"].inner_optimizer._learning_rate
    assert (schedule.warmup_steps, schedule.total_steps) == (5, 20)  # updates, not batches
    options = FinetuneOptions(output="x", jit="auto", warmup_steps=30)
    arguments = compile_arguments(options, steps=10)
    assert isinstance(arguments["optimizer"], AdamW) and arguments["jit_compile"] == "auto"
    assert arguments["optimizer"]._learning_rate.total_steps == 31  # all but the last are warm-up

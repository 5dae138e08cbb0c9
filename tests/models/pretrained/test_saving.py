"""Keras files: `load_model` returns exactly the same model."""

import keras
import numpy as np
import pytest

import tfplm
from tests.models import cases
from tests.models.golden import flat
from tfplm.models.pretrained.weights import named_variables

ONE_EACH = ["bert", "gpt2", "t5"]
HEADS = [("bert", head) for head in [None, *cases.heads_of("bert")]]
HEADS += [("electra", "replaced_token_detection"), ("bart", "sequence_classification"), ("bart", None)]
HEADS += [pytest.param("gpt2", head, marks=pytest.mark.slow) for head in [None, *cases.heads_of("gpt2")]]
QUICK = ["albert", "bart", "bert", "bilstm", "gpt2", "modernbert", "t5", "textcnn", "groups", "untied", "bucketed"]
POLICIES = [("bert", "bfloat16"), ("bert", "mixed_bfloat16"), ("bert", "mixed_float16"), ("gpt2", "bfloat16"),
            ("t5", "mixed_bfloat16")]


def assert_same(model, path, batch):
    model.save(path)
    again = keras.models.load_model(path)
    assert type(again) is type(model) and again.dtype_policy.name == model.dtype_policy.name
    before, after = named_variables(model), named_variables(again)
    assert list(before) == list(after)
    for key, variable in before.items():
        assert variable.trainable == after[key].trainable and variable.dtype == after[key].dtype
        np.testing.assert_array_equal(variable, after[key], err_msg=key)
    expected, outputs = flat(model(batch)), flat(again(batch))
    assert expected.keys() == outputs.keys()
    for key, array in expected.items():
        np.testing.assert_array_equal(array, outputs[key], err_msg=key)
    return again


@pytest.mark.parametrize("name", cases.sweep(QUICK))
def test_loaded_model_is_equal(name, tmp_path):
    check_head(name, cases.LM[cases.CASES[name].architecture], tmp_path)


@pytest.mark.parametrize(("name", "head"), HEADS)
def test_heads(name, head, tmp_path):
    check_head(name, head, tmp_path)


def check_head(name, head, tmp_path):
    again = assert_same(cases.model(name, head), tmp_path / "model.keras", cases.batch(name, head=head))
    assert again.config == cases.CASES[name] and again.head_name == head


@pytest.mark.parametrize(("name", "policy"), POLICIES)
def test_policies(name, policy, tmp_path):
    head = cases.LM[cases.CASES[name].architecture]
    model = tfplm.from_config(cases.CASES[name], head, dtype=policy)
    assert_same(model, tmp_path / "model.keras", cases.batch(name))


def test_labels_names_and_rates_are_restored(tmp_path):
    config = cases.CASES["bert"].replace(id2label={0: "体育", 1: "财经", 2: "科技"}, hidden_dropout_prob=0.25)
    model = tfplm.from_config(config, "sequence_classification")
    again = assert_same(model, tmp_path / "分类.keras", cases.batch("bert"))
    assert again.num_labels == 3 and again.config.id2label == {0: "体育", 1: "财经", 2: "科技"}
    assert again.config.hidden_dropout_prob == 0.25 and again.name == model.name


@pytest.mark.parametrize("name", ONE_EACH)
def test_inside_a_functional_model(name, tmp_path):
    backbone, batch = cases.model(name), cases.batch(name)
    inputs = {key: keras.Input((None,), dtype="int32", name=key) for key in batch}
    first = backbone(inputs)["sequence_output"][:, 0]
    model = keras.Model(inputs, keras.layers.Dense(3, name="labels")(first))
    expected = model(batch).numpy()
    assert expected.shape == (3, 3)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again(batch), expected)
    assert len(again.trainable_variables) == len(backbone.trainable_variables) + 2


@pytest.mark.parametrize("name", ONE_EACH)
def test_symbolic_shapes(name):
    head = cases.LM[cases.CASES[name].architecture]
    inputs = {key: keras.Input((None,), dtype="int32", name=key) for key in cases.batch(name)}
    logits = cases.model(name, head)(inputs)
    assert tuple(logits.shape) == (None, None, cases.VOCABULARY) and logits.dtype == "float32"


@pytest.mark.slow
def test_weights_file_and_optimizer(tmp_path):
    """`save_weights` and `load_weights`, and a compiled model that resumes training."""
    model = tfplm.from_config(cases.CASES["bert"].replace(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0),
                              "sequence_classification")
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), jit_compile=False)
    batch, labels = cases.batch("bert"), np.array([0, 1, 1])
    model.fit(batch, labels, verbose=0)
    model.save_weights(tmp_path / "model.weights.h5")
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    fresh = tfplm.from_config(model.config, "sequence_classification")
    fresh.load_weights(tmp_path / "model.weights.h5")
    np.testing.assert_array_equal(fresh(batch), model(batch))
    for one in (model, again):
        one.fit(batch, labels, epochs=1, verbose=0)
    np.testing.assert_allclose(again(batch), model(batch), atol=1e-6)


def test_from_pretrained_reads_keras_files(tmp_path, caplog):
    model, batch = cases.model("bert", "masked_lm"), cases.batch("bert")
    model.save(tmp_path / "model.keras")
    for source in (tmp_path, tmp_path / "model.keras"):
        np.testing.assert_array_equal(tfplm.from_pretrained(source, "masked_lm")(batch), model(batch))
    other = tfplm.from_pretrained(tmp_path, "sequence_classification", num_labels=4)
    assert other(batch).shape == (3, 4)
    assert "newly initialized: " in caplog.text and "classifier/kernel" in caplog.text
    assert np.std(named_variables(other)["classifier/kernel"]) > 0
    named = named_variables(model)
    for path, variable in named_variables(other).items():
        if path in named:
            np.testing.assert_array_equal(variable, named[path])
    keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]).save(tmp_path / "other.keras")
    with pytest.raises(ValueError, match="contains a Sequential, expected a model of this library"):
        tfplm.from_pretrained(tmp_path / "other.keras")

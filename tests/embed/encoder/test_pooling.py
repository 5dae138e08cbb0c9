"""Pooling strategies equal plain NumPy on the model's hidden states."""

import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from tests.embed.encoder.encoder_cases import TEXTS, encoder, model, tokenizer
from tfplm.embed import Pooling, SentenceEncoder
from tfplm.embed.encoder.pooling import OF_MODEL, PoolingPlan, pool
from tfplm.embed.encoder.recipe import Recipe
from tfplm.embed.encoder.vectors import normalize_rows


def states_and_masks(encoder, texts):
    """For each text the hidden states `[layers + 1,T,H]`, from a batch with only this text."""
    for row in encoder.tokenize(texts):
        batch = {"input_ids": row.input_ids[None], "token_type_ids": row.token_type_ids[None],
                 "attention_mask": np.ones((1, len(row)), np.int32)}
        states = encoder.model(batch, output_hidden_states=True)["hidden_states"]
        yield np.stack([np.asarray(state)[0] for state in states])


BY_HAND = {
    "REDUCE_MEAN": lambda x: x.mean(0), "REDUCE_MAX": lambda x: x.max(0),
    "REDUCE_MEAN_MAX": lambda x: np.concatenate([x.mean(0), x.max(0)]),
    "FIRST_TOKEN": lambda x: x[0], "LAST_TOKEN": lambda x: x[-1], "MEAN_SQRT_LENGTH": lambda x: x.sum(0) / np.sqrt(len(x)),
    "WEIGHTED_MEAN": lambda x: (x * np.arange(1, len(x) + 1)[:, None]).sum(0) / np.arange(1, len(x) + 1).sum(),
}


def test_numbers_equal_those_of_bert_as_service():
    names = ["NONE", "REDUCE_MAX", "REDUCE_MEAN", "REDUCE_MEAN_MAX", "FIRST_TOKEN", "LAST_TOKEN", "CLS_POOLED",
             "CLASSIFICATION", "REGRESSION"]
    assert [Pooling[name].value for name in names] == list(range(9))
    assert Pooling.CLS_TOKEN is Pooling.FIRST_TOKEN and Pooling.SEP_TOKEN is Pooling.LAST_TOKEN
    assert Pooling.of("mean") is Pooling.of(2) is Pooling.of("reduce-mean") is Pooling.of(Pooling.REDUCE_MEAN)


QUICK = ("REDUCE_MEAN_MAX", "LAST_TOKEN", "WEIGHTED_MEAN")  # the others are parts of these, or similar


@pytest.mark.parametrize(("name", "layers"), [
    *[pytest.param(name, (-2, -1) if name == "REDUCE_MEAN_MAX" else (-1,),
                   marks=[] if name in QUICK else [pytest.mark.slow]) for name in BY_HAND],
    pytest.param("REDUCE_MEAN", (0,), marks=pytest.mark.slow), pytest.param("REDUCE_MEAN", (2, 1), marks=pytest.mark.slow),
    ("REDUCE_MAX", (-3, 0, -1))])
def test_strategies(name, layers, tmp_path):
    made = encoder(tmp_path, PoolingPlan.of(name, layers))
    vectors = made.encode(TEXTS)
    assert vectors.dtype == np.float32 and vectors.shape == (len(TEXTS), made.dimension)
    for vector, states in zip(vectors, states_and_masks(made, TEXTS)):
        outputs = states[1:]  # without the embedding layer
        expected = BY_HAND[name](np.concatenate([outputs[layer] for layer in layers], -1))
        np.testing.assert_allclose(vector, expected, atol=2e-5)


def test_layers_averaged(tmp_path):
    made = encoder(tmp_path, PoolingPlan.of("mean", (0, -1), average_layers=True))
    for vector, states in zip(made.encode(TEXTS), states_and_masks(made, TEXTS)):
        np.testing.assert_allclose(vector, ((states[1] + states[-1]) / 2).mean(0), atol=2e-5)


def test_several_strategies_are_concatenated(tmp_path):
    made = encoder(tmp_path, PoolingPlan.of(["cls", "mean"]))
    for vector, states in zip(made.encode(TEXTS), states_and_masks(made, TEXTS)):
        np.testing.assert_allclose(vector, np.concatenate([states[-1][0], states[-1].mean(0)]), atol=2e-5)


def test_none_returns_tokens_and_zeros(tmp_path):
    made = encoder(tmp_path, "NONE")
    vectors = made.encode(TEXTS)
    assert vectors.shape[0] == len(TEXTS) and vectors.shape[2] == made.dimension == 12
    for vector, states in zip(vectors, states_and_masks(made, TEXTS)):
        length = states.shape[1]
        np.testing.assert_allclose(vector[:length], states[-1], atol=2e-5)
        assert not vector[length:].any()
    assert vectors.shape[1] == max(len(row) for row in made.tokenize(TEXTS))


@pytest.mark.parametrize(("pooling", "layers", "averaged", "width"), [
    ("NONE", (-2, -1), False, 24), (["cls", "REDUCE_MEAN_MAX"], (0, 1), False, 72),
    *[pytest.param(*case, marks=pytest.mark.slow) for case in (
        ("mean", -1, False, 12), ("max", (0, -1), True, 12), ("CLS_POOLED", (-2, -1), False, 12))]])
def test_width_of_vectors(pooling, layers, averaged, width, tmp_path):
    plan = PoolingPlan.of(pooling, layers, average_layers=averaged)
    assert plan.width(12) == encoder(tmp_path, plan).encode(["a dog"]).shape[-1] == width


def test_cls_pooled_is_the_pooler(tmp_path):
    made = encoder(tmp_path, PoolingPlan.of("CLS_POOLED", -2))  # the layer is ignored
    for vector, row in zip(made.encode(TEXTS), made.tokenize(TEXTS)):
        expected = made.model({"input_ids": row.input_ids[None]})["pooled_output"][0]
        np.testing.assert_allclose(vector, np.asarray(expected), atol=2e-5)


@pytest.mark.parametrize(("name", "labels"), [("CLASSIFICATION", 4), pytest.param("REGRESSION", 1, marks=pytest.mark.slow)])
def test_heads(name, labels, tmp_path):
    made = encoder(tmp_path, name, head="sequence_classification", num_labels=labels)
    vectors = made.encode(TEXTS)
    assert vectors.shape == (len(TEXTS), labels)
    for vector, row in zip(vectors, made.tokenize(TEXTS)):
        logits = np.asarray(made.model({"input_ids": row.input_ids[None]}))[0]
        expected = np.exp(logits) / np.exp(logits).sum() if labels > 1 else 1 / (1 + np.exp(-logits))
        np.testing.assert_allclose(vector, expected, atol=2e-5)


@pytest.mark.parametrize("name", ["REDUCE_MEAN", *[
    pytest.param(name, marks=pytest.mark.slow) for name in ("LAST_TOKEN", "NONE")]])
def test_mask_cls_sep_also_changes_attention(name, tmp_path):
    made = encoder(tmp_path, PoolingPlan.of(name, mask_cls_sep=True))
    texts = [TEXTS[0], TEXTS[1], "a dog"]
    for vector, row in zip(made.encode(texts), made.tokenize(texts)):
        mask = np.ones(len(row), np.int32)
        mask[[0, -1]] = 0
        batch = {"input_ids": row.input_ids[None], "attention_mask": mask[None]}
        hidden = np.asarray(made.model(batch)["sequence_output"])[0]
        real = hidden[1:-1]
        expected = {"REDUCE_MEAN": real.mean(0), "LAST_TOKEN": hidden[mask.sum() - 1],
                    "NONE": hidden * mask[:, None]}[name]
        np.testing.assert_allclose(vector[:len(row)] if name == "NONE" else vector, expected, atol=2e-5)


def test_upper_layers_are_not_computed(tmp_path):
    whole = encoder(tmp_path, PoolingPlan.of("mean", -3))
    before = whole.encode(TEXTS)
    for block in whole.model.stack.blocks[1:]:
        for variable in block.variables:
            variable.assign(ops.full_like(variable, float("nan")))
    other = SentenceEncoder(whole.model, whole.tokenizer, whole.recipe)
    np.testing.assert_array_equal(other.encode(TEXTS), before)
    needed = [len(one._function._graph.get_concrete_function().captured_inputs)
              for one in (other, encoder(tmp_path, "mean"))]
    assert needed[0] < needed[1] / 2  # numbers of variables


def test_pre_norm_stack_ends_with_its_norm(tmp_path):
    fields = {"norm_placement": "pre", "final_norm": True}
    made = SentenceEncoder(model(**fields), tokenizer(tmp_path), PoolingPlan.of("mean", (-2, -1)))
    for vector, states in zip(made.encode(TEXTS), states_and_masks(made, TEXTS)):
        np.testing.assert_allclose(vector, np.concatenate([states[-2].mean(0), states[-1].mean(0)]), atol=2e-5)


def test_normalize_rows():
    x = np.random.default_rng(0).normal(size=(4, 7)).astype(np.float32)
    x[2] = 0
    y = normalize_rows(x)
    assert y.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(y, axis=1), [1, 1, 0, 1], atol=1e-6)


@pytest.mark.parametrize(("make", "message"), [
    (lambda: Pooling.of("REDUCE_MEEN"), "did you mean 'REDUCE_MEAN'"),
    (lambda: Pooling.of(9), r"no pooling with number 9; expected one of 0 \(NONE\)"),
    (lambda: PoolingPlan.of(["NONE", "mean"]), "poolings are NONE, REDUCE_MEAN, but NONE cannot be combined with"),
    (lambda: PoolingPlan.of("mean", ()), "there are 1 pooling strategies and 0 layers; expected at least one"),
    (lambda: Recipe(PoolingPlan.of("WEIGHTED_MEAN"), pool_prompt=False), "cannot exclude the prompt"),
])
def test_errors_of_plans(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(("recipe", "changes", "message"), [
    (PoolingPlan.of("mean", 3), {}, "there is no layer 3: the model has 3 layers"),
    ("CLS_POOLED", {"pooler": False}, "has no pooler; expected a model with a pooler for CLS_POOLED: use REDUCE_MEAN"),
    ("CLASSIFICATION", {}, "the head is None; expected 'sequence_classification' for CLASSIFICATION"),
    ("REGRESSION", {"head": "sequence_classification", "num_labels": 3}, "head has 3 outputs; expected 1 for"),
])
def test_errors_of_models(recipe, changes, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        encoder(tmp_path, recipe, **changes)


@pytest.mark.parametrize("strategy", [strategy for strategy in Pooling if strategy not in OF_MODEL], ids=lambda s: s.name)
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_rows_without_a_token(strategy, dtype):
    hidden = tf.cast(np.random.default_rng(0).normal(size=(2, 4, 3)), dtype)
    mask = np.array([[0, 0, 0, 0], [1, 1, 0, 0]])
    pooled = np.asarray(pool(hidden, mask, [strategy]))
    assert np.isfinite(pooled).all() and np.abs(pooled).max() < 10
    if strategy not in (Pooling.FIRST_TOKEN, Pooling.LAST_TOKEN):
        assert (pooled[0] == 0).all() and (pooled[1] != 0).any()


@pytest.mark.parametrize("strategy", [strategy for strategy in Pooling if strategy not in OF_MODEL[1:]],
                         ids=lambda strategy: strategy.name)
def test_texts_without_a_token(tmp_path, strategy):
    made = encoder(tmp_path, PoolingPlan.of(strategy, mask_cls_sep=True))
    plain = np.abs(made.encode("a dog")).max()
    for text in ("", "  ", "\u200b", ["", "a dog"]):
        vectors = made.encode(text)
        assert np.isfinite(vectors).all() and np.abs(vectors).max() < 10 * plain
        assert np.isfinite(vectors.astype(np.float16)).all()
    units = made.encode(["", "a dog"], normalize=True)
    assert np.isfinite(units).all() and np.isfinite(units @ np.moveaxis(units, -1, -2)).all()


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_unit_vectors(dtype):
    vectors = np.array([[0, 0], [300, 400], [1e-4, 0]], dtype)
    units = normalize_rows(vectors)
    assert units.dtype == dtype
    np.testing.assert_allclose(units, [[0, 0], [0.6, 0.8], [1, 0]], atol=1e-3)

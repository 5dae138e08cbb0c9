"""Single texts: their separate program, and when it must not be used."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tensorflow as tf

import tfplm
from tests.embed.encoder.encoder_cases import encoder
from tests.embed.encoder.single_cases import TEXTS, compiled, finish_compiling, one_by_one
from tfplm.embed import SentenceEncoder
from tfplm.embed.encoder import single_texts
from tfplm.embed.encoder.pooling import PoolingPlan
from tfplm.embed.encoder.recipe import Recipe


@pytest.fixture
def loaded(tmp_path, monkeypatch, request):
    """An encoder of `from_pretrained` that compiles its program for single texts at the second one of a width."""
    monkeypatch.setattr(single_texts, "_CALLS", 2)
    source = encoder(tmp_path)
    tfplm.save_pretrained(source.model, tmp_path / "saved", source.tokenizer)
    return SentenceEncoder.from_pretrained(tmp_path / "saved", dtype=getattr(request, "param", None))


@pytest.mark.parametrize(("loaded", "atol"), [
    (None, 2e-6), pytest.param("bfloat16", 0.03, marks=pytest.mark.slow)], indirect=["loaded"])
def test_single_texts_are_compiled_after_some_calls(loaded, atol):
    expected = loaded.encode(TEXTS)
    assert compiled(loaded)
    np.testing.assert_allclose(one_by_one(loaded), expected, atol=atol)
    assert loaded._function.traces == 1


def test_several_threads(loaded):
    expected = loaded.encode(TEXTS)
    with ThreadPoolExecutor(4) as threads:
        for vectors in threads.map(lambda _: one_by_one(loaded), range(8)):
            np.testing.assert_allclose(vectors, expected, atol=2e-6)
    assert compiled(loaded)


def test_inexact_call_counts_do_not_matter(loaded):
    loaded.encode(TEXTS[0])
    counted = loaded._function.single_texts._current._calls
    counted.update(dict.fromkeys(counted, 7))  # as if several threads counted at the same time
    loaded.encode(TEXTS[0])
    finish_compiling()
    assert loaded._function.single_texts._current.ready


def test_single_texts_keep_the_width_of_their_tokens(loaded):
    tokens = loaded.with_recipe(Recipe(PoolingPlan.of("NONE")))
    expected = [tokens.encode(text) for text in TEXTS]
    assert compiled(tokens)
    for text, vectors in zip(TEXTS, expected):
        np.testing.assert_allclose(tokens.encode(text), vectors, atol=2e-6)


def test_weights_that_may_change_do_not_become_constants(loaded):
    assert compiled(loaded)
    expected = loaded.encode(TEXTS)
    for weight in loaded.model.weights:  # reads `model`, so the weights may change
        if weight.path.endswith("/kernel"):
            weight.assign(weight * 2)
    np.testing.assert_allclose(one_by_one(loaded), loaded.encode(TEXTS), atol=2e-6)
    assert np.abs(loaded.encode(TEXTS) - expected).max() > 0.01 and not compiled(loaded)


def test_encoders_of_one_model_share_its_ownership(loaded):
    other = loaded.with_recipe(Recipe(PoolingPlan.of("max")))
    assert compiled(other) and compiled(loaded)
    assert loaded.model is other.model
    assert not compiled(other) and not compiled(loaded)


def test_large_models_are_copied_only_by_freeze(loaded, monkeypatch):
    monkeypatch.setattr(single_texts, "UNASKED", 100)
    assert not compiled(loaded.with_recipe(loaded.recipe)) and not compiled(loaded.freeze(max_bytes=100))
    monkeypatch.setattr(single_texts, "_LIMIT", 100)
    with pytest.raises(ValueError, match=r"the weights of .* have 0 MB; expected at most 0 MB to freeze them"):
        loaded.freeze()


@pytest.mark.parametrize(("dtype", "atol"), [("float32", 2e-6), pytest.param("bfloat16", 0.03, marks=pytest.mark.slow)])
def test_frozen_weights_are_constants_until_the_next_call(tmp_path, dtype, atol):
    made = encoder(tmp_path, dtype=dtype)
    assert not compiled(made)
    expected = made.encode(TEXTS)
    assert made.freeze() is made and compiled(made)
    np.testing.assert_allclose(one_by_one(made), expected, atol=atol)
    for weight in made.model.weights:
        if weight.path.endswith("/kernel"):
            weight.assign(weight * 2)
    np.testing.assert_allclose(made.encode(TEXTS[0]), expected[0], atol=atol)  # constants: they do not change
    assert np.abs(made.encode(TEXTS)[0] - expected[0]).max() > 4 * atol
    assert compiled(made.freeze())
    np.testing.assert_allclose(made.encode(TEXTS[0]), made.encode(TEXTS)[0], atol=10 * atol)


def test_state_of_the_weights_may_be_set(tmp_path, loaded):
    other = loaded.with_recipe(Recipe(PoolingPlan.of("max")))
    assert (loaded.weights, encoder(tmp_path).weights) == ("private", "shared")
    assert compiled(loaded)
    for weight in loaded.model.weights:
        if weight.path.endswith("/kernel"):
            weight.assign(weight * 2)
    assert loaded.weights == other.weights == "shared"
    other.weights = "private"  # after the last change
    assert loaded.weights == "private" and compiled(loaded)
    np.testing.assert_allclose(one_by_one(loaded), loaded.encode(TEXTS), atol=2e-6)
    loaded.weights = "frozen"
    assert loaded.model is other.model and other.weights == "frozen"  # reading `model` does not undo it
    with pytest.raises(ValueError, match="weights is 'mine'; expected one of private, shared, frozen"):
        loaded.weights = "mine"


def test_freezing_an_encoder_without_a_program_for_single_texts(tmp_path):
    made = encoder(tmp_path, "CLASSIFICATION", head="sequence_classification")
    expected = made.encode(TEXTS)
    np.testing.assert_allclose(made.freeze().encode(TEXTS[0]), expected[0], atol=2e-6)


def test_texts_that_xla_cannot_compile_use_the_graph(made, monkeypatch, caplog):
    caplog.set_level("INFO", logger="tfplm.embed.encoder.single_texts")

    def fail(table):
        raise tf.errors.InvalidArgumentError(None, None, "no such operation")

    monkeypatch.setattr(single_texts._Compiled, "_trace", lambda compiled: fail)
    expected = made.encode(TEXTS)
    texts = made.with_recipe(made.recipe).freeze()
    for _ in range(2):
        assert not compiled(texts)
        np.testing.assert_allclose(one_by_one(texts), expected, atol=2e-6)
    assert "are not compiled: no such operation" in caplog.text


class Doubled:
    """A program of LiteRT that is wrong."""

    def __init__(self, function, shape, weights):
        self.function = function

    def __call__(self, table):
        return 2 * self.function(tf.constant(table)).numpy()


class Exact(Doubled):
    def __call__(self, table):
        return super().__call__(table) / 2


@pytest.mark.parametrize(("program", "used"), [(Exact, True), (Doubled, False)])
def test_the_program_of_many_calls_is_checked_before_it_is_used(loaded, monkeypatch, caplog, program, used):
    caplog.set_level("INFO", logger="tfplm.embed.encoder.single_texts")
    monkeypatch.setattr(single_texts, "_MANY_CALLS", 3)
    monkeypatch.setattr(single_texts, "LiteProgram", program)
    expected = loaded.encode(TEXTS)
    widths = [compiled(loaded) for _ in range(4)][-1]
    current = loaded._function.single_texts._current
    assert set(current.lite) == (widths if used else set()) and ("differ from the model's" in caplog.text) != used
    np.testing.assert_allclose(one_by_one(loaded), expected, atol=2e-6)


def test_models_that_litert_cannot_run_have_no_such_program(loaded, tmp_path, monkeypatch):
    assert loaded._function.single_texts.lite
    monkeypatch.setattr(single_texts, "_LIMIT", 100)  # with the embedding tables, which XLA's program does not copy
    assert not loaded.with_recipe(loaded.recipe)._function.single_texts.lite
    half = SentenceEncoder.from_pretrained(tmp_path / "saved", dtype="bfloat16")
    assert not half._function.single_texts.lite


@pytest.mark.slow
def test_the_program_of_many_calls(loaded, monkeypatch):
    monkeypatch.setattr(single_texts, "_MANY_CALLS", 3)
    expected = loaded.encode(TEXTS)
    widths = [compiled(loaded) for _ in range(4)][-1]
    programs = loaded._function.single_texts._current.lite
    assert set(programs) == widths
    np.testing.assert_allclose(one_by_one(loaded), expected, atol=2e-6)
    with ThreadPoolExecutor(4) as threads:
        for vectors in threads.map(lambda _: one_by_one(loaded), range(8)):
            np.testing.assert_allclose(vectors, expected, atol=2e-6)
    for weight in loaded.model.weights:  # reads `model`, so the weights may change
        if weight.path.endswith("/kernel"):
            weight.assign(weight * 2)
    np.testing.assert_allclose(one_by_one(loaded), loaded.encode(TEXTS), atol=2e-6)
    assert np.abs(loaded.encode(TEXTS) - expected).max() > 0.01

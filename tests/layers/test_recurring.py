"""Whole programs for shapes that recur: where XLA is chosen, after enough time, with the same outputs."""

import numpy as np
import pytest
import tensorflow as tf

from tests.embed.encoder.encoder_cases import TEXTS, encoder
from tests.embed.encoder.single_cases import finish_compiling as finish
from tfplm.layers.kernels import recurring
from tfplm.layers.kernels.recurring import RecurringShapes


@pytest.fixture
def eager(monkeypatch):
    """Shapes are compiled after the first call."""
    monkeypatch.setenv("TFPLM_FLOAT32", "xla")
    monkeypatch.setattr(recurring, "WORTH", 0.0)
    monkeypatch.setattr(recurring, "FEWEST", 1)


def made(dtype="float32", program=None):
    program = program or (lambda x: x + 1)
    return RecurringShapes(lambda x: x + 1, tf.function(program, jit_compile=True), dtype)


def test_a_shape_has_to_recur(monkeypatch):
    monkeypatch.setenv("TFPLM_FLOAT32", "xla")
    monkeypatch.setattr(recurring, "WORTH", 0.0)
    call = made()
    for count in range(recurring.FEWEST):
        assert not call.ready and call((2,), tf.ones(2)).numpy().tolist() == [2, 2], count
    finish()
    assert call.ready == {(2,)} and call((2,), tf.ones(2)).numpy().tolist() == [2, 2]
    monkeypatch.setattr(recurring, "WORTH", 1e9)
    for _ in range(2 * recurring.FEWEST):
        call((3,), tf.ones(3))
    finish()
    assert call.ready == {(2,)}


@pytest.mark.parametrize(("library", "dtype"), [("onednn", "float32"), ("xla", "bfloat16")])
def test_elsewhere_nothing_is_compiled(monkeypatch, eager, library, dtype):
    monkeypatch.setenv("TFPLM_FLOAT32", library)
    call = made(dtype)
    call((2,), tf.ones(2))
    finish()
    assert not call.ready and not call._started


def test_what_xla_cannot_compile_stays_a_graph(eager):
    call = made(program=lambda x: tf.strings.length(tf.strings.as_string(x)))
    for _ in range(3):
        assert call((2,), tf.ones(2)).numpy().tolist() == [2, 2]
        finish()
    assert not call.ready


def test_vectors_are_the_same(eager, tmp_path):
    made = encoder(tmp_path)
    expected = made.encode(TEXTS)
    finish()
    assert made._function._call.ready
    np.testing.assert_allclose(made.encode(TEXTS), expected, atol=2e-6)
    made.model.embeddings.word.embeddings.assign(made.model.embeddings.word.embeddings * 2)  # a program reads variables
    assert np.abs(made.encode(TEXTS) - expected).max() > 0.01

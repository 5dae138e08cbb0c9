"""The fifth document (survey), its self-supervised tasks: order of sentences, permutation, rotation."""

import numpy as np
import pytest
import tensorflow as tf

import tfplm
from tests.adapt.adapt_cases import BAD, GOOD, save_bert
from tests.pretrain.test_pretrain_slow import SMALL
from tfplm.models.scoring import in_order, is_next, open_pair_model
from tfplm.pretrain.run import pretrain


@pytest.fixture
def eager():
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def test_lines_108_to_118_the_order_of_two_sentences_is_asked(tmp_path, eager):
    model = save_bert(tmp_path / "model", head="pretraining")
    opened = open_pair_model(model, objective="sop")
    forward, backward = opened.relations([GOOD[0], BAD[0]], [BAD[0], GOOD[0]])
    batch = tfplm.Tokenizer.from_pretrained(model)([GOOD[0], BAD[0]], [BAD[0], GOOD[0]])
    logits = np.asarray(tfplm.from_pretrained(model, "pretraining")(batch)["next_sentence"], np.float64)
    expected = np.exp(logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True))
    np.testing.assert_allclose([list(one.probabilities.values()) for one in (forward, backward)], expected, rtol=1e-4)
    assert list(forward.probabilities) == ["in order", "swapped"]
    assert is_next(opened, GOOD[0], BAD[0]) == (expected[0, 0] > expected[0, 1])
    assert in_order(opened, GOOD[0], BAD[0]) == (expected[0, 0] > expected[1, 0]) != in_order(opened, BAD[0], GOOD[0])


@pytest.mark.slow
@pytest.mark.parametrize("noise", [pytest.param("permutation", id="lines_120_to_126_sentence_permutation"),
                                   pytest.param("rotation", id="lines_128_to_132_document_rotation")])
def test_a_task_alone_beats_the_trivial_baseline(noise, data, tmp_path):
    """The decoder restores the original text of the permuted or rotated one; the baseline is the frequency of tokens."""
    result = pretrain(text=[str(data("wikitext2", "valid.txt"))], objective="denoising", noise=[noise], vocab_size=2000,
                      steps=200, evaluate_every=200, evaluation_batches=8, num_decoder_layers=2, decoder_attention_heads=2,
                      output=str(tmp_path / "model"), log_dir=str(tmp_path / "logs"), **SMALL)
    assert result.metrics["denoising_loss"] < result.baselines["denoising_loss"]

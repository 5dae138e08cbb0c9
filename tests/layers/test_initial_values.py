"""Initial values have the standard deviations of the papers; biases are 0, gains 1."""

import keras
import numpy as np
import pytest

import tfplm
from tfplm.layers import skip_initialization
from tfplm.models.pretrained.weights import named_variables

SIZE = {"vocab_size": 900, "hidden_size": 128, "num_hidden_layers": 8, "num_attention_heads": 4,
        "max_position_embeddings": 64, "initializer_range": 0.02}


@pytest.fixture(scope="module")
def values():
    def of(name, head=None, **fields):
        keras.utils.set_random_seed(1)
        model = tfplm.from_config({"model_type": name, **SIZE, **fields}, head)
        return {path: np.asarray(variable) for path, variable in named_variables(model).items()}

    return of


def test_bert_is_truncated_at_two_deviations(values):
    named = values("bert", "pretraining")
    for path, value in named.items():
        if path.endswith(("kernel", "embeddings")):
            assert np.abs(value).max() <= 0.04 + 1e-6, path
            if value.size > 1000:  # the standard deviation is 0.88 of that without truncation
                assert abs(value.std() - 0.0176) < 0.001, (path, value.std())
        else:
            assert (value == (1.0 if path.endswith("gamma") else 0.0)).all(), path


def test_gpt2_residual_projections_decrease_with_depth(values):
    named = values("gpt2", "causal_lm")
    for path, value in named.items():
        if path.endswith(("attention/out/kernel", "ffn/down/kernel")):
            assert abs(value.std() - 0.02 / 4) < 0.0004, path  # sqrt(2 * 8 layers) = 4
        elif path.endswith(("kernel", "embeddings")):
            assert abs(value.std() - 0.02) < 0.001, path
    assert np.abs(named["embeddings/word/embeddings"]).max() > 0.06  # not truncated


def test_t5_divides_by_the_fan_in(values):
    named = values("t5", initializer_range=1.0, head_dim=16, intermediate_size=256)
    expected = {"attention/query": (128 * 16) ** -0.5, "attention/key": 128 ** -0.5, "attention/value": 128 ** -0.5,
                "attention/out": 64 ** -0.5, "ffn/up": 128 ** -0.5, "ffn/down": 256 ** -0.5}
    for layer, deviation in expected.items():
        value = named[f"encoder/block_3/{layer}/kernel"]
        assert abs(value.std() / deviation - 1) < 0.05, layer
    assert abs(named["embeddings/word/embeddings"].std() - 1) < 0.02


def test_skipping():
    with skip_initialization():
        model = tfplm.from_config("bert-tiny", "masked_lm")
    named = named_variables(model)
    assert not np.asarray(named["embeddings/word/embeddings"]).any()
    assert np.asarray(named["lm_transform/kernel"]).any()  # a checkpoint may not contain the head
    assert np.asarray(tfplm.from_config("bert-tiny").embeddings.word.embeddings).any()

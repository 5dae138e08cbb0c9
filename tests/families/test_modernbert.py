"""ModernBERT: its config in transformers 4 and 5, and heads that start with the same layers."""

import numpy as np
import pytest

import tfplm
from tests.models import cases, golden
from tfplm.core.config import read_json
from tfplm.families import registry
from tfplm.models.pretrained.weights import named_variables

FAMILY = registry.family("modernbert")
SIZES = {"vocab_size": 47, "hidden_size": 12, "num_hidden_layers": 7, "num_attention_heads": 3}
FULL, LOCAL = "full_attention", "sliding_attention"


@pytest.mark.parametrize(("values", "fields"), [
    ({}, {"layer_pattern": ["global", "local", "local"], "rope_theta": 160000.0, "local_rope_theta": 10000.0,
          "classifier_pooling": "first", "choice_pooling": "first"}),
    ({"global_attn_every_n_layers": 2, "global_rope_theta": 5.0, "local_rope_theta": 3.0, "local_attention": 6},
     {"layer_pattern": ["global", "local"], "rope_theta": 5.0, "local_rope_theta": 3.0, "attention_window": 6}),
    ({"layer_types": [FULL, LOCAL, LOCAL] * 2 + [FULL]}, {"layer_pattern": ["global", "local", "local"]}),
    ({"layer_types": [LOCAL] * 7}, {"layer_pattern": ["local"]}),
    ({"layer_types": [LOCAL] * 6 + [FULL], "global_attn_every_n_layers": 3}, {"layer_pattern": ["local"] * 6 + ["global"]}),
    ({"rope_parameters": {FULL: {"rope_type": "default", "rope_theta": 7.0}, LOCAL: {"rope_theta": 2.0}}},
     {"rope_theta": 7.0, "local_rope_theta": 2.0}),
    ({"classifier_pooling": "mean", "classifier_bias": True, "decoder_bias": False},
     {"classifier_pooling": "mean", "choice_pooling": "mean", "head_bias": True, "lm_bias": False}),
])
def test_config(values, fields):
    config = FAMILY.read_config({**SIZES, **values})
    assert {name: getattr(config, name) for name in fields} == fields
    written, foreign = FAMILY.write_config(config)
    assert foreign == [] and FAMILY.read_config(written) == config
    assert "layer_pattern" not in written and written["global_attn_every_n_layers"] == len(config.layer_pattern)


@pytest.mark.parametrize(("values", "message"), [
    ({"rope_parameters": {FULL: {"rope_type": "yarn"}}}, "rope_parameters full_attention = .*yarn.*; only"),
    ({"rope_scaling": {"factor": 2}}, "rope_scaling = .*; only None is supported"),
    ({"layer_types": ["chunked_attention"]}, "layer_pattern contains 'chunked_attention', expected global and local"),
])
def test_errors(values, message):
    with pytest.raises(ValueError, match=message):
        FAMILY.read_config({**SIZES, **values})


def test_a_language_model_becomes_a_classifier():
    """The transform of the heads is loaded, and only the classifier is newly initialized."""
    source = golden.FOLDER / "modernbert-masked_lm"
    model = tfplm.from_pretrained(source, "sequence_classification", num_labels=4)
    assert model.loading_report.fresh == ["classifier/bias", "classifier/kernel"]
    language_model = named_variables(golden.load("modernbert-masked_lm"))
    for path in ("head_dense/kernel", "head_norm/gamma"):
        np.testing.assert_array_equal(named_variables(model)[path], language_model[path])


def test_presets():
    base = registry.preset("modernbert-base")
    assert base.attention_head_dim == 64 and base.position_limit is None and base.layer_kinds == ("global", "local", "local")
    assert base == FAMILY.read_config(read_json(golden.FOLDER.parent / "names" / "ModernBERT-base.json")["config"])


def test_rows_longer_than_the_window():
    """Local layers in blocks equal those with one mask, with padding, and in a graph."""
    config = cases.CASES["modernbert"].replace(max_position_embeddings=200)
    model = tfplm.from_config(config, "masked_lm")
    rng = np.random.default_rng(0)
    batch = {"input_ids": rng.integers(3, 47, (2, 150)).astype(np.int32), "attention_mask": np.ones((2, 150), np.int32)}
    batch["attention_mask"][1, 90:] = 0
    expected = np.asarray(model(batch, output_attentions=True)["head"])  # with maps, local layers are not split
    real = batch["attention_mask"] == 1
    np.testing.assert_allclose(np.asarray(model(batch))[real], expected[real], atol=1e-5)
    alone = np.asarray(model({"input_ids": batch["input_ids"][1:, :90]}))
    np.testing.assert_allclose(alone[0], expected[1, :90], atol=1e-5)

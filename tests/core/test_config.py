"""`Config`: choices, sizes, derived values, JSON."""

import dataclasses
import json

import pytest

from tfplm.core.config import Config, read_json, write_json


@pytest.mark.parametrize(("fields", "message"), [
    ({"hidden_act": "gelu2"}, "hidden_act is 'gelu2', expected one of gelu, gelu_new, relu, silu, tanh, quick_gelu"),
    ({"vocab_size": 1.5}, "vocab_size is 1.5, expected one of int"),
    ({"vocab_size": True}, "vocab_size is True, expected one of int"),
    ({"final_norm": 1}, "final_norm is 1, expected one of bool"),
    ({"layer_norm_eps": "small"}, "layer_norm_eps is 'small', expected one of float"),
    ({"embedding_size": "x"}, "embedding_size is 'x', expected one of int, NoneType"),
    ({"hidden_size": 10, "num_attention_heads": 3}, "hidden_size 10 is not a multiple of num_attention_heads 3: change "
                                                    "one of them, or set head_dim"),
    ({"share": "all", "num_hidden_groups": 5}, "num_hidden_layers 12 is not a multiple of num_hidden_groups 5"),
    ({"layer_pattern": ["global", "near"]}, "layer_pattern contains 'near', expected global and local"),
    ({"layer_pattern": "local"}, "layer_pattern is 'local', expected one of list, NoneType"),
    ({"position_type": "rotary", "head_dim": 5}, "a head has 5 units, but rotary positions rotate pairs of units: use "
                                                 "an even head_dim"),
    ({"share": "all", "first_norm": False}, "first_norm is False, but with share='all' all blocks share"),
])
def test_values_are_checked(fields, message):
    with pytest.raises(ValueError, match=message):
        Config(**fields)


def test_integers_are_accepted_as_floats():
    assert Config(hidden_dropout_prob=0).hidden_dropout_prob == 0


def test_derived_sizes():
    config = Config()
    assert (config.attention_head_dim, config.ffn_size, config.word_embedding_size) == (64, 3072, 768)
    assert config.replace(head_dim=10).attention_head_dim == 10
    assert config.replace(embedding_size=128).word_embedding_size == 128
    assert config.replace(hidden_dropout_prob=0.3).embedding_dropout == 0.3 == config.replace(
        hidden_dropout_prob=0.3).head_dropout
    assert config.replace(classifier_dropout=0.0).head_dropout == 0.0
    decoder = Config(num_decoder_layers=3, decoder_attention_heads=6).decoder()
    assert (decoder.num_hidden_layers, decoder.num_attention_heads, decoder.ffn_size) == (3, 6, 3072)
    assert decoder.attention_type == "causal" and decoder.architecture == "decoder"


def test_sparse_is_a_pattern():
    """Equivalent configurations are equal."""
    config = Config(attention_type="sparse", attention_window=3)
    assert config == Config(attention_type="causal", layer_pattern=("global", "local"), attention_window=3)
    assert (config.attention_type, config.layer_pattern, config.layer_kinds) == (
        "causal", ["global", "local"], ("global", "local"))
    assert Config(attention_type="sparse", layer_pattern=["local"]).layer_pattern == ["local"]
    assert Config().layer_kinds == ("global",) and Config.from_dict(config.to_dict()) == config


@pytest.mark.parametrize(("fields", "head"), [
    ({}, "masked_lm"), ({"attention_type": "causal"}, "causal_lm"), ({"attention_type": "sparse"}, "causal_lm"),
    ({"attention_type": "prefix"}, "masked_lm"), ({"architecture": "decoder"}, "causal_lm"),
    ({"architecture": "seq2seq"}, "seq2seq_lm"), ({"architecture": "textcnn"}, "masked_lm"),
])
def test_the_head_of_a_language_model(fields, head):
    assert Config(**fields).language_head == head


def test_unknown_fields_are_named_with_the_nearest():
    for call in (lambda: Config().replace(hiden_size=3, zzz=1), lambda: Config.from_dict({"hiden_size": 3, "zzz": 1})):
        with pytest.raises(ValueError, match=r"unknown configuration field: 'hiden_size' \(did you mean 'hidden_size'\?"
                                             r"\), 'zzz'$"):
            call()


def test_frozen_and_json(tmp_path):
    config = Config(id2label={0: "体育", 1: "财经"}, hidden_size=24, num_attention_heads=2)
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.hidden_size = 3
    write_json(tmp_path / "c.json", config.to_dict())
    assert Config.from_dict(read_json(tmp_path / "c.json")) == config
    assert "体育" in (tmp_path / "c.json").read_text(encoding="utf-8")
    assert [path.name for path in tmp_path.iterdir()] == ["c.json"]
    json.dumps(config.to_dict())


@pytest.mark.parametrize(("text", "message"), [
    ('{"a": 1,', r"c.json is not valid JSON \(line 1: .*\): fetch it again"),
    ("[1]", "c.json contains a list, expected a JSON object"),
])
def test_bad_json(tmp_path, text, message):
    (tmp_path / "c.json").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        read_json(tmp_path / "c.json")

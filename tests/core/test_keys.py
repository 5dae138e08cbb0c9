"""Configurations of other libraries, read and written."""

import pytest

import tfplm
from tests.models.pretrained import published
from tfplm.core.config import Config
from tfplm.core.keys import Keys, read_config, write_config
from tfplm.core.limits.keys import HARMLESS, MUST_BE
from tfplm.families import registry

STORED = {name: stored["config"] for name, stored in published.stored().items()
          if stored["config"]["model_type"] in registry.families()}
SIZE = {"vocab_size": 50, "hidden_size": 12, "num_hidden_layers": 2, "num_attention_heads": 3}


def read(values, model_type="bert", layout="hf"):
    return registry.family(model_type).read_config(values, layout)


@pytest.mark.parametrize("name", STORED)
def test_published(name):
    """The configs of published models are understood, are restored after writing, and agree with the presets."""
    values = STORED[name]
    config = read(values, values["model_type"])
    written, foreign = registry.family(config.model_type).write_config(config)
    assert foreign == []
    again = read(written, config.model_type)
    assert again == config.replace(num_decoder_layers=again.num_decoder_layers)
    assert config.num_decoder_layers in (None, again.num_decoder_layers)
    for key in written.keys() & values.keys() - {"n_ctx"}:
        assert written[key] == values[key], key
    if name in tfplm.presets():
        sizes = ("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "ffn_size", "hidden_act",
                 "max_position_embeddings", "type_vocab_size", "word_embedding_size", "position_type",
                 "norm_placement", "tie_word_embeddings", "pad_token_id", "attention_head_dim", "scale_embedding",
                 "layer_norm_eps")
        preset = registry.preset(name)
        if config.model_type == "ernie":  # the stored configs are uncertain
            sizes = sizes[:-1]
        assert {key: getattr(preset, key) for key in sizes} == {key: getattr(config, key) for key in sizes}


def test_cases():
    assert len(STORED) >= 28 and sum(name in tfplm.presets() for name in STORED) >= 20
    fields = set(Config.__dataclass_fields__)
    for name in registry.families():
        keys = registry.family(name).keys
        assert set(keys.names) <= fields and len(set(keys.names.values())) == len(keys.names), name
        assert not (HARMLESS | keys.harmless) & {*MUST_BE, *keys.must_be}, name


@pytest.mark.parametrize(("model_type", "values", "expected"), [
    ("gpt2", {"n_vocab": 50, "n_ctx": 20, "n_embd": 12, "n_head": 3, "n_layer": 2},
     {"vocab_size": 50, "max_position_embeddings": 20, "hidden_size": 12, "num_hidden_layers": 2}),
    ("openai-gpt", {**SIZE, "afn": "gelu"}, {"hidden_act": "gelu_new"}),
    ("t5", {**SIZE, "feed_forward_proj": "gated-gelu", "tie_word_embeddings": False},
     {"ffn_gated": True, "hidden_act": "gelu_new", "tie_word_embeddings": False, "lm_scale": False}),
    ("t5", {**SIZE, "feed_forward_proj": "gated-silu"}, {"ffn_gated": True, "hidden_act": "silu", "lm_scale": True}),
    ("t5", {**SIZE, "scale_decoder_outputs": False, "tie_word_embeddings": True},
     {"tie_word_embeddings": True, "lm_scale": False}),
    ("t5", {**SIZE, "scale_decoder_outputs": True, "tie_word_embeddings": False},
     {"tie_word_embeddings": False, "lm_scale": True}),
    ("mt5", {**SIZE, "tie_word_embeddings": True}, {"tie_word_embeddings": True, "lm_scale": False}),
    ("mt5", {**SIZE, "scale_decoder_outputs": True}, {"lm_scale": True}),
    ("t5", {**SIZE, "architectures": ["T5EncoderModel"]}, {"architecture": "encoder"}),
    ("bert", {**SIZE, "hidden_act": "swish"}, {"hidden_act": "silu"}),
    ("bert", {**SIZE, "is_decoder": True}, {"attention_type": "causal"}),
    ("distilbert", {**SIZE, "sinusoidal_pos_embds": True}, {"position_type": "sinusoidal"}),
    ("mbart", {**SIZE, "normalize_before": True, "add_final_layer_norm": True, "normalize_embedding": True},
     {"norm_placement": "pre", "final_norm": True, "embedding_norm": True}),
    ("ernie", {**SIZE, "use_task_id": True}, {"task_type_vocab_size": 3}),
    ("ernie", {**SIZE, "use_task_id": False, "task_type_vocab_size": 3}, {"task_type_vocab_size": 0}),
    ("bert", {**SIZE, "directionality": "bidi", "pooler_fc_size": 768, "pooler_num_attention_heads": 12,
              "pooler_num_fc_layers": 3, "pooler_size_per_head": 128, "pooler_type": "first_token_transform"}, {}),
    ("albert", {**SIZE, "net_structure_type": 0, "gap_size": 0, "num_memory_blocks": 0, "down_scale_factor": 1}, {}),
])
def test_spellings(model_type, values, expected):
    config = read(values, model_type)
    assert {key: getattr(config, key) for key in expected} == expected


@pytest.mark.parametrize(("model_type", "values", "message"), [
    ("bert", {"hidden_size": 12}, "has no vocab_size, num_hidden_layers, num_attention_heads; expected the sizes"),
    ("gpt2", {"vocab_size": 12}, "has no n_embd, n_layer, n_head"),
    ("bert", {**SIZE, "rotary_dim": 3}, "unknown key in the model's config: 'rotary_dim'"),
    ("gpt2", {**SIZE, "n_embdd": 3}, r"'n_embdd' \(did you mean 'n_embd'\?\)"),
    ("bert", {**SIZE, "add_cross_attention": True}, "add_cross_attention = True; only False is supported"),
    ("gpt2", {**SIZE, "scale_attn_weights": False}, "scale_attn_weights = False; only True is supported"),
])
def test_errors(model_type, values, message):
    with pytest.raises(ValueError, match=message):
        read(values, model_type)


def test_what_only_this_library_understands_is_named():
    config = Config(**SIZE, norm_placement="pre", attention_type="prefix", ffn_bias=False)
    written, foreign = registry.family("bert").write_config(config)
    assert foreign == ["ffn_bias", "norm_placement"] and written["attention_type"] == "prefix"
    assert read(written) == config.replace(intermediate_size=48)


def test_kinds_of_layers_as_transformers_5_spells_them():
    """In any family: a list of all layers is the shortest pattern that gives it, with a rotary base for each kind."""
    base, keys = {"position_type": "rotary", "layer_pattern": ["local"]}, Keys()
    full, local = "full_attention", "sliding_attention"
    values = {**SIZE, "num_hidden_layers": 5, "intermediate_size": 48,
              "layer_types": [local, local, full, local, local],
              "rope_parameters": {full: {"rope_type": "default", "rope_theta": 7.0}, local: {"rope_theta": 2.0}}}
    config = read_config(values, base, keys)
    assert (config.layer_pattern, config.rope_theta, config.local_rope_theta) == (["local", "local", "global"], 7.0, 2.0)
    written, _ = write_config(config, base, keys)
    assert written["layer_types"] == values["layer_types"] and "layer_pattern" not in written
    assert read_config(written, base, keys) == config
    assert read_config(SIZE, base, keys).layer_pattern == ["local"]
    for wrong in ({"rope_parameters": {full: {"rope_type": "linear", "rope_theta": 1.0}}},
                  {"rope_parameters": {"rope_type": "default", "rope_theta": 1.0}}):
        with pytest.raises(ValueError, match="config has rope_parameters .*; only full_attention and sliding_attention"):
            read_config({**SIZE, **wrong}, base, keys)

"""What a config may contain: the lists about keys of other libraries, types and ranges of all values."""

import json
import math

import pytest

from tfplm.core.config import Config, read_json
from tfplm.core.keys import skipped_keys
from tfplm.core.limits.keys import HARMLESS, HARMLESS_NAMES, KINDS, MUST_BE, is_harmless
from tfplm.core.limits.values import RANGES
from tfplm.families import registry

SIZE = {"vocab_size": 50, "hidden_size": 12, "num_hidden_layers": 2, "num_attention_heads": 3}


def read(values, model_type="bert", layout="hf"):
    return registry.family(model_type).read_config({**SIZE, **values}, layout)


def test_published_configs(data):
    """ELECTRA's and Google's are read; MobileBERT and Transformer-XL compute something else."""
    for path in sorted(data("checkpoint_configs", "chinese_electra").glob("*.json")):
        assert registry.family("electra").read_config(read_json(path)).model_type == "electra"
    for path in sorted(data("checkpoint_configs", "albert_zh").glob("*.json")):
        if path.name == "bert_config.json" or "tiny_google_fast" in path.name:
            continue
        if read_json(path).get("ln_type") == "preln":
            with pytest.raises(ValueError, match="ln_type = 'preln'; only 'postln' is supported, as other values change"):
                registry.family("albert").read_config(read_json(path), "tf1")
        else:
            assert registry.family("albert").read_config(read_json(path), "tf1").hidden_act == "gelu_new"
    (mobile,) = data("checkpoint_configs", "mobilebert").glob("*.json")
    with pytest.raises(ValueError, match="trigram_input = True; only False is supported"):
        registry.family("bert").read_config(read_json(mobile), "tf1")


@pytest.mark.parametrize("values", [
    {"output_past": True, "_num_labels": 3, "finetuning_task": "mnli", "xla_device": False},  # transformers 2
    {"vocab_size_or_config_json_file": 50, "pruned_heads": {}, "eos_token_ids": None, "pad_token_ids": 0},
    {"gradient_checkpointing": False, "return_dict": False, "use_cache": True, "chunk_size_feed_forward": 0},  # 3
    {"transformers_version": "4.40.0", "torch_dtype": "float16", "cross_attention_hidden_size": None,
     "typical_p": 1.0, "begin_suppress_tokens": None, "attn_implementation": "eager"},  # 4
    {"dtype": "bfloat16", "_attn_implementation_autoset": True, "sentence_transformers": {"version": "4.1.0"}},  # 5
    {"with_mlm": True, "mask_zero": True, "directionality": "bidi", "pooler_type": "first_token_transform"},
    {"fused_mha": True, "unpad": True, "dense_seq_output": False, "apply_query_key_layer_scaling": True},
    {"arch": "roberta_base", "criterion": "masked_lm", "task": "masked_lm", "quant_noise_pq": 0.0, "mask_prob": 0.15},
    {"untie_weights_roberta": False, "pooler_activation_fn": "tanh", "layernorm_embedding": True},
    {"learning_rate": 1e-4, "train_batch_size": 32, "num_train_epochs": 3, "warmup_steps": 100, "seed": 42,
     "output_dir": "/tmp/x", "do_lower_case": True, "max_seq_length": 512, "wandb_project": "x", "license": "mit",
     "optimizer": "adamw", "lr_scheduler_type": "linear", "weight_decay": 0.01, "save_steps": 500, "language": "zh"},
    {"ln_type": "postln", "some_new_key": None, "rope_scaling": None, "quantization_config": None},
    {"auto_map": {}, "task_specific_params": {"a": 1}, "is_encoder_decoder": False, "label2id": ["x"]},
])
def test_keys_that_cannot_change_the_outputs(values):
    assert read(values) == read({})


@pytest.mark.parametrize(("values", "message"), [
    ({"some_new_key": 1}, r"unknown key in the model's config: 'some_new_key'. It could change the outputs: .*"
                          r"tfplm.core.limits.keys are accepted"),
    ({"pruned_heads": {"0": [1]}}, "pruned_heads = .*; only {} or .. is supported, as other values change the outputs"),
    ({"quantization_config": {"bits": 4}}, "quantization_config = "), ({"ln_type": "preln"}, "ln_type = 'preln'"),
    ({"normalization_type": "no_norm"}, "normalization_type = 'no_norm'; only 'layer_norm'"),
    ({"relative_attention": True}, "relative_attention = True"), ({"token_dropout": True}, "token_dropout = True"),
    ({"num_experts": 8}, "num_experts = 8"), ({"use_rms_norm": True}, "use_rms_norm = True"),
    ({"pooler_activation_fn": "relu"}, "pooler_activation_fn = 'relu'; only 'tanh'"),
    ({"position_embedding_type": "alibi"}, "position_embedding_type = 'alibi'"), ({"add_cross_attention": 1}, "= 1; only"),
])
def test_keys_that_can_change_the_outputs(values, message):
    with pytest.raises(ValueError, match=message):
        read(values)


def test_the_lists_do_not_contradict_each_other():
    names = {name for family in registry.families() for name in registry.family(family).keys.names.values()}
    fields = set(Config.__dataclass_fields__)
    assert {key for key in MUST_BE if is_harmless(key)} == {"token_dropout"}  # scales the embeddings of ESM; checked first
    assert not {*HARMLESS, *MUST_BE} & fields - {"model_type"}
    dropout = {key for key in fields | names if HARMLESS_NAMES.fullmatch(key)}
    assert all("drop" in key or "init" in key for key in dropout)
    assert not any(skipped_keys(registry.family(name).write_config(Config.from_dict(registry.family(name).base))[0],
                                registry.family(name).keys) for name in registry.families())
    assert set(RANGES) <= fields and all(low < high for low, high in RANGES.values()) and "model_type" in KINDS
    numbers = {name for name, field in Config.__dataclass_fields__.items()
               if {int, float} & {field.type, *getattr(field.type, "__args__", ())}}
    assert numbers == set(RANGES)


@pytest.mark.parametrize(("name", "ours"), [
    ("swish", "silu"), ("gelu_python", "gelu"), ("gelu_pytorch_tanh", "gelu_new"), ("gelu_fast", "gelu_new")])
def test_names_of_activations(name, ours):
    assert read({"hidden_act": name}).hidden_act == ours
    assert registry.family("distilbert").read_config({**SIZE, "activation": name}).hidden_act == ours


def test_whole_numbers_with_a_decimal_point():
    config = read({"num_hidden_layers": 2.0, "vocab_size": 50.0, "layer_norm_eps": 1})
    assert (config.num_hidden_layers, config.vocab_size, config.layer_norm_eps) == (2, 50, 1)
    assert type(config.vocab_size) is int
    with pytest.raises(ValueError, match="num_hidden_layers is 2.5, expected one of int"):
        read({"num_hidden_layers": 2.5})


@pytest.mark.parametrize("field", RANGES)
def test_every_number_has_a_range(field):
    low, high = RANGES[field]
    wrong = [math.nan, math.inf, -math.inf, -1, "1", [1], {"a": 1}, True]
    wrong += [] if high == math.inf else [high * 2 + 1]
    wrong += [0] if low > 0 else []
    for value in wrong:
        with pytest.raises(ValueError, match=rf"{field} is "):
            Config(**{field: value})


@pytest.mark.parametrize(("values", "message"), [
    ({"layer_norm_eps": 0}, "layer_norm_eps is 0, expected greater than 0 and at most 1"),
    ({"hidden_dropout_prob": 1.0}, "hidden_dropout_prob is 1.0, expected a probability of at least 0 and less than 1"),
    ({"num_attention_heads": 0}, "num_attention_heads is 0, expected 1 to 65536"),
    ({"num_hidden_layers": 10**6}, "num_hidden_layers is 1000000, expected 1 to 2048"),
    ({"hidden_size": 2**40}, "hidden_size is 1099511627776, expected 1 to 1048576"),
    ({"num_hidden_groups": 0}, "num_hidden_groups is 0"), ({"inner_group_num": -1}, "inner_group_num is -1"),
    ({"id2label": ["a", "b"]}, r"id2label = \['a', 'b'\], expected dict"),
    ({"id2label": {"x": "a"}}, "id2label has 'x': 'a'"),
    ({"id2label": {"0": ["a"]}}, "id2label has 0: .*expected the number of a label and its name"),
    ({"model_type": ["bert"]}, r"model_type = \['bert'\], expected str"),
    ({"architectures": "Bert"}, "expected list of strings"),
    ({"architectures": [1]}, "expected list of strings"), ({"hidden_act": ["gelu"]}, "hidden_act = .*, expected str"),
    ({"is_decoder": "no"}, "is_decoder = 'no', expected bool"), ({"tie_word_embeddings": 1}, "tie_word_embeddings = 1"),
    ({"pad_token_id": 50}, "pad_token_id = 50, expected an id of the vocabulary, 0 to 49, or null"),
    ({"eos_token_id": [1, 2]}, r"eos_token_id is \[1, 2\]"), ({"bos_token_id": -1}, "bos_token_id = -1"),
    ({"layer_types": ["full_attention"] * 5000}, "layer_types for 5000 layers, expected at most 2048"),
    ({"rope_parameters": [1]}, "rope_parameters = .*expected dict"),
    ({"kernel_sizes": [0]}, r"kernel_sizes is \[0\], expected integers from 1 to 1024"),
    ({"layer_pattern": [1]}, r"layer_pattern is \[1\], expected strings"),
    ({"position_type": "bucketed", "relative_attention_num_buckets": 1}, "expected at least 4 buckets"),
    ({"positions_from_ids": True, "position_offset": 2, "max_position_embeddings": 2}, "position_offset reserves 2"),
])
def test_values_that_no_model_can_have(values, message):
    with pytest.raises(ValueError, match=message):
        read(values)


@pytest.mark.parametrize(("model_type", "values"), [
    ("t5", {"feed_forward_proj": 1}), ("modernbert", {"global_attn_every_n_layers": 10**9}),
    ("modernbert", {"classifier_pooling": ["cls"]}), ("modernbert", {"rope_parameters": {"full_attention": 3}}),
    ("ernie", {"use_task_id": "yes"}), ("bart", {"normalize_before": "x"}),
])
def test_values_that_families_convert(model_type, values):
    with pytest.raises(ValueError, match="the model's config has"):
        read(values, model_type)


def test_a_smaller_preset_keeps_its_special_ids():
    """`from_config("gpt2", vocab_size=50)` still has the id 50256 of the preset, and can be saved and read."""
    config = registry.preset("gpt2").replace(vocab_size=50)
    written, _ = registry.family("gpt2").write_config(config)
    assert registry.family("gpt2").read_config(written).eos_token_id == 50256


def test_a_key_that_is_skipped_by_a_part_of_its_name_is_told():
    keys, values = registry.family("bert").keys, {**SIZE, "hiden_dropout_prob": 0.1, "use_cache": True, "seed": 3, "_x": 1}
    assert skipped_keys(values, keys) == ["hiden_dropout_prob", "seed"]


def test_names_of_labels_can_be_numbers():
    assert read({"id2label": {"0": 0, "1": 1.5}}).id2label == {0: "0", 1: "1.5"}


def test_the_number_of_labels():
    assert Config().num_labels == 2 and Config(id2label={0: "a", 1: "b", 2: "c"}).num_labels == 3


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_json_with_a_byte_order_mark(tmp_path, encoding):
    path = tmp_path / "config.json"
    path.write_bytes(json.dumps({"a": "体育"}, ensure_ascii=False).encode(encoding))
    assert read_json(path) == {"a": "体育"}


@pytest.mark.parametrize("content", [b"[" * 100_000, b'{"a": ' * 100_000, b"\xff\xff", b"", b'{"a": ' + b"9" * 5_000 + b"}",
                                     b"null", b"3"])
def test_json_that_cannot_be_read(tmp_path, content):
    path = tmp_path / "config.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=str(path)):
        read_json(path)

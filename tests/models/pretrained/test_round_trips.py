"""`save_pretrained` writes the same names, values and configuration as were loaded, also in Google's layout."""

import re

import numpy as np
import pytest
import tensorflow as tf

import tfplm
from tests.models import cases, golden
from tests.models.pretrained import published
from tfplm.core.checkpoints import open_checkpoint
from tfplm.core.config import read_json
from tfplm.models.pretrained.weights import named_variables

# copies of tied tables, which transformers 5 may write, and ignores when it loads a checkpoint
OPTIONAL = re.compile(r"(.*embed_tokens|cls\.predictions\.decoder|lm_head\.decoder|predictions\.decoder)\.(weight|bias)")


def assert_same_weights(one, other):
    ours, theirs = named_variables(one), named_variables(other)
    assert list(ours) == list(theirs)
    for path, variable in ours.items():
        np.testing.assert_array_equal(variable, theirs[path], err_msg=path)


@pytest.mark.parametrize("name", golden.one_of_each_slow_rest())
def test_hugging_face(name, tmp_path):
    model = golden.load(name)
    tfplm.save_pretrained(model, tmp_path)
    with open_checkpoint(golden.FOLDER / name) as original, open_checkpoint(tmp_path) as written:
        extra = set(written.names()) ^ set(original.names())
        assert all(OPTIONAL.fullmatch(key) for key in extra), extra
        if "untied" in name:
            extra.add("cls.predictions.bias")  # the reference only adds decoder.bias
        for key in set(written.names()) - extra:
            np.testing.assert_array_equal(written[key], original[key], err_msg=key)
    again = tfplm.from_pretrained(tmp_path, golden.head_of(name))
    assert_same_weights(model, again)
    assert again.config == model.config and type(again) is type(model)
    before, after = (read_json(folder / "config.json") for folder in (golden.FOLDER / name, tmp_path))
    assert before["architectures"] == after["architectures"] and before["model_type"] == after["model_type"]
    for key in before.keys() & after.keys() - ({"tie_word_embeddings"} if "resaved" in name else set()):
        assert before[key] == after[key], key


# configurations that do not occur in the family, whose files have no names for these variables
NAMELESS = {"pre_norm": "encoder/norm/gamma", "gated": "ffn/gate/kernel", "factorised": "embeddings/project/kernel",
            "bucketed": "encoder/relative_bias/embeddings", "bucketed_decoder": "decoder/relative_bias/embeddings",
            "task_types": "embeddings/task_type/embeddings", "gpt2_shared": "embeddings/project/kernel",
            "local_bucketed": "decoder/relative_bias/embeddings", "head_transform": "head_dense/kernel"}


@pytest.mark.parametrize("name", cases.sweep())
def test_every_field_is_restored(name, tmp_path):
    head = cases.LM[cases.CASES[name].architecture]
    model = cases.model(name, head)
    if name in NAMELESS:
        with pytest.raises(ValueError, match=f"no name for .*{NAMELESS[name]}.*: save with model.save"):
            tfplm.save_pretrained(model, tmp_path)
        return
    tfplm.save_pretrained(model, tmp_path)
    again = tfplm.from_pretrained(tmp_path, head)
    derived = ("num_decoder_layers", "decoder_attention_heads", "decoder_intermediate_size")  # saved explicitly
    expected = {field: getattr(again.config, field) for field in derived if getattr(model.config, field) is None}
    assert again.config == model.config.replace(**expected)
    assert_same_weights(model, again)
    batch = cases.batch(name)
    np.testing.assert_array_equal(again(batch), model(batch))


TF1 = [("bert", "pretraining"), ("bert", "masked_lm"), ("bert", "question_answering"), ("bert", None),
       ("bert", "sequence_classification"), ("albert", "pretraining"), ("albert", None), ("inner_groups", None),
       ("electra", "replaced_token_detection"), ("electra", "masked_lm"), ("electra", None), ("gpt2", "causal_lm"),
       ("gpt2", None)]
LISTS = {("bert", "pretraining"): "uncased_L-12_H-768_A-12", ("gpt2", "causal_lm"): "gpt2_124M",
         ("bert", "sequence_classification"): "uncased_L-12_H-768_A-12-classifier",
         ("bert", "question_answering"): "uncased_L-12_H-768_A-12-squad",
         ("albert", "pretraining"): "albert_base_v2"}
FILES = {"bert": ("bert_config.json", "bert_model.ckpt"), "albert": ("albert_config.json", "albert_model.ckpt"),
         "electra": ("electra_config.json", "electra_model.ckpt"), "gpt2": ("hparams.json", "model.ckpt")}


def tf1_model(name, head):
    config = cases.CASES[name]
    if config.model_type == "gpt2":  # hparams.json does not contain these fields
        return tfplm.from_config(config.replace(intermediate_size=None, pad_token_id=None, eos_token_id=50256,
                                                bos_token_id=50256, initializer_range=0.02,
                                                decoder_start_token_id=None), head)
    return cases.model(name, head)


@pytest.mark.parametrize(("name", "head"), TF1)
def test_tf1(name, head, tmp_path):
    model, batch = tf1_model(name, head), cases.batch(name)
    tfplm.save_pretrained(model, tmp_path, format="tf1")
    config_file, prefix = FILES[model.config.model_type]
    assert {path.name for path in tmp_path.iterdir()} == {
        "checkpoint", config_file, f"{prefix}.index", f"{prefix}.data-00000-of-00001"}
    again = tfplm.from_pretrained(tmp_path, head)
    assert again.config == model.config
    assert_same_weights(model, again)
    reader = tf.train.load_checkpoint(str(tmp_path / prefix))
    names = set(reader.get_variable_to_shape_map())
    if (name, head) in LISTS:
        listed = published.stored("tf1")[LISTS[name, head]]["tensors"]
        layer = re.compile(r".*/(?:layer_|h)(\d+)/.*")
        expected = {key for key in listed if "adam" not in key and key != "global_step"
                    and int((layer.fullmatch(key) or [0, 0])[1]) < 2}
        assert names >= expected - {"bert/pooler/dense/kernel", "bert/pooler/dense/bias"}
        assert names <= expected
    if head is None:
        for key, array in golden.flat(model(batch)).items():
            np.testing.assert_array_equal(golden.flat(again(batch))[key], array)


def test_tf1_albert_names_its_tanh_form_gelu(tmp_path):
    tfplm.save_pretrained(cases.model("albert"), tmp_path, format="tf1")
    assert read_json(tmp_path / "albert_config.json")["hidden_act"] == "gelu"
    assert tfplm.from_pretrained(tmp_path).config.hidden_act == "gelu_new"


def test_tf1_hparams_equal_those_of_openai(tmp_path):
    tfplm.save_pretrained(tf1_model("gpt2", None), tmp_path, format="tf1")
    assert read_json(tmp_path / "hparams.json") == {"n_vocab": 47, "n_ctx": 21, "n_embd": 12, "n_head": 3, "n_layer": 2}


@pytest.mark.parametrize(("name", "fields", "message"), [
    ("albert", {"hidden_act": "gelu"}, "a TF1 config cannot express hidden_act = 'gelu': save with format='hf'"),
    ("gpt2", {}, "a TF1 config cannot express intermediate_size = 19"),
    ("bart", {}, "the layout 'tf1' of bart has no name for embeddings/word/embeddings"),
    ("distilbert", {}, "the layout 'tf1' of distilbert has no name for"),
])
def test_tf1_rejects_models_it_cannot_express(name, fields, message, tmp_path):
    model = tfplm.from_config(cases.CASES[name].replace(**fields))
    with pytest.raises(ValueError, match=message):
        tfplm.save_pretrained(model, tmp_path / "out", format="tf1")
    assert not (tmp_path / "out").exists()


def test_generator_and_discriminator_of_one_tf1_file(tmp_path):
    """ELECTRA's releases contain both; each is loaded with its head, and they share the embeddings."""
    from tfplm.core.checkpoints import write_tf1

    discriminator = cases.model("electra", "replaced_token_detection")
    generator = tfplm.from_config(cases.CASES["electra"].replace(hidden_size=6, num_attention_heads=1,
                                                                 intermediate_size=8), "masked_lm")
    together = {}
    for index, model in enumerate((discriminator, generator)):
        tfplm.save_pretrained(model, tmp_path / str(index), format="tf1")
        with open_checkpoint(tmp_path / str(index)) as checkpoint:
            together |= {name: np.array(checkpoint[name]) for name in checkpoint}
    write_tf1(tmp_path / "0" / "electra_model.ckpt", together)
    assert_same_weights(tfplm.from_pretrained(tmp_path / "0").embeddings.word, generator.embeddings.word)
    again = tfplm.from_pretrained(tmp_path / "0", "masked_lm", hidden_size=6, num_attention_heads=1, intermediate_size=8)
    assert_same_weights(again, generator)
    again = tfplm.from_pretrained(tmp_path / "0", "replaced_token_detection")
    assert set(named_variables(again)) == set(named_variables(discriminator))
    np.testing.assert_array_equal(again.head.rtd_out.kernel, discriminator.head.rtd_out.kernel)


def test_labels_have_names(tmp_path):
    model = tfplm.from_config(cases.CASES["bert"], "sequence_classification", num_labels=3)
    tfplm.save_pretrained(model, tmp_path)
    assert read_json(tmp_path / "config.json")["id2label"] == {"0": "LABEL_0", "1": "LABEL_1", "2": "LABEL_2"}
    assert tfplm.from_pretrained(tmp_path, "sequence_classification").num_labels == 3


def test_labels_are_counted_in_the_weights(tmp_path):
    """A TF1 config does not contain the number of labels."""
    model = tfplm.from_config(cases.CASES["bert"], "sequence_classification", num_labels=4)
    tfplm.save_pretrained(model, tmp_path, format="tf1")
    again = tfplm.from_pretrained(tmp_path, "sequence_classification")
    assert again.num_labels == 4
    np.testing.assert_array_equal(again.head.classifier.kernel, model.head.classifier.kernel)

"""Errors of users: the messages have what was found, what was expected, and what to do."""

import json
import shutil

import numpy as np
import pytest
import tensorflow as tf

import tfplm
from tests.models import cases, golden
from tests.models.golden import flat
from tfplm.core.checkpoints import open_checkpoint, write_safetensors
from tfplm.core.config import read_json
from tfplm.models.pretrained.weights import named_variables


def broken(tmp_path, name="bert-masked_lm", tensors=lambda tensors: tensors, **config):
    """A copy of a golden case with changed tensors and config keys (None removes one)."""
    folder = tmp_path / "model"
    shutil.copytree(golden.FOLDER / name, folder)
    with open_checkpoint(folder) as checkpoint:
        changed = tensors({key: np.array(checkpoint[key]) for key in checkpoint})
    write_safetensors(folder, changed)
    values = read_json(folder / "config.json") | config
    values = {key: value for key, value in values.items() if value is not None}
    (folder / "config.json").write_text(json.dumps(values), encoding="utf-8")
    return folder


def test_all_problems_at_once(tmp_path):
    def change(tensors):
        tensors["bert.encoder.layer.0.attention.self.quer.weight"] = tensors.pop(
            "bert.encoder.layer.0.attention.self.query.weight")
        tensors["bert.encoder.layer.1.output.dense.weight"] = np.zeros((12, 18), np.float32)
        del tensors["bert.embeddings.LayerNorm.bias"]
        tensors["adapter.weight"] = np.zeros((3,), np.float32)
        return tensors

    with pytest.raises(ValueError) as error:
        tfplm.from_pretrained(broken(tmp_path, tensors=change), "masked_lm")
    for line in ("does not match the model (5 problems)",
                 "wrong shape: bert.encoder.layer.1.output.dense.weight is [12, 18], expected [12, 19] for "
                 "encoder/block_1/ffn/down/kernel",
                 "missing: bert.encoder.layer.0.attention.self.query.weight for encoder/block_0/attention/query/kernel; "
                 "did you mean 'bert.encoder.layer.0.attention.self.quer.weight'?",
                 "missing: bert.embeddings.LayerNorm.bias for embeddings/norm/beta",
                 "unexpected: bert.encoder.layer.0.attention.self.quer.weight [12, 12]",
                 "unexpected: adapter.weight [3]",
                 "Check that the config belongs to these weights"):
        assert line in str(error.value), line


def test_part_of_a_head_is_missing(tmp_path):
    folder = broken(tmp_path, tensors=lambda t: {k: v for k, v in t.items() if "transform.dense.bias" not in k})
    with pytest.raises(ValueError, match=r"1 problems.*\n.*missing: cls.predictions.transform.dense.bias for "
                                         "lm_transform/bias"):
        tfplm.from_pretrained(folder, "masked_lm")


@pytest.mark.parametrize(("changes", "message"), [
    ({"hidden_size": None}, "the model's config has no hidden_size; expected the sizes of the model"),
    ({"vocab_size": None, "num_hidden_layers": None}, "has no vocab_size, num_hidden_layers"),
    ({"hiden_size": 12}, r"unknown key in the model's config: 'hiden_size' \(did you mean 'hidden_size'\?\)"),
    ({"position_embedding_type": "relative_key"}, "position_embedding_type = 'relative_key'; only 'absolute' is"),
    ({"hidden_act": "geluu"}, "hidden_act is 'geluu', expected one of gelu, gelu_new, relu"),
    ({"hidden_size": 13}, "hidden_size 13 is not a multiple of num_attention_heads 3"),
    ({"model_type": "bertt"}, "model_type 'bertt' is not supported; did you mean 'bert'.*expected one of albert, bart"),
    ({"vocab_size": "47"}, "vocab_size is '47', expected one of int"),
])
def test_configs(tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        tfplm.from_pretrained(broken(tmp_path, **changes), "masked_lm")


def test_config_is_not_json(tmp_path):
    folder = broken(tmp_path)
    (folder / "config.json").write_text('{"hidden_size": 12,', encoding="utf-8")
    with pytest.raises(ValueError, match=r"config.json is not valid JSON \(line 1: .*\): fetch it again"):
        tfplm.from_pretrained(folder)


@pytest.mark.parametrize(("call", "message"), [
    (lambda: tfplm.from_config("bert-base-uncase"), "no preset 'bert-base-uncase'; the nearest are bert-base-uncased"),
    (lambda: tfplm.from_config("bert-tiny", "masked_ml"), "there is no head 'masked_ml'; did you mean 'masked_lm'"),
    (lambda: tfplm.from_config("bert-tiny", hidden_sise=3), r"'hidden_sise' \(did you mean 'hidden_size'\?\)"),
    (lambda: tfplm.from_config({"model_type": "brt"}), "model_type 'brt' is not supported; did you mean 'bert'"),
    (lambda: tfplm.from_config("electra-small-generator", "masked_lm", lm_transform=False), "lm_transform=True"),
    (lambda: tfplm.count_parameters("gpt5"), "there is no preset 'gpt5'; the nearest are gpt2"),
    (lambda: tfplm.save_pretrained(cases.model("bert"), "x", format="onnx"), "format is 'onnx', expected 'hf' or 'tf1'"),
    (lambda: cases.model("bert")({"ids": np.ones((1, 2))}), "the batch has the keys 'ids', expected 'input_ids'"),
])
def test_names(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# ids and lengths

IDS = np.full((2, 5), 3, np.int32)
WRONG = IDS.copy()
WRONG[1, 2] = 99
NEGATIVE = IDS.copy()
NEGATIVE[0, 1] = -1


@pytest.mark.parametrize(("ids", "number"), [(WRONG, 99), (NEGATIVE, -1)])
def test_ids_outside_the_vocabulary(ids, number):
    message = f"contains {number}, expected ids from 0 to 46, the vocabulary of the model: use its tokenizer"
    model = cases.model("bert", "sequence_classification")
    fitted = tfplm.from_config(cases.CASES["bert"], "sequence_classification")
    fitted.compile("sgd", "mse", jit_compile=False)
    for call in (lambda: model({"input_ids": ids}), lambda: model(ids), lambda: fitted.predict({"input_ids": ids}),
                 lambda: fitted.predict(ids), lambda: fitted.fit({"input_ids": ids}, np.zeros((2, 2))),
                 lambda: fitted.evaluate({"input_ids": ids}, np.zeros((2, 2))),
                 lambda: cases.model("t5")({"input_ids": IDS, "decoder_input_ids": ids})):
        with pytest.raises(ValueError, match=message):
            call()


def test_ids_in_a_pipeline():
    """In a graph the values are unknown; TensorFlow's own error has the id and the range."""
    model = cases.model("bert")
    dataset = tf.data.Dataset.from_tensor_slices({"input_ids": WRONG}).batch(2)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"indices\[1,2\] = 99 is not in \[0, 47\)"):
        model.predict(dataset, verbose=0)


@pytest.mark.parametrize(("name", "limit"), [("bert", 21), ("roberta", 19), ("bart", 21), ("sinusoidal", 21)])
def test_too_long(name, limit):
    message = (f"input_ids has 30 tokens, but the model has {limit} positions: truncate it, e.g. "
               rf"tokenizer\(text, max_length={limit}\)")
    ids = np.full((1, 30), 3, np.int32)
    for call in (cases.model(name), cases.model(name).predict, tf.function(cases.model(name))):
        with pytest.raises(ValueError, match=message):
            call({"input_ids": ids})
    assert cases.model(name)({"input_ids": ids[:, :limit]})["sequence_output"].shape[1] == limit


@pytest.mark.parametrize("name", ["t5", "bucketed", "no_positions"])
def test_relative_positions_have_no_limit(name):
    assert cases.model(name)({"input_ids": np.full((1, 30), 3, np.int32)})["sequence_output"].shape[1] == 30


# heads, poolers, layouts

def without(part):
    return lambda tensors: {key: value for key, value in tensors.items() if part not in key}


def test_a_newly_initialized_head_is_logged_once(caplog):
    model = tfplm.from_pretrained(golden.FOLDER / "bert", "token_classification", num_labels=5)
    (record,) = [r for r in caplog.records if r.name == "tfplm"]
    assert record.getMessage() == ("bert: not in the checkpoint, so newly initialized: token_classifier/bias, "
                                   "token_classifier/kernel; train it before use")
    assert np.std(model.head.token_classifier.kernel) > 0.01
    assert model.loading_report.fresh == ["token_classifier/bias", "token_classifier/kernel"]


def test_a_missing_pooler_is_initialized(caplog, tmp_path):
    model = tfplm.from_pretrained(broken(tmp_path, "bert", tensors=without("pooler")))
    assert "newly initialized: pooler/bias, pooler/kernel" in caplog.text
    assert 0.01 < np.std(model.pooler.kernel) < 0.03


@pytest.mark.parametrize("name", ["bert-masked_lm", "roberta-sequence_classification", "gpt2-causal_lm", "t5-seq2seq_lm",
                                  "albert-pretraining", "electra-replaced_token_detection", "distilbert-masked_lm"])
def test_checkpoint_with_a_head_loaded_without(name):
    whole, headless = golden.load(name), tfplm.from_pretrained(golden.FOLDER / name)
    assert headless.head is None and set(flat(headless(golden.batch(name)))) >= {"sequence_output"}
    named = named_variables(headless)
    for path, variable in named_variables(whole).items():
        if path in named:
            np.testing.assert_array_equal(variable, named[path])


def test_another_number_of_labels(caplog):
    folder = golden.FOLDER / "bert-sequence_classification"
    assert tfplm.from_pretrained(folder, "sequence_classification").num_labels == 5
    model = tfplm.from_pretrained(folder, "sequence_classification", num_labels=7)
    assert model.num_labels == 7 and model.config.id2label is None
    assert "newly initialized: classifier/bias, classifier/kernel" in caplog.text
    assert model(golden.batch("bert-sequence_classification")).shape == (3, 7)


def test_fewer_layers():
    model = tfplm.from_pretrained(golden.FOLDER / "bert", num_hidden_layers=1)
    states = golden.load("bert")(golden.batch("bert"), output_hidden_states=True)["hidden_states"]
    np.testing.assert_allclose(model(golden.batch("bert"))["sequence_output"], states[1], atol=1e-6)
    with pytest.raises(ValueError, match="missing: encoder.layer.3.attention.self.query.weight"):
        tfplm.from_pretrained(golden.FOLDER / "bert", num_hidden_layers=4)


def test_old_layer_norm_names(tmp_path):
    def old(tensors):
        return {key.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): value
                for key, value in tensors.items()}

    model = tfplm.from_pretrained(broken(tmp_path, tensors=old), "masked_lm")
    batch = golden.batch("bert-masked_lm")
    np.testing.assert_array_equal(model(batch), golden.load("bert-masked_lm")(batch))


@pytest.mark.parametrize("prefix", ["bert.", ""])
def test_chinese_roberta_with_model_type_roberta(tmp_path, prefix):
    """RoBERTa-wwm-ext is BERT: what the weights (or, without a prefix, the files) say counts."""
    name = "bert-masked_lm" if prefix else "bert"
    folder = broken(tmp_path, name, model_type="roberta")
    if not prefix:
        (folder / "vocab.txt").write_text("[PAD]\n", encoding="utf-8")
    model = tfplm.from_pretrained(folder)
    assert model.config.model_type == "bert" and not model.config.positions_from_ids


@pytest.mark.parametrize("name", ["bert-masked_lm", "roberta-masked_lm", "albert-masked_lm", "electra-question_answering",
                                  "distilbert-masked_lm", "ernie1-masked_lm", "bert"])
def test_config_without_model_type(tmp_path, name):
    folder = broken(tmp_path, name, model_type=None)
    assert tfplm.from_pretrained(folder).config.model_type == golden.load(name).config.model_type


def test_names_of_labels():
    model = tfplm.from_config(cases.CASES["bert"].replace(id2label={0: "一", 1: "二", 2: "三"}), "token_classification")
    assert model.num_labels == 3
    assert tfplm.from_config(model.config, "token_classification", num_labels=2).config.id2label is None

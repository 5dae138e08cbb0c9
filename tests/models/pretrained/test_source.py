"""`open_source`: attributes of the result, and the files it reads."""

import json
import os
import pickle
import zipfile

import keras
import pytest

import tfplm
from tests.models import cases
from tests.tokenizers.conftest import WORDS
from tfplm.core.checkpoints import Checkpoint
from tfplm.models.pretrained.source import open_source


def test_attributes(folder, opened):
    source = open_source(str(folder))
    assert (source.path, source.layout, source.head, source.labels) == (folder, "hf", "masked_lm", ("体育", "财经"))
    assert source.config.vocab_size == len(WORDS) and source.family.model_type == "bert"
    assert isinstance(source.checkpoint(), Checkpoint) and source.checkpoint() is source.checkpoint()
    assert source.tokenizer().family == "bert" and source.tokenizer() is not source.tokenizer()
    assert open_source(source) is source and str(source) == str(folder) and os.fspath(source) == str(folder)
    model = tfplm.from_pretrained(source, source.head)
    assert model.config == source.config and opened == {"model.safetensors": 1}


def test_another_process_opens_it_again(folder):
    again = pickle.loads(pickle.dumps(open_source(folder)))
    assert (again.name, again.path) == (str(folder), folder) and again.config == open_source(folder).config


def test_tf1(tmp_path):
    tfplm.save_pretrained(cases.model("electra", "replaced_token_detection"), tmp_path, format="tf1")
    for name in (tmp_path, tmp_path / "electra_model.ckpt"):
        source = open_source(name)
        assert (source.layout, source.family.model_type, source.head) == ("tf1", "electra", None)


@pytest.mark.parametrize(("name", "architecture", "head"), [
    ("bert", "BertForMaskedLM", "masked_lm"), ("bert", "BertLMHeadModel", "causal_lm"), ("bert", "BertModel", None),
    ("bert", "BertForPreTraining", "pretraining"), ("electra", "ElectraForPreTraining", "replaced_token_detection"),
    ("gpt2", "GPT2LMHeadModel", "causal_lm"), ("t5", "T5WithLMHeadModel", "seq2seq_lm"),
    ("roberta", "RobertaForCausalLM", "causal_lm"), ("t5", "T5EncoderModel", None),
    ("bart", "BartForSequenceClassification", "sequence_classification")])
def test_heads_of_class_names(name, architecture, head, tmp_path):
    tfplm.save_pretrained(cases.model(name), tmp_path)
    config = json.loads((tmp_path / "config.json").read_text()) | {"architectures": [architecture]}
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert open_source(tmp_path).head == head


def test_a_keras_file_is_read_without_its_weights(tmp_path, monkeypatch):
    config = cases.CASES["bert"].replace(id2label={0: "a", 1: "b", 2: "c"})
    tfplm.from_config(config, "token_classification").save(tmp_path / "whole.keras")
    with zipfile.ZipFile(tmp_path / "whole.keras") as whole, zipfile.ZipFile(tmp_path / "bare.keras", "w") as bare:
        for name in ("metadata.json", "config.json"):
            bare.writestr(name, whole.read(name))
    monkeypatch.setattr(keras.models, "load_model", None)
    source = open_source(tmp_path / "bare.keras")
    assert (source.layout, source.head, source.labels) == ("keras", "token_classification", ("a", "b", "c"))
    assert source.config == config and source.family.model_type == "bert"
    assert tfplm.models.pretrained.api.source_config(tmp_path / "bare.keras") == config
    with pytest.raises(ValueError, match=r"bare.keras is a Keras file; expected a checkpoint with named tensors"):
        source.checkpoint()


@pytest.mark.parametrize(("content", "message"), [
    (b"PK\x03\x04 not whole", r"a.keras is not a complete .keras file \(.*\): expected a zip file with config.json"),
    (None, "a.keras contains a Sequential, expected a model of this library: load it with keras.models.load_model")])
def test_other_keras_files(content, message, tmp_path):
    if content is None:
        keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]).save(tmp_path / "a.keras")
    else:
        (tmp_path / "a.keras").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        _ = open_source(tmp_path / "a.keras").config


def test_tokenizers_accept_an_open_source(folder):
    source = open_source(folder)
    assert tfplm.Tokenizer.from_pretrained(source).vocab == source.tokenizer().vocab

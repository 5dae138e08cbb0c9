"""What the survey prints of Hugging Face's transformers (lines 212-570) about loading and encoding, done by tfplm.

Its program is taken from the document and run as it is: in place of `transformers` and `torch` it gets tfplm and NumPy.
"""

import ast
import contextlib
import json
import re
import sys
import types

import numpy as np
import pytest

import tfplm
from tests.embed.encoder.encoder_cases import model as tiny
from tests.embed.encoder.encoder_cases import tokenizer as tiny_tokenizer
from tfplm.families import registry


@pytest.fixture(scope="module")
def folder(data, tmp_path_factory):
    """A BERT of 768 numbers with the vocabulary of bert-base-uncased, and two layers."""
    tokenizer = tfplm.Tokenizer.from_vocab(data("vocabs", "bert_base_uncased_vocab.txt"))
    model = tfplm.from_config("bert-base-uncased", num_hidden_layers=2, intermediate_size=64, max_position_embeddings=64)
    path = tmp_path_factory.mktemp("hub") / "bert-base-uncased"
    tfplm.save_pretrained(model, path, tokenizer)
    return path


def modules(folder) -> dict:
    """`transformers` and `torch` with the names that the program uses, on top of tfplm."""

    def load_tokenizer(name):
        tokenizer = tfplm.Tokenizer.from_pretrained(folder.with_name(name))
        return types.SimpleNamespace(encode=lambda text, add_special_tokens: tokenizer(
            text, add_special_tokens=add_special_tokens)["input_ids"][0].tolist())

    def load_model(name):
        model = tfplm.from_pretrained(folder.with_name(name))
        return lambda ids: [np.asarray(model({"input_ids": ids})["sequence_output"])]

    bert = {"BertTokenizer": types.SimpleNamespace(from_pretrained=load_tokenizer),
            "BertModel": types.SimpleNamespace(from_pretrained=load_model)}
    torch = {"tensor": lambda ids: np.array(ids, np.int32), "no_grad": contextlib.nullcontext}
    made = {}
    for name, content in (("transformers", bert), ("torch", torch)):
        made[name] = types.ModuleType(name)
        vars(made[name]).update(content)
    return made


def test_the_program_232_262(document, folder, monkeypatch):
    survey = document("survey")
    for name, module in modules(folder).items():
        monkeypatch.setitem(sys.modules, name, module)
    names: dict = {}
    exec(survey.code(232, 262), names)
    printed = ast.literal_eval(re.search(r"# input_ids: (\[.*\])", survey.text(232, 262))[1])
    assert names["input_ids"].tolist() == [printed]
    shape = ast.literal_eval(re.search(r"shape: (\(.*\))", survey.text(232, 262))[1])
    assert names["last_hidden_states"].shape == shape == (1, 9, 768)


def test_the_vocabulary_266_283(document, data):
    line = document("survey").text(283, 283)
    tokenizer = tfplm.Tokenizer.from_vocab(data("vocabs", "bert_base_uncased_vocab.txt"))
    ids = ast.literal_eval(re.search(r"\[[\d, ]+\]", line)[0])
    tokens = [token.replace("[ ", "[") for token in re.findall(r"'([^']*)'", line)]
    assert tokenizer.convert_ids_to_tokens(ids) == tokens and tokenizer.convert_tokens_to_ids(tokens) == ids
    special = {int(number): f"[{name.upper()}]" for number, name in re.findall(r"第(\d+)个token是\\\[(\w+)\]", line)}
    assert special == {0: "[PAD]", 101: "[CLS]", 102: "[SEP]"}
    assert tokenizer.convert_ids_to_tokens(list(special)) == list(special.values())
    size = int(re.search(r"有(\d+)个词", document("survey").text(266, 282))[1])
    assert size == len(tokenizer) == registry.preset("bert-base-uncased").vocab_size


def test_an_unused_token_gets_a_meaning_284(document, data, tmp_path):
    assert "unused token" in document("survey").text(284, 284)
    lines = data("vocabs", "bert_base_uncased_vocab.txt").read_text(encoding="utf-8").split("\n")
    place = lines.index("[unused7]")
    lines[place] = "covidology"
    (tmp_path / "vocab.txt").write_text("\n".join(lines), encoding="utf-8")
    tokenizer = tfplm.Tokenizer.from_vocab(tmp_path / "vocab.txt")
    assert tokenizer.tokenize("a covidology text") == ["a", "covidology", "text"]
    assert tokenizer.convert_tokens_to_ids(["covidology"]) == [place]


@pytest.mark.parametrize("found", ["roberta", None, "bert"])
def test_chinese_roberta_and_ernie_518_556(document, found, tmp_path):
    """The document has `model_type` corrected by hand, from "roberta" (532-536) or from nothing (552-554), to "bert"; here
    the files are read as what they are, corrected or not."""
    survey = document("survey")
    assert '"model_type":"bert"' in survey.text(536, 536) and '"model_type":"bert"' in survey.text(554, 554)
    model, texts = tiny(head="masked_lm"), ["我们下午去公园散步。", "天气好"]
    tfplm.save_pretrained(model, tmp_path, tiny_tokenizer(tmp_path))
    for name in ("tokenizer_config.json", "tokenizer.json", "special_tokens_map.json"):
        (tmp_path / name).unlink(missing_ok=True)
    config = json.loads((tmp_path / "config.json").read_text(encoding="utf-8"))
    config.pop("model_type")
    (tmp_path / "config.json").write_text(json.dumps(config if found is None else {**config, "model_type": found}))
    loaded, tokenizer = tfplm.from_pretrained(tmp_path, "masked_lm"), tfplm.Tokenizer.from_pretrained(tmp_path)
    batch = tokenizer(texts)
    assert tokenizer.convert_ids_to_tokens(batch["input_ids"][1])[:5] == ["[CLS]", "天", "气", "好", "[SEP]"]
    np.testing.assert_allclose(loaded(batch), model(batch), atol=1e-5)

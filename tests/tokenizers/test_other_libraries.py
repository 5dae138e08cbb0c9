"""A saved tokenizer gives the same ids in transformers, if that is installed."""

import json

import pytest

import tfplm
from tests.tokenizers.cases import CASES, PAIRS, lines_of


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("with_config", [False, True])
def test_transformers_reads_it(name, with_config, data, tmp_path):
    transformers = pytest.importorskip("transformers")
    case = CASES[name]
    tokenizer = tfplm.Tokenizer.from_pretrained(case.build(tmp_path / "source", data))
    tokenizer.add_tokens(["newword", "新词"])
    tokenizer.save_pretrained(tmp_path / "saved")
    if with_config:  # as in the folder of a model
        (tmp_path / "saved" / "config.json").write_text(json.dumps({"model_type": case.model_type}))
    theirs = transformers.AutoTokenizer.from_pretrained(str(tmp_path / "saved"))
    # the library sentencepiece is the reference where transformers is an approximation of it
    texts = [text for text in case.texts if not (case.approximate and text.startswith(case.approximate))]
    texts += ["a newword and 新词。", *(line.replace("\t", " ") for line in lines_of(data("stsb", "dev.tsv"), 200))]
    for text, ours in zip(texts, tokenizer(texts, padding=False, truncation=False)["input_ids"]):
        assert theirs(text)["input_ids"] == ours.tolist(), text
    assert theirs([PAIRS[1][0]], [PAIRS[1][1]])["input_ids"] == tokenizer(*PAIRS[1])["input_ids"].tolist()
    assert (len(theirs), theirs.mask_token, theirs.padding_side) == (
        len(tokenizer), tokenizer.mask_token, tokenizer.padding_side)

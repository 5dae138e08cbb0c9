"""Ids, token types and offsets are exactly those of transformers (rows E1-E6), but where that is an approximation."""

import json

import numpy as np
import pytest

import tfplm
from tests.tokenizers.cases import CASES, GOLDEN, PAIRS, TRUNCATIONS, digest
from tests.tokenizers.random_texts import random_texts


@pytest.fixture(scope="module", params=CASES)
def case(request, data, tmp_path_factory):
    """(case, golden outputs, our tokenizer of the same directory)."""
    case = CASES[request.param]
    tokenizer = tfplm.Tokenizer.from_pretrained(case.build(tmp_path_factory.mktemp("tokenizer"), data))
    return case, json.loads((GOLDEN / f"{request.param}.json").read_text(encoding="utf-8")), tokenizer


def test_there_is_a_golden_file_for_each_case():
    assert {path.stem for path in GOLDEN.glob("*.json")} == set(CASES)


def test_texts(case):
    case, golden, tokenizer = case
    assert case.texts == [entry["text"] for entry in golden["texts"]]
    batch = tokenizer(case.texts, truncation=False, padding=False, return_offsets=True)
    for index, entry in enumerate(golden["texts"]):
        found = [batch[key][index].tolist() for key in ("input_ids", "offsets")]
        alike = found == [entry["ids"], entry["offsets"]]
        assert alike != (bool(case.approximate) and entry["text"].startswith(case.approximate)), (entry, found)


def test_pairs(case):
    _, golden, tokenizer = case
    firsts, seconds = zip(*PAIRS)
    batch = tokenizer(firsts, seconds, padding=False)
    for index, entry in enumerate(golden["pairs"]):
        assert batch["input_ids"][index].tolist() == entry["ids"]
        types = entry["types"] or [0] * len(entry["ids"])
        assert batch["token_type_ids"][index].tolist() == types


@pytest.mark.parametrize("index", range(len(TRUNCATIONS)), ids=lambda i: "-".join(map(str, TRUNCATIONS[i])))
def test_truncation(case, index):
    _, golden, tokenizer = case
    strategy, max_length, stride = TRUNCATIONS[index]
    arguments = {"max_length": max_length, "truncation": strategy, "padding": False, "stride": stride or None}
    if golden["truncations"][index] is None:
        with pytest.raises(ValueError, match="too short"):
            tokenizer(*PAIRS[-1], **arguments)
    else:
        rows = tokenizer(*PAIRS[-1], **arguments)["input_ids"]
        assert [row.tolist() for row in rows] == golden["truncations"][index]


def test_corpora(case, data):
    case, golden, tokenizer = case
    for corpus in case.corpora:
        lines = case.lines(data(*corpus.split("/")))
        rows = tokenizer(lines, truncation=False, padding=False)["input_ids"]
        assert digest(rows) == golden["corpora"][corpus], corpus


def test_places_in_random_texts(case):
    _, _, tokenizer = case
    texts = random_texts(250, 11)
    batch = tokenizer(texts, padding=False, truncation=False, add_special_tokens=False, return_offsets=True,
                      return_word_ids=True)
    for text, offsets, words in zip(texts, batch["offsets"], batch["word_ids"]):
        assert offsets.size == 0 or (offsets.min() >= 0 and offsets.max() <= len(text)), text
        assert (np.diff(offsets) >= 0).all() and (np.diff(offsets, axis=0) >= 0).all() and (np.diff(words) >= 0).all(), text
    rows = tokenizer(texts[:-1], texts[1:], max_length=40, padding=40)["input_ids"]
    assert rows.shape == (249, 40) and rows.max() < len(tokenizer)


def test_saving_and_loading(case, tmp_path):
    case, _, tokenizer = case
    tokenizer.save_pretrained(tmp_path)
    again = tfplm.Tokenizer.from_pretrained(tmp_path)
    assert (again.family, len(again), again.padding_side) == (tokenizer.family, len(tokenizer), tokenizer.padding_side)
    for key, value in tokenizer(case.texts, truncation=False, return_offsets=True).items():
        np.testing.assert_array_equal(value, again(case.texts, truncation=False, return_offsets=True)[key])

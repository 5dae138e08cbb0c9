"""The memory of words gives the ids of the tokenizer itself, in every text."""

import random

import pytest
from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers

from tests.embed.static.static_cases import TEXTS, WORDS, backend
from tfplm.embed.static import reader as module
from tfplm.embed.static.reader import StaticReader

LETTERS = "the cat sON. ,我们去\u3000\u00a0\t\n\x1c\u200b\u0301éßİĳ한각\ufb01🙂\U0002a700㐀豈ａ1[UNK]" + "\u0345"


def texts(count: int = 300) -> list[str]:
    rng = random.Random(4)
    return TEXTS + ["".join(rng.choices(LETTERS, k=rng.randrange(30))) for _ in range(count)]


def ids(reader: StaticReader, of: list[str]) -> list[list[int]]:
    flat, lengths = reader(of)
    found = iter(flat.tolist())
    return [[next(found) for _ in range(length)] for length in lengths]


@pytest.mark.parametrize("normalizer", [{}, {"lowercase": False}, {"handle_chinese_chars": False}, {"clean_text": False},
                                        {"strip_accents": False}], ids=str)
@pytest.mark.parametrize("max_length", [None, 3])
def test_ids_are_those_of_the_tokenizer(normalizer, max_length):
    plain = backend(**normalizer)
    reader = StaticReader(backend(**normalizer), max_length)
    assert reader._splits
    of, unknown = texts(), plain.token_to_id("[UNK]")
    if max_length:
        plain.enable_truncation(max_length)
    cut = [text[:reader._letters] for text in of]
    expected = [[token for token in plain.encode(text, add_special_tokens=False).ids if token != unknown] for text in cut]
    assert ids(reader, of) == expected
    assert ids(reader, of[::-1]) == expected[::-1]  # from memory


def test_unknown_tokens_are_kept_for_sentence_transformers():
    assert ids(StaticReader(backend(), None, keep_unknown=True), ["what the"]) == [[1, 2]]


@pytest.mark.parametrize("token", [AddedToken("the cat"), AddedToken("公园"), AddedToken("dog", single_word=True)], ids=str)
def test_tokens_that_look_beyond_a_word(token):
    made = backend()
    made.add_tokens([token])
    reader = StaticReader(made, None)
    assert not reader._splits
    assert ids(reader, ["the cat去公园 dog dogs"]) == [[
        found for found in made.encode("the cat去公园 dog dogs", add_special_tokens=False).ids if found != 1]]


def test_other_tokenizers_read_whole_texts():
    made = Tokenizer(models.Unigram([("<unk>", 0.0), ("▁the", -1.0), ("▁cat", -2.0), ("▁", -3.0)], unk_id=0))
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    reader = StaticReader(made, None)
    assert not reader._splits and reader.unknown == 0
    assert ids(reader, ["the cat", "the dog"]) == [[1, 2], [1, 3]]
    without = StaticReader(Tokenizer(models.BPE({"a": 0, "b": 1}, [])), None)
    assert without.unknown is None and ids(without, ["abba"]) == [[0, 1, 1, 0]]


def test_the_memory_is_limited(monkeypatch):
    monkeypatch.setattr(module, "_MOST", 5)
    reader = StaticReader(backend(), None)
    for text in texts(30):
        ids(reader, [text])
        assert len(reader._words) <= 5 + len(text.split(" ")) + 30
    assert not any(len(word) > 64 for word in reader._words) and len(WORDS) == 28

"""WordPiece against Google's own rules, and the vocab.txt written for Google's repository."""

import unicodedata

import numpy as np
import pytest

import tfplm
from tests.tokenizers import google_bert
from tests.tokenizers.cases import GOLDEN, HARD, lines_of
from tests.tokenizers.random_texts import NOTABLE, random_texts
from tfplm.tokenizers import backends
from tfplm.tokenizers.original import google

CORPORA = ["zh_novels/honglou_meng.txt", "stsb_zh/sts-b-dev.txt", "wikitext2/test.txt", "wnut17/train.conll"]
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


@pytest.mark.parametrize("name", ["chinese", "uncased", "cased"])
def test_saved_vocabulary_in_googles_code(name, data, tmp_path):
    tokenizer = tfplm.Tokenizer.from_vocab(data("vocabs", f"bert_base_{name}_vocab.txt"))
    tokenizer.save_pretrained(tmp_path)
    vocab = google_bert.load_vocab(tmp_path / "vocab.txt")
    assert len(vocab) == len(tokenizer)
    lines = [line for corpus in CORPORA for line in lines_of(data(*corpus.split("/")), 200)]
    rows = tokenizer(lines, padding=False, truncation=False, add_special_tokens=False)["input_ids"]
    for line, row in zip(lines, rows):
        assert row.tolist() == [vocab[t] for t in google_bert.tokenize(line, vocab, name != "cased")], line


def known_characters(texts, tmp_path):
    """A vocabulary file in which nearly every character of the texts is a piece, so that no word hides behind [UNK]."""
    characters = set("".join(texts))
    for change in (str.lower, lambda c: unicodedata.normalize("NFD", c.lower())):
        characters |= set("".join(map(change, characters)))
    kept = sorted(c for c in characters if not c.isspace() and not 0xD800 <= ord(c) < 0xE000 and ord(c) % 20)
    path = tmp_path / "vocab.txt"
    lines = [*SPECIAL, *kept, *(f"##{c}" for c in kept), "##ab", "abab", "the"]
    path.write_text("".join(f"{line}\n" for line in dict.fromkeys(lines)), encoding="utf-8", newline="\n")
    return path


def differences(texts, tokenizer, lower_case):
    """The texts that get other tokens than in Google's code."""
    rows = tokenizer(texts, padding=False, truncation=False, add_special_tokens=False)["input_ids"]
    vocab = tokenizer.vocab
    expected = [[vocab[token] for token in google_bert.tokenize(text, vocab, lower_case)] for text in texts]
    return [text for text, row, wanted in zip(texts, rows, expected) if row.tolist() != wanted]


@pytest.mark.parametrize("lower_case", [True, False])
@pytest.mark.parametrize("count", [2000, pytest.param(20_000, marks=pytest.mark.slow)])
def test_random_texts(lower_case, count, tmp_path):
    texts = [*random_texts(count, count), *HARD, *NOTABLE]
    tokenizer = tfplm.Tokenizer.from_vocab(known_characters(texts, tmp_path), lowercase=lower_case)
    assert differences(texts, tokenizer, lower_case) == []
    tokenizer.save_pretrained(tmp_path / "saved")
    again = tfplm.Tokenizer.from_pretrained(tmp_path / "saved")
    assert differences(texts[-500:], again, lower_case) == []


@pytest.mark.parametrize("name", ["chinese", "uncased", "cased"])
def test_random_texts_with_published_vocabularies(name, data):
    tokenizer = tfplm.Tokenizer.from_pretrained(data("vocabs", f"bert_base_{name}_vocab.txt"))
    assert differences(random_texts(1000, 5), tokenizer, name != "cased") == []


@pytest.mark.slow
@pytest.mark.parametrize("lower_case", [True, False])
def test_every_character_between_letters(lower_case):
    backend = backends.wordpiece({"[UNK]": 0}, lower_case)
    finder, wrong = google.GoogleTokenizer(backend), []
    # of the planes without characters or with private ones, every 16th
    for code in [*range(0xD800), *range(0xE000, 0x24000), *range(0x24000, 0x2A000, 16), *range(0x2A000, 0x33000),
                 *range(0x33000, 0xE0000, 16), *range(0xE0000, 0xE0200), *range(0xE0200, 0x110000, 16)]:
        text = f"a{chr(code)}b"
        found = [word for word, _ in finder.basic.words(text) if finder.takes(text)] or [
            word for word, _ in backend.pre_tokenizer.pre_tokenize_str(backend.normalizer.normalize_str(text))]
        if found != list(google_bert.words(text, lower_case)):
            wrong.append(code)
    assert wrong == []


@pytest.fixture(scope="module")
def uncased(data):
    return tfplm.Tokenizer.from_pretrained(data("vocabs", "bert_base_uncased_vocab.txt"))


@pytest.mark.parametrize("text, tokens", [
    *((f"a{c}b", ["a", "[UNK]", "b"]) for c in "\U0002b820\U0002b8a2\U0002b91f\U0002b920\U0002ceaf"),  # extension E
    *((f"a{c}b", ["[UNK]"]) for c in "\u2fff\U0002ceb0\U00030000\ue001\U000f0000\u0378\ufdd0\U0010ffff"),
    *((f"a{c}b", ["ab"]) for c in "\0\x01\x0b\x0c\x1c\x7f\x85\xad\u200b\u200d\ufeff\ufffd\u2060\U000e0001\u0301\ufe0f"),
    *((f"a{c}b", ["a", "b"]) for c in "\t\n\r \xa0\u1680\u2003\u2028\u2029\u202f\u3000"),
    *((f"a{c}b", ["a", c, "b"]) for c in "!~^`|\u2014"), ("\ue001", ["[UNK]"]), ("\u200b", []), ("\u0301", []),
    ("caf\u00e9 cafe\u0301", ["cafe", "cafe"]), ("\u0130stanbul", ["istanbul"]), ("\u212aelvin", ["kelvin"]),
    ("x" * 201, ["[UNK]"]), ("\u1fef", ["`"]), ("\ue001[MASK]\ue001 a", ["[UNK]", "[MASK]", "[UNK]", "a"]),
])
def test_single_cases(uncased, text, tokens):
    assert uncased.tokenize(text) == tokens


def test_long_words(uncased):
    for length in (100, 101, 150, 200):
        for letter in ("x", "\u00e9"):
            pieces = uncased.tokenize(letter * length)
            assert "[UNK]" not in pieces and len("".join(pieces).replace("##", "")) == length
    private = uncased("a" * 199 + "\u03a3 b" + "a" * 200, add_special_tokens=False)
    assert private["input_ids"][0, -1] == uncased.unk_token_id and private["input_ids"].shape[1] > 3


def test_a_sigma_at_the_end_of_a_word(tmp_path):
    path = known_characters(["\u03c2\u03c3\u03b1\u03bf"], tmp_path)
    lower, cased = (tfplm.Tokenizer.from_vocab(path, lowercase=value) for value in (True, False))
    assert lower.tokenize("\u039f\u03a3") == ["\u03bf", "##\u03c2"]
    assert lower.tokenize("\u039f\u03a3\u0391 \u03a3") == ["\u03bf", "##\u03c3", "##\u03b1", "\u03c3"]
    assert cased.tokenize("\u03b1\u03a3") == ["[UNK]"]


@pytest.mark.parametrize("options", [{}, {"lowercase": False}, {"strip_accents": False},
                                     {"lowercase": False, "strip_accents": True}, {"tokenize_chinese_chars": False}],
                         ids=str)
def test_places_are_those_of_the_library(options, tmp_path):
    texts = [*random_texts(1500, 7), *HARD, "a [MASK] caf\u00e9[SEP]"]
    tokenizer = tfplm.Tokenizer.from_vocab(known_characters(texts, tmp_path), **{"lowercase": True, **options})
    finder = tokenizer._finder
    usual = [text for text in texts if not finder.takes(text)]
    assert len(usual) > 250
    for text, found, library in zip(usual, finder.pieces(usual), tokenizer._backend.encode_batch(
            usual, add_special_tokens=False)):
        assert (found.tokens, found.spans, found.words) == (library.tokens, library.offsets, library.word_ids), text


def test_the_first_gpt_makes_the_same_words(tmp_path):
    tokenizer = tfplm.Tokenizer.from_bpe(GOLDEN / "tiny_bpe" / "vocab.json", GOLDEN / "tiny_bpe" / "merges.txt")
    texts = [*random_texts(400, 9), *HARD]
    finder = tokenizer._finder
    usual = [text for text in texts if not finder.takes(text)]
    for text, found, library in zip(usual, finder.pieces(usual), tokenizer._backend.encode_batch(usual)):
        assert (found.tokens, found.spans, found.words) == (library.tokens, library.offsets, library.word_ids), text
    assert tokenizer.tokenize("a\ue001b") == tokenizer.tokenize("a\u0e01b") != tokenizer.tokenize("ab")
    assert tokenizer.tokenize("\U0002b8a2the")[-1] == "the</w>"
    batch = tokenizer("\ue001 the", return_offsets=True)
    assert batch["offsets"][0].tolist() == [[0, 1], [2, 5]]


def test_rows_of_rare_and_usual_texts(uncased):
    texts = ["Hello, \ue001orld of words", "plain words, many of them", "\ue001", "New York \ue002 City", ""]
    batch = uncased(texts, texts[::-1], max_length=9, return_offsets=True, return_word_ids=True,
                    return_special_tokens_mask=True)
    for index, (first, second) in enumerate(zip(texts, texts[::-1])):
        row = uncased([first], [second], max_length=9, padding="max_length", return_offsets=True, return_word_ids=True,
                      return_special_tokens_mask=True)
        for key, values in row.items():
            np.testing.assert_array_equal(batch[key][index], values[0])
    (alone,) = uncased("New York \ue002 City", return_offsets=True)["offsets"].tolist()
    assert alone == [[0, 0], [0, 3], [4, 8], [9, 10], [11, 15], [0, 0]]
    windows = uncased(["\ue001 a b c d e"], max_length=5, stride=1, return_offsets=True)
    assert windows["overflow_to_sample_mapping"].tolist() == [0, 0, 0]
    assert windows["offsets"][1].tolist() == [[0, 0], [4, 5], [6, 7], [8, 9], [0, 0]]


def test_words_with_rare_characters(uncased):
    batch = uncased([["New", "\u200b", "Yor\ue001k", "cities"], ["a"]], is_split_into_words=True, return_word_ids=True,
                    return_offsets=True)
    assert batch["word_ids"].tolist() == [[-1, 0, 2, 3, -1], [-1, 0, -1, -1, -1]]
    assert batch["offsets"][0].tolist() == [[0, 0], [0, 3], [0, 5], [0, 6], [0, 0]]


def test_usual_characters_are_alike_in_the_library(tmp_path):
    path = known_characters(["ab"], tmp_path)
    usual = [chr(code) for code in range(0x10000) if not 0xD800 <= code < 0xE000 and not google._UNUSUAL.match(chr(code))]
    assert len(usual) > 30_000
    for options in ({"lowercase": True}, {"lowercase": False}):
        differs = tfplm.Tokenizer.from_vocab(path, **options)._finder.differs
        assert [c for c in (usual if options["lowercase"] else usual[:3000]) if differs[c]] == []


def test_lone_surrogates(uncased):
    for arguments in ({"texts": ["a", "b\udc80"]}, {"texts": [["a"], ["b", "\ud83d!"]], "is_split_into_words": True}):
        with pytest.raises(ValueError, match=r"texts\[1\] is not Unicode text: character 1 .*U\+D[C8]\d.*wrong enco"):
            uncased(**arguments)

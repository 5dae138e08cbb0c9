"""Tokenizers in graphs: the ids are exactly those of `Tokenizer`, on golden texts, corpora, and all of Unicode."""

import numpy as np
import pytest
import tensorflow as tf

import tfplm
from tests.tokenizers.cases import CASES, PAIRS, lines_of
from tests.tokenizers.random_texts import random_texts
from tfplm.models.portable.text.characters import assigned
from tfplm.models.portable.text.decoding import TextOutput, check_exact_output
from tfplm.models.portable.text.errors import NotInGraph
from tfplm.models.portable.text.exactness import STRANGE, check_exact
from tfplm.models.portable.text.inputs import TextInputs, TextSettings, pieces_graph
from tfplm.models.portable.text.sentencepiece import SentencePieceGraph

pytest.importorskip("tensorflow_text", reason="tensorflow-text not installed: pip install -e '.[text]'")

NOT_EXACT = {"modernbert": "changes texts by NFC", "openai_gpt": "its algorithm is bpe"}
QUICK = ("bert_uncased", "t5")
SLOW = ("roberta", "gpt2", "albert")


def strings(texts):
    return tf.constant([text.encode() for text in texts])


def checked(graph, tokenizer, texts, ties=0.0):
    """ties: share of texts of which SentencePiece may choose another division that is equally likely."""
    found = graph(strings(texts)).to_list()
    expected = tokenizer(texts, padding=False, truncation=False, add_special_tokens=False)["input_ids"]
    wrong = [(text, ids.tolist(), row) for text, ids, row in zip(texts, expected, found) if ids.tolist() != row]
    if len(wrong) <= ties * len(texts) and tokenizer.sentencepiece_model is not None:
        alike = SentencePieceGraph(tokenizer).alike if wrong else None
        wrong = [(text, ids, row) for text, ids, row in wrong if not alike(ids, row)]
    assert not wrong, (len(wrong), wrong[:3])


@pytest.fixture(scope="module", params=[
    pytest.param(name, marks=[] if name in QUICK else pytest.mark.slow if name in SLOW else pytest.mark.all)
    for name in CASES if name not in NOT_EXACT])
def case(request, data, tmp_path_factory):
    """(case, tokenizer, graph)."""
    case = CASES[request.param]
    tokenizer = tfplm.Tokenizer.from_pretrained(case.build(tmp_path_factory.mktemp("tokenizer"), data))
    graph = pieces_graph(tokenizer)
    return case, tokenizer, tf.function(lambda texts: graph(texts), input_signature=[tf.TensorSpec([None], tf.string)])


def test_golden_strange_and_random_texts(case):
    case, tokenizer, graph = case
    checked(graph, tokenizer, [*case.texts, *STRANGE, *random_texts(400, 5)], ties=0.02)


@pytest.mark.slow
def test_corpora(case, data):
    case, tokenizer, graph = case
    for corpus in case.corpora:
        checked(graph, tokenizer, lines_of(data(*corpus.split("/")), 250))


@pytest.mark.all
def test_many_random_texts(case):
    _, tokenizer, graph = case
    for start in range(0, 20_000, 2000):
        checked(graph, tokenizer, random_texts(2000, start + 1), ties=0.02)


@pytest.mark.all
def test_all_characters_and_the_whole_vocabulary(case):
    _, tokenizer, graph = case
    alike = SentencePieceGraph(tokenizer).alike if tokenizer.sentencepiece_model else lambda *_: False
    assert check_exact(graph, tokenizer, (), alike) > len(tokenizer) + 150_000 // 48
    characters = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]
    rows = ["a".join(characters[start:start + 64]) for start in range(0, len(characters), 64)]
    checked(graph, tokenizer, rows, ties=0.001)  # three primes, of one character, are two and one, or one and two


@pytest.mark.slow
def test_pairs_truncation_and_padding(case):
    _, tokenizer, _ = case
    firsts, seconds = zip(*[*PAIRS, PAIRS[-1][::-1], (PAIRS[-1][0], "z " * 40), ("z " * 40, PAIRS[-1][0])])
    for length in (12, 17, 18, 64):
        inputs = TextInputs(tokenizer, TextSettings(length))
        for given in ((firsts,), (seconds,), (firsts, seconds)):
            found = inputs(*map(strings, given))
            expected = tokenizer(*given, max_length=length)
            if not min(map(len, tokenizer(*given, max_length=length, padding=False)["input_ids"])):
                assert found["attention_mask"].numpy().min(1).min() >= 0  # a row without tokens gets one
                rows = expected["attention_mask"].any(1)
                found, expected = ({key: array[rows] for key, array in each.items()} for each in (found, expected))
            for name, array in expected.items():
                np.testing.assert_array_equal(found[name], array, err_msg=name)


@pytest.mark.parametrize("name", NOT_EXACT)
def test_tokenizers_that_stay_outside(name, data, tmp_path):
    tokenizer = tfplm.Tokenizer.from_pretrained(CASES[name].build(tmp_path, data))
    with pytest.raises(NotInGraph, match=NOT_EXACT[name]):
        pieces_graph(tokenizer)


def test_bytes_that_are_not_utf8(data):
    tokenizer = tfplm.Tokenizer.from_vocab(data("vocabs", "bert_base_uncased_vocab.txt"))
    given = [b"caf\xe9 is\xff good\xc3", b"\xed\xa0\x80 a", b"\xf0\x9f\x98 b"]
    expected = tokenizer([text.decode("utf-8", "replace") for text in given], padding=False, add_special_tokens=False)
    found = pieces_graph(tokenizer)(tf.constant(given)).to_list()
    assert found == [ids.tolist() for ids in expected["input_ids"]]


def test_a_prompt_and_lower_case(data):
    tokenizer = tfplm.Tokenizer.from_pretrained(data("vocabs", "t5_base_spiece.model"))
    inputs = TextInputs(tokenizer, TextSettings(prompt="Query: ", lowercase=True))
    texts = ["ΟΔΟΣ ΟΔΟΣ.", "İstanbul", "ABC"]
    expected = tokenizer([f"Query: {text}".lower() for text in texts])
    np.testing.assert_array_equal(inputs(strings(texts))["input_ids"], expected["input_ids"])



def test_added_tokens(data):
    tokenizer = tfplm.Tokenizer.from_vocab(data("vocabs", "bert_base_uncased_vocab.txt"))
    tokenizer.add_tokens(["[E1]", "[E1]x", "好的", "a.b*"], special=True)
    checked(pieces_graph(tokenizer), tokenizer, ["a[E1]xb [E1] [e1]好的a.b*", "[E1][E1]x[MASK]a.b", "[CLS][SEP]", "aXb*"])


@pytest.mark.slow
def test_the_check_finds_one_wrong_id(data):
    tokenizer = tfplm.Tokenizer.from_vocab(data("vocabs", "bert_base_uncased_vocab.txt"))
    other = tfplm.Tokenizer.from_vocab(data("vocabs", "bert_base_uncased_vocab.txt"), strip_accents=False)
    with pytest.raises(NotInGraph, match=r"its ids of the text .* are \[.*but TensorFlow Text's"):
        check_exact(pieces_graph(other), tokenizer)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gpt2", "t5", "xlm_roberta", "roberta"])
def test_texts_of_ids(name, data, tmp_path):
    tokenizer = tfplm.Tokenizer.from_pretrained(CASES[name].build(tmp_path, data))
    output = TextOutput(tokenizer)
    texts = [*lines_of(data("wikitext2", "valid.txt"), 60), "今天天气很好", "😀 é"]
    rows = tokenizer(texts)["input_ids"]
    assert [text.decode() for text in output(tf.constant(rows)).numpy()] == tokenizer.batch_decode(rows)
    if name == "t5":
        check_exact_output(output, tokenizer)


def test_assigned_characters_are_most_of_unicode():
    assert 140_000 < len(assigned()) < 200_000 and not set(assigned()) & {"\ud800", "\ue000", "\uffff"}

"""Corpora as files of word ids, vocabularies, and what word2vec derives from the counts."""

import numpy as np
import pytest

from tfplm.data.words.splitting import splitter, word_sentences
from tfplm.data.words.vocabulary import Vocabulary
from tfplm.data.words.word_ids import END, read_blocks, write_ids

SENTENCES = [["new", "york", "is", "big"], ["new", "york", "new", "york"], ["big", "is", "new"], ["rare"]]


def ids_of(path) -> list[int]:
    return np.concatenate(list(read_blocks(path))).tolist()


@pytest.mark.parametrize("block", [2, 1 << 22])
def test_ids_by_frequency_without_rare_words(block, tmp_path, monkeypatch):
    monkeypatch.setattr("tfplm.data.words.word_ids._BLOCK", block)
    vocabulary = write_ids(iter(SENTENCES), tmp_path / "ids", min_count=2)
    assert vocabulary.words == ["new", "york", "is", "big"]
    assert vocabulary.counts.tolist() == [4, 3, 2, 2]
    assert ids_of(tmp_path / "ids") == [0, 1, 2, 3, END, 0, 1, 0, 1, END, 3, 2, 0, END, END]
    assert [path.name for path in tmp_path.iterdir()] == ["ids"]


@pytest.mark.parametrize("block", [3, 1 << 22])
def test_phrases_join_neighbours_that_occur_together(block, tmp_path, monkeypatch):
    monkeypatch.setattr("tfplm.data.words.word_ids._BLOCK", block)
    # (3 - 1) * 5 words / (4 * 3) > 0.8; is big: (1 - 1) = 0
    vocabulary = write_ids(iter(SENTENCES), tmp_path / "ids", min_count=1, phrases=1, phrase_threshold=0.8)
    assert vocabulary.words[:3] == ["new_york", "is", "big"]
    text = [vocabulary.words[index] if index >= 0 else "." for index in ids_of(tmp_path / "ids")]
    assert text == ["new_york", "is", "big", ".", "new_york", "new_york", ".", "big", "is", "new", ".", "rare", "."]


def test_overlapping_phrases_are_joined_from_the_left(tmp_path):
    vocabulary = write_ids(iter([["a", "a", "a", "b"]] * 3), tmp_path / "ids", min_count=1, phrases=1, phrase_threshold=0)
    text = [vocabulary.words[index] if index >= 0 else "." for index in ids_of(tmp_path / "ids")]
    assert text == ["a_a", "a_b", "."] * 3


@pytest.mark.parametrize(("sentences", "message"), [
    ([], "the corpus has no words"),
    ([["a", "b"]], "none of the 2 words occurs 5 times, the most frequent one 1 times"),
])
def test_a_corpus_that_is_empty_or_too_small_writes_nothing(sentences, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        write_ids(iter(sentences), tmp_path / "ids")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("words", "text", "expected"), [
    ("blanks", "A b-c, d", ["a", "b-c,", "d"]),
    ("letters", "Don't stop; 2 naïve_x", ["don't", "stop", "2", "naïve", "x"]),
    ("characters", "我爱BERT，3岁", ["我", "爱", "bert", "3", "岁"]),
])
def test_how_text_is_split(words, text, expected):
    assert list(splitter(words)(text)) == expected


def test_chinese_is_split_by_jieba_of_itself():
    pytest.importorskip("jieba")
    assert list(word_sentences([["我喜欢吃苹果。"]])) == [["我", "喜欢", "吃", "苹果"]]
    assert list(word_sentences([["I like apples.", "…"]])) == [["i", "like", "apples"]]


COUNTS = np.array([60, 25, 10, 3, 2])


def test_frequent_words_are_kept_with_the_probability_of_the_program():
    keep = Vocabulary(list("abcde"), COUNTS).keep(0.1)
    for count, share in zip(COUNTS, keep, strict=True):
        f = count / 100 / 0.1
        assert share == pytest.approx(min((f ** 0.5 + 1) / f, 1))
    assert Vocabulary(list("abcde"), COUNTS).keep(0).tolist() == [1] * 5


def test_negative_words_are_drawn_by_the_power_of_their_counts():
    accept, other = Vocabulary(list("abcde"), COUNTS).alias()
    drawn = np.zeros(5)
    for index in range(5):  # each is drawn with probability 1/5, and then accepted or replaced
        drawn[index] += accept[index] / 5
        drawn[other[index]] += (1 - accept[index]) / 5
    np.testing.assert_allclose(drawn, COUNTS ** 0.75 / (COUNTS ** 0.75).sum(), atol=1e-6)


def test_hierarchical_softmax_gives_probabilities_that_sum_to_one():
    points, codes = Vocabulary(list("abcde"), COUNTS).huffman()
    lengths = (points >= 0).sum(1)
    assert lengths.tolist() == [1, 2, 3, 4, 4]  # of Huffman's tree
    outputs, hidden = np.random.default_rng(0).normal(size=(2, 4, 3))
    total = 0.0
    for word in range(5):
        scores = outputs[points[word, :lengths[word]]] @ hidden[0]
        total += np.prod(1 / (1 + np.exp(-np.where(codes[word, :lengths[word]] == 0, scores, -scores))))
    assert total == pytest.approx(1)

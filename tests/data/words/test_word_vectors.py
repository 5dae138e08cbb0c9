"""Neighbours, comparisons and evaluation of word vectors."""

import numpy as np
import pytest

import tfplm

WORDS = [f"w{index}" for index in range(40)]


@pytest.fixture(scope="module")
def words():
    return tfplm.WordVectors(WORDS, np.random.default_rng(0).normal(size=(40, 6)).astype(np.float32))


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr("tfplm.data.words.ranking.BLOCK_ROWS", 16)


def cosines(words, vector):
    return words.vectors @ vector / np.linalg.norm(words.vectors, axis=1) / np.linalg.norm(vector)


def unit(vector):
    return vector / np.linalg.norm(vector)


def test_the_nearest_words_by_cosine_without_those_given(words):
    query = unit(words["w3"]) + 0.5 * unit(words["w5"]) - unit(words["w7"])
    expected = cosines(words, query)
    order = [f"w{index}" for index in np.argsort(-expected) if index not in (3, 5, 7)]
    found = words.most_similar(["w3", ("w5", 0.5)], "w7", topn=5)
    assert [word for word, _ in found] == order[:5]
    np.testing.assert_allclose([value for _, value in found], [expected[int(word[1:])] for word, _ in found], rtol=1e-5)
    np.testing.assert_allclose(words.most_similar("w3", topn=None), cosines(words, words["w3"]), rtol=1e-4, atol=1e-6)
    assert len(words.most_similar("w3", topn=100)) == 39
    assert words.similar_by_vector(words["w3"], topn=1)[0][0] == "w3"
    assert {word for word, _ in words.most_similar("w30", topn=9, restrict_vocab=4)} == {"w0", "w1", "w2", "w3"}


def test_cosmul_multiplies_shifted_cosines(words):
    above = [(1 + cosines(words, words[word])) / 2 for word in ("w1", "w2")]
    expected = above[0] * above[1] / ((1 + cosines(words, words["w4"])) / 2 + 1e-6)
    found = words.most_similar_cosmul(["w1", "w2"], ["w4"], topn=3)
    best = [index for index in np.argsort(-expected) if index not in (1, 2, 4)][:3]
    assert [word for word, _ in found] == [f"w{index}" for index in best]
    np.testing.assert_allclose([value for _, value in found], expected[best], rtol=1e-4)


def test_comparisons(words):
    assert words.similarity("w1", "w2") == pytest.approx(cosines(words, words["w1"])[2], abs=1e-6)
    assert words.distance("w1", "w2") == pytest.approx(1 - words.similarity("w1", "w2"))
    np.testing.assert_allclose(words.distances("w1", ["w2"]), [words.distance("w1", "w2")], atol=1e-6)
    means = [unit(words[list(group)].mean(0)) for group in (("w1", "w2"), ("w3",))]
    assert words.n_similarity(["w1", "w2"], ["w3"]) == pytest.approx(float(means[0] @ means[1]), abs=1e-6)
    nearest = words.most_similar("w1", topn=3)
    assert words.closer_than("w1", nearest[2][0]) == sorted((word for word, _ in nearest[:2]), key=WORDS.index)
    assert words.rank("w1", nearest[2][0]) == 3


def test_the_word_that_does_not_match(caplog):
    vectors = np.array([[1, 0.1], [1, 0], [1, -0.1], [-1, 1]], np.float32)
    words = tfplm.WordVectors(["早餐", "午餐", "晚餐", "汽车"], vectors)
    assert words.doesnt_match(["早餐", "汽车", "午餐", "飞船", "晚餐"]) == "汽车"
    assert "飞船" in caplog.text


def test_unknown_words_and_wrong_arguments(words):
    with pytest.raises(KeyError, match="'w100' is not one of the 40 words; .*did you mean 'w10'"):
        words["w100"]
    with pytest.raises(ValueError, match=r"a vector has the shape \[3\], expected \[6\]"):
        words.similar_by_vector(np.ones(3))
    with pytest.raises(ValueError, match="there are no words"):
        words.most_similar()
    with pytest.raises(ValueError, match="the words 1 and 3 are both 'a'"):
        tfplm.WordVectors(["a", "b", "a"], np.ones((3, 2), np.float32))
    with pytest.raises(ValueError, match=r"the shape \[2, 2\], expected \[3, D\]"):
        tfplm.WordVectors(["a", "b", "c"], np.ones((2, 2), np.float32))


def test_a_vector_of_zeros_is_similar_to_nothing():
    words = tfplm.WordVectors(["a", "b", "zero"], np.array([[1, 0], [1, 1], [0, 0]], np.float32))
    assert words.most_similar("a") == [("b", pytest.approx(0.7071068)), ("zero", 0.0)]


def test_analogies(tmp_path):
    vectors = {"King": [1, 1, 0], "Queen": [1, -1, 0], "man": [0, 1, 0.1], "woman": [0, -1, 0.1], "KING": [9, 9, 9],
               "apple": [0, 0, 1]}
    words = tfplm.WordVectors(list(vectors), np.array(list(vectors.values()), np.float32))
    (tmp_path / "a.txt").write_text(": royal\nman king woman queen\nman woman king queen\n: none\nman king boy prince\n"
                                    "man apple woman king\n", encoding="utf-8")
    score, sections = words.evaluate_word_analogies(tmp_path / "a.txt")
    assert [(section["section"], len(section["correct"]), len(section["incorrect"])) for section in sections] == [
        ("royal", 2, 0), ("none", 0, 1), ("Total accuracy", 2, 1)]
    assert score == pytest.approx(2 / 3)
    assert sections[0]["correct"][0] == ("MAN", "KING", "WOMAN", "QUEEN")
    assert words.evaluate_word_analogies(tmp_path / "a.txt", dummy4unknown=True)[0] == 0.5
    assert words.evaluate_word_analogies(tmp_path / "a.txt", case_insensitive=False)[1][-1]["correct"] == []
    (tmp_path / "b.txt").write_text("man king woman\n", encoding="utf-8")
    with pytest.raises(ValueError, match="b.txt:1 has 3 words, expected the four of an analogy"):
        words.evaluate_word_analogies(tmp_path / "b.txt")


def test_pairs_correlate_with_judgements(tmp_path):
    angles = np.array([0, 0.2, 0.5, 1.0, 2.0])
    words = tfplm.WordVectors(list("abcde"), np.stack([np.cos(angles), np.sin(angles)], 1).astype(np.float32))
    rows = [("a", "b", 9), ("a", "c", 8), ("A", "d", 7), ("a", "e", 7.5), ("a", "nowhere", 1)]
    (tmp_path / "pairs.csv").write_text(",word1,word2,score\n" + "".join(
        f"{index},{','.join(map(str, row))}\n" for index, row in enumerate(rows)), encoding="utf-8")
    (tmp_path / "pairs.tsv").write_text("# comment\n" + "".join("\t".join(map(str, row)) + "\tnoun\n" for row in rows),
                                        encoding="utf-8")
    stats = pytest.importorskip("scipy.stats")
    values, judged = np.cos(angles[1:]), [9, 8, 7, 7.5]
    for name in ("pairs.csv", "pairs.tsv"):
        pearson, spearman, unknown = words.evaluate_word_pairs(tmp_path / name)
        np.testing.assert_allclose(pearson, stats.pearsonr(judged, values), atol=1e-6)
        np.testing.assert_allclose(spearman, stats.spearmanr(judged, values), atol=1e-6)
        assert unknown == 20
    (tmp_path / "wrong").write_text("a\tb\t1\na b 2\n", encoding="utf-8")
    with pytest.raises(ValueError, match="wrong:2 is 'a b 2', expected two words and a number"):
        words.evaluate_word_pairs(tmp_path / "wrong")


def test_gensim_finds_the_same_neighbours_and_scores(words, data, tmp_path):
    keyed = pytest.importorskip("gensim.models").KeyedVectors(6)
    keyed.add_vectors(words.index_to_key, words.vectors)
    for arguments in [("w1",), (["w1", ("w2", 2.0)], ["w3"]), (words["w9"],)]:
        ours, theirs = words.most_similar(*arguments), keyed.most_similar(*arguments)
        assert [word for word, _ in ours] == [word for word, _ in theirs]
        np.testing.assert_allclose([value for _, value in ours], [value for _, value in theirs], rtol=1e-5)
    ours, theirs = [one.most_similar_cosmul(["w1", "w2"], ["w4"]) for one in (words, keyed)]
    assert [word for word, _ in ours] == [word for word, _ in theirs]
    assert words.doesnt_match(WORDS[:9]) == keyed.doesnt_match(WORDS[:9])
    assert words.n_similarity(WORDS[:3], WORDS[5:9]) == pytest.approx(float(keyed.n_similarity(WORDS[:3], WORDS[5:9])))
    random = np.random.default_rng(1)
    lines = [" ".join(random.choice(WORDS, 4)) for _ in range(200)]
    (tmp_path / "analogies").write_text(": all\n" + "\n".join(lines) + "\n", encoding="utf-8")
    assert words.evaluate_word_analogies(tmp_path / "analogies") == keyed.evaluate_word_analogies(
        str(tmp_path / "analogies"))
    real = data("word_vectors", "wiki.en.99.vec")
    ours, theirs = tfplm.WordVectors.load(real), type(keyed).load_word2vec_format(str(real))
    np.testing.assert_array_equal(ours.vectors, theirs.vectors)
    assert [word for word, _ in ours.most_similar("and")] == [word for word, _ in theirs.most_similar("and")]

"""word2vec: single steps by hand, learning, resuming, the verb."""

import dataclasses
import json

import numpy as np
import pytest

import tfplm
from tfplm.data.words.vocabulary import Vocabulary
from tfplm.data.words.word_ids import write_ids

pytest.importorskip("numba")

from tfplm.pretrain.words import kernels
from tfplm.pretrain.words.run import word2vec
from tfplm.pretrain.words.word2vec import Settings, Word2Vec

NO_TREE = (np.empty((0, 0), np.int32), np.empty((0, 0), np.int8))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def tables(words: int = 4, nodes: int = 4, size: int = 3):
    random = np.random.default_rng(0)
    return tuple(random.normal(size=(count, size)).astype(np.float32) for count in (words, nodes))


def step(ids, made, tree=NO_TREE, skipgram=True, negative=1, alpha=0.1, noise=2):
    """A step on one sentence; the only negative word is `noise`."""
    inputs, outputs = made[0].copy(), made[1].copy()
    draws = np.zeros(len(inputs), np.float32), np.full(len(inputs), noise, np.int32)
    loss, count = kernels.train(np.array([*ids, -1], np.int32), np.ones(len(inputs), np.float32), (inputs, outputs), tree,
                                draws, (skipgram, 1, negative), np.float32(alpha), np.array([1], np.uint64))
    return inputs, outputs, loss, count


def logistic(hidden, outputs, targets, alpha):
    """The updates for targets `[(row, label)]`, one after the other, as the program does it."""
    outputs, work, loss = outputs.astype(np.float64), np.zeros(len(hidden)), 0.0
    for row, label in targets:
        error = label - sigmoid(hidden @ outputs[row])
        loss -= np.log(1 - abs(error))
        work += alpha * error * outputs[row]
        outputs[row] = outputs[row] + alpha * error * hidden
    return work, outputs, loss


def test_a_step_of_skipgram_with_negative_sampling():
    made = tables()
    inputs, outputs, loss, count = step([0, 1], made)
    expected, table, total = made[0].astype(np.float64), made[1], 0.0
    for near, word in ((1, 0), (0, 1)):  # each neighbour predicts the word
        work, table, more = logistic(expected[near], table, [(word, 1), (2, 0)], 0.1)
        expected[near] += work
        total += more
    np.testing.assert_allclose(inputs, expected, atol=1e-3)  # sigmoids are read from a table
    np.testing.assert_allclose(outputs, table, atol=1e-3)
    assert (loss, count) == (pytest.approx(total, abs=0.05), 2)


def test_a_step_of_cbow_with_negative_sampling():
    made = tables()
    inputs, outputs, _, count = step([0, 1, 3], made, skipgram=False)
    expected, table = made[0].astype(np.float64), made[1]
    for word, near in ((0, [1]), (1, [0, 3]), (3, [1])):
        work, table, _ = logistic(expected[near].mean(0), table, [(word, 1), (2, 0)], 0.1)
        expected[near] += work
    np.testing.assert_allclose(inputs, expected, atol=2e-3)
    np.testing.assert_allclose(outputs, table, atol=2e-3)
    assert count == 3


def test_a_step_of_hierarchical_softmax():
    tree = Vocabulary(list("abcd"), np.array([8, 4, 2, 1])).huffman()
    made = tables(nodes=3)
    inputs, outputs, _, _ = step([0, 3], made, tree, negative=0)
    expected, table = made[0].astype(np.float64), made[1]
    for near, word in ((3, 0), (0, 3)):
        path = [(node, 1 - code) for node, code in zip(tree[0][word], tree[1][word], strict=True) if node >= 0]
        work, table, _ = logistic(expected[near], table, path, 0.1)
        expected[near] += work
    np.testing.assert_allclose(inputs, expected, atol=2e-3)
    np.testing.assert_allclose(outputs, table, atol=2e-3)


def test_long_sentences_are_cut_and_not_lost():
    made = tables()
    *_, count = step([0] * (kernels.LONGEST + 5), made, negative=0, tree=NO_TREE)
    assert count == 2 * (kernels.LONGEST - 1) + 2 * 4


def topics(sentences: int = 400, seed: int = 0) -> list[list[str]]:
    """Sentences of words of one of two topics each, with words that both share."""
    random = np.random.default_rng(seed)
    words = [["猫", "狗", "马", "牛", "羊"], ["车", "船", "桥", "路", "站"]]
    return [[*random.choice(words[index % 2], 8), *random.choice(["的", "了"], 2)] for index in range(sentences)]


@pytest.mark.parametrize("settings", [Settings(dimension=8, sample=0), Settings(False, 8, sample=0),
                                      Settings(dimension=8, negative=0, sample=0)], ids=["skipgram", "cbow", "tree"])
def test_words_of_a_topic_become_neighbours(settings, tmp_path, monkeypatch):
    monkeypatch.setattr("tfplm.pretrain.words.word2vec._CHUNK", 1000)
    settings = dataclasses.replace(settings, epochs=30)
    vocabulary = write_ids(iter(topics()), tmp_path / "ids", 1)
    training = Word2Vec(vocabulary, settings)
    losses = []
    training.train(tmp_path / "ids", lambda: losses.append(training.progress.take()))
    assert training.progress.words == 30 * 4000
    assert losses[-1] < losses[0]
    assert {word for word, _ in training.vectors.most_similar("猫", topn=4)} == {"狗", "马", "牛", "羊"}


def test_one_thread_resumes_bit_for_bit(tmp_path, monkeypatch):
    monkeypatch.setattr("tfplm.pretrain.words.word2vec._CHUNK", 500)
    vocabulary = write_ids(iter(topics()), tmp_path / "ids", 1)
    settings = Settings(dimension=6, epochs=2, workers=1)
    whole = Word2Vec(vocabulary, settings)
    whole.train(tmp_path / "ids")
    first, calls = Word2Vec(vocabulary, settings), []

    def interrupt():
        calls.append(1)
        if len(calls) == 7:
            first.save(tmp_path)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        first.train(tmp_path / "ids", interrupt)
    second = Word2Vec(vocabulary, settings)
    assert second.restore(tmp_path)
    second.train(tmp_path / "ids")
    np.testing.assert_array_equal(second.inputs, whole.inputs)
    np.testing.assert_array_equal(second.outputs, whole.outputs)
    with pytest.raises(ValueError, match="belongs to another training"):
        Word2Vec(vocabulary, Settings(dimension=7)).restore(tmp_path)


def test_the_verb_writes_vectors_and_curves(tmp_path, capsys):
    text = tmp_path / "text.txt"
    text.write_text("\n".join(" ".join(sentence) for sentence in topics()), encoding="utf-8")
    options = {"text": [str(text)], "output": str(tmp_path / "v.vec"), "dimension": 8, "words": "blanks", "min_count": 2,
               "log_dir": str(tmp_path / "logs"), "watch": ["猫"], "text_layout": "sentences"}
    vectors = word2vec(**options)
    assert vectors.most_similar("车", topn=1)[0][0] in "船桥路站"
    again = tfplm.WordVectors.load(tmp_path / "v.vec")
    np.testing.assert_array_equal(again.vectors, vectors.vectors)
    assert "猫: " in capsys.readouterr().out
    from tfplm.summaries.read import EventFiles

    assert {"loss", "speed/words_per_second", "optimizer/learning_rate"} <= set(EventFiles(tmp_path / "logs").tags())
    assert (tmp_path / "logs" / "projector_config.pbtxt").is_file()
    with pytest.raises(FileExistsError, match="v.vec was written before"):
        word2vec(**options)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["logs", "text.txt", "v.vec"]


def test_an_interrupted_verb_resumes_and_says_so(tmp_path, capsys, monkeypatch):
    text = tmp_path / "text.txt"
    text.write_text("\n".join(" ".join(sentence) for sentence in topics()), encoding="utf-8")
    monkeypatch.setattr("tfplm.pretrain.words.word2vec._CHUNK", 500)
    options = {"text": [str(text)], "output": str(tmp_path / "v.vec"), "dimension": 4, "words": "blanks", "workers": 1,
               "min_count": 2, "summary_every": 0, "text_layout": "sentences"}
    from tfplm.pretrain.words import run

    with monkeypatch.context() as patch:
        import os
        import signal

        before = run._Watcher.look

        def look(self):
            before(self)
            if self.training.progress.words > 3000:
                os.kill(os.getpid(), signal.SIGINT)

        patch.setattr(run._Watcher, "look", look)
        with pytest.raises(KeyboardInterrupt):
            word2vec(**options)
    assert "the same command resumes" in capsys.readouterr().err
    with pytest.raises(ValueError, match=r"interrupted training with other options \(dimension\)"):
        word2vec(**{**options, "dimension": 5})
    first = word2vec(**options)
    assert "resuming after" in capsys.readouterr().err
    whole = word2vec(**{**options, "output": str(tmp_path / "whole.vec")})
    np.testing.assert_array_equal(first.vectors, whole.vectors)
    assert json.dumps(first.index_to_key) == json.dumps(whole.index_to_key)


def test_an_empty_corpus_leaves_nothing(tmp_path):
    (tmp_path / "text.txt").write_text("！\n", encoding="utf-8")
    with pytest.raises(ValueError, match="the corpus"):
        word2vec(text=[str(tmp_path / "text.txt")], output=str(tmp_path / "v.vec"), words="letters", summary_every=0)
    assert [path.name for path in tmp_path.iterdir()] == ["text.txt"]

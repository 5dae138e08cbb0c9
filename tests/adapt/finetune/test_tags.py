"""Tagging with a softmax for each word, and with a CRF over all words."""

import json

import numpy as np
import pytest

import tfplm
from tests.adapt.adapt_cases import SENTENCES, train, write_tags
from tfplm.adapt.finetune.evaluate import evaluate
from tfplm.adapt.finetune.predictor import Predictor
from tfplm.adapt.tasks.tags import Tagging, join_text
from tfplm.adapt.tasks.task import TaskSettings
from tfplm.data.tasks.examples import TaggedExample


def test_long_sentences_with_a_crf(tagger):
    assert tagger.result.dev["f1"] == 1.0 and tagger.result.dev["accuracy"] == 1.0
    features = tagger.result.task.features([TaggedExample(tuple("我在北京大学学习"))], False)
    assert len(features) == 2 and all(len(feature["input_ids"]) <= 8 for feature in features)
    (row,) = Predictor.from_pretrained(tagger.folder).predict([(tuple("我在北京大学学习"), None)])
    assert row["tags"] == ["O", "O", "B-LOC", "I-LOC", "I-LOC", "I-LOC", "O", "O"]
    (span,) = row["spans"]
    assert (span["type"], span["text"], span["begin"], span["end"]) == ("LOC", "北京大学", 2, 6)
    assert 0.5 < span["probability"] <= 1


def test_the_saved_tagger(tagger, tmp_path):
    config = json.loads((tagger.folder / "config.json").read_text(encoding="utf-8"))
    assert config["architectures"] == ["BertForTokenClassification"] and config["crf"] is True
    assert config["id2label"] == {"0": "O", "1": "B-LOC", "2": "I-LOC"}
    model = tfplm.from_pretrained(tagger.folder, "token_classification")
    assert not model.loading_report.fresh and np.abs(model.head.crf.transitions.numpy()).max() > 0
    sentences = [TaggedExample(tuple(words)) for words, _ in SENTENCES]
    before = Predictor(tagger.result.model, tagger.result.task).predict(sentences)
    assert Predictor.from_pretrained(tagger.folder).predict(sentences) == before
    scores = evaluate(source=str(tagger.folder), data=str(tagger.data), quiet=True)
    assert scores == pytest.approx(tagger.result.dev)


def test_probabilities_of_the_crf_are_its_marginals(tagger):
    task, model = tagger.result.task, tagger.result.model
    features = task.features([TaggedExample(tuple("他去了广州"))], False)
    logits = np.asarray(model({"input_ids": features[0]["input_ids"][None]}))[0, 1:-1]
    crf = model.head.crf
    paths = np.stack(np.meshgrid(*[range(3)] * 5, indexing="ij"), -1).reshape(-1, 5)
    scores = crf.start.numpy()[paths[:, 0]] + crf.end.numpy()[paths[:, -1]] + logits[np.arange(5), paths].sum(1) \
        + crf.transitions.numpy()[paths[:, :-1], paths[:, 1:]].sum(1)
    probabilities = np.exp(scores - scores.max())
    probabilities /= probabilities.sum()
    best = paths[scores.argmax()]
    expected = [probabilities[paths[:, position] == best[position]].sum() for position in range(5)]
    predictor = Predictor(model, task)
    ((chosen, found),) = task.outputs(model, features, predictor._inference)
    np.testing.assert_array_equal(chosen[1:-1], best)
    np.testing.assert_allclose(found[1:-1], expected, rtol=1e-4)


def test_weights_make_the_mean_over_the_words_of_a_batch(tiny):
    task = Tagging(tfplm.Tokenizer.from_pretrained(tiny), TaskSettings(max_length=16, stride=2))
    task.learn([TaggedExample(tuple("他去"), ("O", "B-LOC")), TaggedExample(tuple("他"), ("O",))])
    mask = np.array([[0, 1, 1, 0], [0, 1, 0, 0]], np.int32)
    batch = {"input_ids": mask, "first_of_word": mask, "tag_mask": mask, "tag_ids": np.array([[0, 0, 1, 0], [0] * 4])}
    x, tags, weights = task.split(dict(batch))
    logits = np.random.RandomState(0).randn(2, 4, 2).astype("float32")
    logs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    expected = -(logs[0, 1, 0] + logs[0, 2, 1] + logs[1, 1, 0]) / 3
    assert list(x) == ["input_ids"]
    assert float(task.loss(None)(tags, logits, sample_weight=weights)) == pytest.approx(expected, rel=1e-5)


def test_tags_of_no_scheme_and_missing_tags(tiny):
    task = Tagging(tfplm.Tokenizer.from_pretrained(tiny), TaskSettings())
    with pytest.raises(ValueError, match="the tag is 'LOC'; expected O, or one of B, I, E, S"):
        task.learn([TaggedExample(("他",), ("O",)), TaggedExample(("他",), ("LOC",))])
    with pytest.raises(ValueError, match="f.txt:3: no tags; expected one for training and evaluation"):
        task.learn([TaggedExample(("他",), origin="f.txt:3")])


@pytest.mark.slow
def test_parts_of_speech(tiny, tmp_path):
    file = tmp_path / "train.conll"
    file.write_text("我 r\n爱 v\n他 r\n\n他 r\n去 v\n\n他 r\n在 p\n北 ns\n京 ns\n\n" * 20, encoding="utf-8")
    result = train(tiny, tmp_path / "model", task="tagging", train_file=str(file), dev_file=str(file), epochs=4,
                   learning_rate=5e-3)
    assert result.dev["accuracy"] > 0.9 and "f1/ns" in result.dev and "val_accuracy" in result.history
    assert result.task.of_spans is False and result.task.monitor == "accuracy"
    (row,) = Predictor.from_pretrained(tmp_path / "model").predict([(tuple("他在北京"), None)])
    assert row["tags"] == ["r", "p", "ns", "ns"] and len(row["probabilities"]) == 4 and "spans" not in row
    scored = result.task.score([{"tags": ["r", "p"]}, {"tags": ["v"]}],
                               [TaggedExample(("a", "b"), ("r", "p")), TaggedExample(("c",), ("新",))])
    assert scored["accuracy"] == pytest.approx(2 / 3)  # an unseen tag counts as an error


def test_text_of_a_span():
    assert join_text(["New", "York"]) == "New York" and join_text(list("北京")) == "北京"
    assert join_text(["在", "Wolfs", "burg", "的"]) == "在Wolfs burg的"


@pytest.mark.slow
@pytest.mark.parametrize("options", [{}, {"label_smoothing": 0.1},
                                     {"preset": "bilstm", "hidden_size": 32, "embedding_size": 32,
                                      "hidden_dropout_prob": 0.0},
                                     {"preset": "textcnn", "hidden_size": 36, "embedding_size": 32}],
                         ids=["softmax", "smoothed", "bilstm", "textcnn"])
def test_without_a_crf(tiny, tmp_path, options):
    data = write_tags(tmp_path / "data", repeat=30)
    result = train(tiny, tmp_path / "model", task="tagging", data=str(data), epochs=4,
                   learning_rate=2e-2 if "preset" in options else 5e-3, **options)
    assert result.dev["f1"] == 1.0
    assert Predictor.from_pretrained(tmp_path / "model").predict(["他去了广州"])[0]["spans"][0]["text"] == "广州"


@pytest.mark.slow
def test_rows_of_weibo_and_wnut(data, tiny, tmp_path):
    for name, dev in (("weibo_ner", "weiboNER_2nd_conll.dev"), ("wnut17", "emerging.dev.conll")):
        result = train(tiny, tmp_path / name, task="tagging", data=str(data(name)), epochs=1, most_examples=64, crf=True,
                       batch_size=32)
        assert result.dev["accuracy"] > 0.5 and len(result.task.labels) > 4, dev

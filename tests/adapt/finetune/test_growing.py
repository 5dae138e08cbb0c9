"""New labels for a fine-tuned model, replay of earlier examples, and forgetting."""

import dataclasses

import numpy as np
import pytest

import tfplm
from tests.adapt.adapt_cases import BAD, GOOD, save_bert, train, write_tags, write_texts
from tfplm.adapt.finetune.predictor import Predictor
from tfplm.adapt.finetune.result import open_task
from tfplm.adapt.finetune.start import Start, grown, make_model
from tfplm.adapt.methods.replay import forgetting
from tfplm.data.tasks.examples import TaggedExample, TextExample
from tfplm.models.pretrained.weights import named_variables
from tfplm.options.finetune import FinetuneOptions

NEW = ["电影一般般", "还可以吧", "不好也不坏", "马马虎虎"]


def task_of(folder, labels, tags: bool = False):
    task = open_task(folder)
    task.learn([TaggedExample((f"{index}",), (label,)) if tags else TextExample("x", label=label)
                for index, label in enumerate(labels)])
    return task


def test_old_labels_keep_their_weights(classifier):
    task = task_of(classifier.folder, ["中评", "一般"])
    assert task.labels.names == ("好评", "差评", "一般", "中评")
    old, new = (named_variables(model) for model in
                (tfplm.from_pretrained(classifier.folder, task.head), grown(classifier.folder, task)))
    for path, variable in new.items():
        value, before = variable.numpy(), old[path].numpy()
        if path.startswith("classifier/"):
            assert value.shape[-1] == 4 and np.ptp(value[..., 2:]) >= 0
            value = value[..., :2]
        np.testing.assert_array_equal(value, before, err_msg=path)
    assert np.abs(new["classifier/kernel"].numpy()[:, 2:]).max() > 0  # random, not zero


def test_labels_in_another_order(classifier):
    task = open_task(classifier.folder)
    task.labels = type(task.labels)(["中评", "差评", "好评"])
    model, old = grown(classifier.folder, task), tfplm.from_pretrained(classifier.folder, task.head)
    (new_kernel, kernel), (new_bias, bias) = ([each.numpy() for each in pair] for pair in zip(
        *([named_variables(m)[f"classifier/{name}"] for name in ("kernel", "bias")] for m in (model, old))))
    np.testing.assert_array_equal(new_kernel[:, [2, 1]], kernel)  # 好评 was 0, 差评 1
    np.testing.assert_array_equal(new_bias[[2, 1]], bias)


def test_old_tags_keep_their_scores(tagger):
    task = task_of(tagger.folder, ["B-PER", "O"], tags=True)
    model = grown(tagger.folder, task, crf=True)
    old = tfplm.from_pretrained(tagger.folder, task.head)
    crf, before = model.head.crf, old.head.crf
    np.testing.assert_array_equal(crf.transitions.numpy()[:3, :3], before.transitions.numpy())
    np.testing.assert_array_equal(crf.transitions.numpy()[3], 0)
    np.testing.assert_array_equal(crf.start.numpy()[:3], before.start.numpy())
    assert model.config.id2label == {0: "O", 1: "B-LOC", 2: "I-LOC", 3: "B-PER"}


def test_no_new_label_and_a_missing_one(classifier):
    model = grown(classifier.folder, task_of(classifier.folder, ["好评"]))
    assert model.config.id2label == {0: "好评", 1: "差评"}
    task = open_task(classifier.folder)
    task.labels = type(task.labels)(["好评", "中评"])
    with pytest.raises(ValueError, match="has the labels 差评, which the task does not have; .*: start from"):
        grown(classifier.folder, task)


def test_another_task_keeps_only_the_encoder(classifier, tagger):
    options = FinetuneOptions(init=str(classifier.folder), task="tagging", max_length=8)
    task = open_task(tagger.folder)
    model = make_model(Start.of(options, task.tokenizer), task)
    assert model.config.id2label == {0: "O", 1: "B-LOC", 2: "I-LOC"} and model.head_name == "token_classification"
    source = named_variables(tfplm.from_pretrained(classifier.folder))
    for path, variable in named_variables(model).items():
        if path.startswith(("embeddings", "encoder")):
            np.testing.assert_array_equal(variable.numpy(), source[path].numpy())


def test_forgetting():
    assert forgetting({"f1": 0.9, "x": 1}, {"f1": 0.7}, "f1") == {"before": 0.9, "after": 0.7,
                                                                "forgotten": pytest.approx(0.2)}


@pytest.mark.slow
def test_replay_prevents_forgetting(classifier, tmp_path, capsys):
    data = write_texts(tmp_path / "data", ("train", "dev"), [(text, "中评") for text in NEW], repeat=20)
    options = {"data": str(data), "epochs": 3, "learning_rate": 2e-3}
    plain = train(classifier.folder, tmp_path / "plain", **options)
    replayed = train(classifier.folder, tmp_path / "replayed", replay=str(classifier.data), replay_share=0.5, quiet=False,
                     **options)
    assert plain.task.labels.names == replayed.task.labels.names == ("好评", "差评", "中评")
    assert not plain.forgetting and replayed.forgetting["before"] == 1.0
    before = [*((text, "好评") for text in GOOD), *((text, "差评") for text in BAD)]
    right = {name: np.mean([row["label"] == label for row, (_, label) in zip(
        Predictor.from_pretrained(tmp_path / name).predict([text for text, _ in before]), before)])
        for name in ("plain", "replayed")}
    assert right["replayed"] == pytest.approx(replayed.forgetting["after"]) and right["replayed"] >= max(right["plain"], 0.8)
    assert "earlier task: before 1.0000, after" in capsys.readouterr().out


@pytest.mark.slow
def test_replay_needs_an_evaluation_file(classifier, tiny, tmp_path):
    data = write_texts(tmp_path / "old", ("train",))
    with pytest.raises(ValueError, match=r"expected a train and a dev \(or test\) file for --replay"):
        train(tiny, tmp_path / "model", data=str(classifier.data), replay=str(data))


@pytest.mark.slow
def test_continued_training_of_a_tagger_with_a_crf(tagger, tmp_path):
    data = write_tags(tmp_path / "data", sentences=[("李白去了成都", "OOOOBI")], repeat=20)
    result = train(tagger.folder, tmp_path / "model", task="tagging", crf=True, data=str(data), max_length=8, stride=2)
    assert result.task.labels.names == ("O", "B-LOC", "I-LOC")


@pytest.mark.slow
def test_a_fine_tuned_model_of_another_task(classifier, tmp_path):
    other = save_bert(tmp_path / "other")
    data = write_tags(tmp_path / "data", repeat=10)
    for source in (classifier.folder, other):
        result = train(source, tmp_path / f"from-{source.name}", task="tagging", data=str(data), epochs=1)
        assert result.task.labels.names == ("O", "B-LOC", "I-LOC")
    assert dataclasses.is_dataclass(result)

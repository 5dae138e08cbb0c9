"""Multi-task training with one encoder."""

import collections
import json

import keras
import numpy as np
import pytest

import tfplm
from tests.adapt.adapt_cases import BAD, GOOD, write_questions, write_tags, write_texts
from tfplm.adapt.finetune.evaluate import evaluate
from tfplm.adapt.finetune.losses import CrossEntropy
from tfplm.adapt.finetune.predictor import Predictor
from tfplm.adapt.multitask.batches import MixedBatches
from tfplm.adapt.multitask.model import TASK, MultiTask
from tfplm.adapt.multitask.run import multitask, parse_tasks
from tfplm.adapt.tasks.tags import Tagging
from tfplm.adapt.tasks.task import TaskSettings
from tfplm.adapt.tasks.texts import Classification
from tfplm.data.batches.batching import of_prefix
from tfplm.data.tasks.examples import TaggedExample, TextExample
from tfplm.options.multitask import MultitaskOptions


def tasks_of(folder) -> tuple[dict, dict]:
    """Tasks and features: classification of 30 texts, and tagging of 10 sentences."""
    tokenizer, settings = tfplm.Tokenizer.from_pretrained(folder), TaskSettings(max_length=16, stride=4)
    texts = [TextExample((GOOD + BAD)[index % 16], label=str(index % 3)) for index in range(30)]
    sentences = [TaggedExample(("我", "去", "北京"), ("O", "O", "B-LOC"))] * 10
    tasks = {"texts": Classification(tokenizer, settings), "tags": Tagging(tokenizer, settings)}
    examples = {"texts": texts, "tags": sentences}
    for name, task in tasks.items():
        task.learn(examples[name])
    return tasks, {name: task.features(examples[name], True) for name, task in tasks.items()}


@pytest.mark.parametrize("alpha, share", [(1.0, 0.75), (0.0, 0.5), (0.5, 3 ** 0.5 / (1 + 3 ** 0.5))])
def test_sampling_rates_of_the_tasks(tiny, alpha, share):
    tasks, features = tasks_of(tiny)
    batches = MixedBatches(tasks, features, MultitaskOptions(tasks=[], init="", alpha=alpha, batch_size=5, epochs=2.0))
    assert batches.steps == 16
    counts, keys = collections.Counter(), set()
    for _, batch in zip(range(400), batches.batches()):
        counts[int(batch[TASK][0])] += 1
        keys.add(frozenset(batch))
        assert len(set(batch[TASK])) == 1 and all(len(value) == len(batch[TASK]) for value in batch.values())
    assert counts[0] / 400 == pytest.approx(share, abs=0.07) and len(keys) == 1


def test_loss_of_a_batch_is_the_loss_of_its_task(tiny):
    tasks, features = tasks_of(tiny)
    keras.utils.set_random_seed(0)
    model = MultiTask(tfplm.from_pretrained(tiny), tasks)
    model.compile("sgd", run_eagerly=True)
    batches = MixedBatches(tasks, features, MultitaskOptions(tasks=[], init="", batch_size=5))
    seen = set()
    for _, batch in zip(range(12), batches.batches()):
        index = int(batch[TASK][0])
        seen.add(index)
        x, y, weights = (of_prefix(batch, f"{index}/{kind}/") for kind in "xyw")
        expected = CrossEntropy()(y[""], model.outputs(index, x), sample_weight=weights[""])
        found = model.compute_loss(y_pred=model(batch))
        assert float(found) == pytest.approx(float(expected), rel=1e-5)
    assert seen == {0, 1}


@pytest.mark.parametrize("texts, message", [
    (["a=classification:x"], r"1 task was given; expected two or more: add one, or use tfplm finetune"),
    (["a=classification:x", "a=tagging:y"], "two tasks have the name 'a'; expected different names"),
    (["a=translation:x", "b=tagging:y"], "task is 'a=translation:x'; expected NAME=TASK:DATA, where TASK is one of"),
    (["a:x", "b=tagging:y"], "task is 'a:x'; expected NAME=TASK:DATA"),
    (["a=tagging:", "b=tagging:y"], "task is 'a=tagging:'")])
def test_wrong_tasks(texts, message):
    with pytest.raises(ValueError, match=message):
        parse_tasks(texts)


def test_tasks_and_their_data():
    assert parse_tasks(["a=classification:tfds:glue/sst2", "b=tagging:x=y"]) == {
        "a": ("classification", "tfds:glue/sst2"), "b": ("tagging", "x=y")}


@pytest.fixture(scope="module")
def together(tiny, tmp_path_factory):
    folder = tmp_path_factory.mktemp("together")
    texts, tags = write_texts(folder / "texts"), write_tags(folder / "tags", repeat=40)
    scores = multitask(tasks=[f"s=classification:{texts}", f"t=tagging:{tags}"], init=str(tiny), epochs=2.0, batch_size=8,
                       learning_rate=3e-3, max_length=32, stride=4, quiet=True, summary_every=0, warmup_ratio=0.0,
                       output=str(folder / "model"), log_dir=str(folder / "log"))
    return scores, folder


def test_scores_of_both(together):
    scores, folder = together
    assert scores["s"]["accuracy"] >= 0.9 and scores["t"]["f1"] >= 0.8
    assert json.loads((folder / "model" / "results.json").read_text(encoding="utf-8")) == scores


def test_saved_models_have_the_same_scores(together):
    scores, folder = together
    for name, data in (("s", "texts/dev.tsv"), ("t", "tags/dev.conll")):
        found = evaluate(source=str(folder / "model" / name), data=str(folder / data), quiet=True)
        assert found == pytest.approx(scores[name], abs=1e-6)
    assert Predictor.from_pretrained(folder / "model" / "s").predict(GOOD[:1])[0]["label"] == "好评"
    one, other = (tfplm.from_pretrained(folder / "model" / name) for name in "st")
    np.testing.assert_array_equal(one.embeddings.word.embeddings.numpy(), other.embeddings.word.embeddings.numpy())


@pytest.mark.slow
def test_all_kinds_of_tasks(tiny, tmp_path):
    rows = [(text, str(index % 5)) for index, text in enumerate(GOOD + BAD)]
    numbers = write_texts(tmp_path / "numbers", ("train", "dev"), rows, repeat=2)
    labels = write_texts(tmp_path / "labels", ("train", "dev"), repeat=2, rows=[
        (text, "甲|乙" if index % 2 else "乙") for index, (text, _) in enumerate(rows)])
    questions = write_questions(tmp_path / "questions", repeat=4)
    scores = multitask(tasks=[f"n=regression:{numbers}", f"l=multi-label:{labels}", f"q=question-answering:{questions}"],
                       init=str(tiny), epochs=1.0, batch_size=8, max_length=64, stride=16, quiet=True, summary_every=5,
                       output=str(tmp_path / "model"), log_dir=str(tmp_path / "log"), dtype="mixed_bfloat16")
    assert set(scores) == {"n", "l", "q"} and "spearman" in scores["n"] and "f1_micro" in scores["l"]
    assert all((tmp_path / "model" / name / "task.json").is_file() for name in scores)

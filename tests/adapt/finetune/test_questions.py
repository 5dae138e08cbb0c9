"""Extractive question answering: SQuAD 1.1, SQuAD 2.0 and CMRC."""

import numpy as np
import pytest

from tests.adapt.adapt_cases import PARAGRAPHS, train, write_questions
from tfplm.adapt.finetune.data import read_split
from tfplm.adapt.finetune.evaluate import evaluate
from tfplm.adapt.finetune.predictor import Predictor
from tfplm.adapt.tasks.answers import QuestionAnswering
from tfplm.adapt.tasks.task import TaskSettings
from tfplm.data.tasks.examples import Answer, QuestionExample
from tfplm.options.reading import Reading
from tfplm.tokenizers import Tokenizer


def test_questions_without_an_answer(answerer):
    assert answerer.result.dev["exact_match"] == 100.0 and answerer.result.dev["f1"] == 100.0
    assert answerer.result.task.definition == "squad2" and answerer.result.task.settings.null_answers
    rows = Predictor.from_pretrained(answerer.folder).predict([("鲁迅的本名是什么?", PARAGRAPHS[0][0], ()),
                                                               ("今天的天气怎么样?", PARAGRAPHS[0][0], ())])
    assert rows[0]["answer"] == "周树人" and rows[0]["null_gap"] < 0 and rows[0]["start"] == 21
    assert rows[1]["answer"] == "" and rows[1]["null_gap"] > 0 and rows[1]["start"] == -1


def test_evaluate_returns_the_scores_of_the_training(answerer):
    scores = evaluate(source=str(answerer.folder), data=str(answerer.data), quiet=True)
    assert scores == pytest.approx(answerer.result.dev)


def test_min_null_gap_decides_between_an_answer_and_none(answerer, tmp_path):
    predictor = Predictor.from_pretrained(answerer.folder)
    question = [("鲁迅的本名是什么?", PARAGRAPHS[0][0], ())]
    gap = predictor.predict(question)[0]["null_gap"]
    import dataclasses

    predictor.task.settings = dataclasses.replace(predictor.task.settings, min_null_gap=gap - 0.1)
    assert predictor.predict(question)[0]["answer"] == ""


def test_loss_is_the_mean_over_start_and_end(tiny):
    task = QuestionAnswering(Tokenizer.from_pretrained(tiny), TaskSettings(max_length=40, stride=8))
    rng = np.random.RandomState(0)
    logits = {name: rng.randn(2, 6).astype("float32") for name in ("start", "end")}
    batch = {"input_ids": np.zeros((2, 6)), "start": np.array([1, 2]), "end": np.array([3, 4]),
             **{name: np.zeros(2) for name in ("context_begin", "context_first", "context_length", "null")}}
    x, y, weights = task.split(batch)
    assert list(x) == ["input_ids"]
    found = sum(float(loss(y[name], logits[name], sample_weight=weights[name])) for name, loss in task.loss(None).items())
    logs = {name: x - np.log(np.exp(x).sum(-1, keepdims=True)) for name, x in logits.items()}
    expected = -np.mean([(logs["start"][row, y["start"][row]] + logs["end"][row, y["end"][row]]) / 2 for row in range(2)])
    assert found == pytest.approx(expected, rel=1e-5)


def test_training_needs_answers(tiny):
    task = QuestionAnswering(Tokenizer.from_pretrained(tiny), TaskSettings())
    with pytest.raises(ValueError, match="d.json: no question has an answer; expected answers for training"):
        task.learn([QuestionExample("谁?", "甲", origin="d.json")])
    task.learn([QuestionExample("谁?", "甲", (Answer("甲", 0),))])
    assert not task.settings.null_answers and task.definition == "squad"


@pytest.mark.slow
def test_windows_over_a_context(tiny, tmp_path):
    data = write_questions(tmp_path / "data", repeat=60)
    result = train(tiny, tmp_path / "model", task="question-answering", data=str(data), epochs=3, max_length=36, stride=8,
                   language="zh")
    features = result.task.features(read_split(str(data / "dev.json"), "question", Reading(), None), False)
    assert len(features) > 5 and max(len(feature["input_ids"]) for feature in features) <= 36
    assert result.task.definition == "cmrc" and result.dev["exact_match"] >= 80
    assert evaluate(source=str(tmp_path / "model"), data=str(data), quiet=True) == pytest.approx(result.dev)


@pytest.mark.slow
def test_rows_of_cmrc(data, tiny, tmp_path):
    trial = next(data("cmrc2018").glob("*trial*"))
    result = train(tiny, tmp_path / "model", task="question-answering", train_file=str(trial), dev_file=str(trial),
                   epochs=1, most_examples=20, max_length=64, language="zh")
    assert {"exact_match", "f1", "average"} <= set(result.dev) and 0 <= result.dev["f1"] <= 100

"""Metrics of texts: answers against examples and definitions, BLEU and ROUGE against their libraries."""

import json
import random
import re
import sys

import pytest
import sacrebleu
from nltk.tokenize import NLTKWordTokenizer
from rouge_score.rouge_scorer import RougeScorer

from tfplm.training.metrics import BleuMetrics, QuestionMetrics, RougeMetrics
from tfplm.training.metrics.answers import (
    cmrc_scores,
    mixed_units,
    squad2_scores,
    squad_scores,
    without_marks,
    words_of,
)

TREEBANK = NLTKWordTokenizer()


@pytest.mark.parametrize(("prediction", "answer", "exact", "f1"), [
    ("The Norman dynasty!", "norman  dynasty", 1, 1),
    ("in the 10th century", "10th and 11th centuries", 0, 2 / 7),  # in 10th century | 10th and 11th centuries
    ("a a b b", "b b c", 0, 0.8),  # without articles: b b | b b c
    ("", "the", 1, 0), ("cat", "dog", 0, 0), ("U.S.", "US", 1, 1),
])
def test_squad(prediction, answer, exact, f1):
    assert squad_scores(prediction, answer) == pytest.approx((exact, f1))


@pytest.mark.parametrize(("prediction", "answer", "expected"), [
    ("", "", (1, 1)), ("cat", "", (0, 0)), ("", "cat", (0, 0)), ("the", "", (1, 1)), ("A cat", "cat", (1, 1))])
def test_squad2(prediction, answer, expected):
    assert squad2_scores(prediction, answer) == expected


@pytest.mark.parametrize(("prediction", "answer", "exact", "f1"), [
    ("《红楼梦》。", "红楼梦", 1, 1),
    ("北京大学", "在北京的大学", 0, 2 * 2 / (4 + 6)),  # 北京 or 大学, not both: the run is contiguous
    ("iPhone 5s 手机", "iphone 5s", 0, 2 * 2 / (4 + 2)),
    ("1987年", "1987年", 1, 1), ("1987年", "198年", 0, 2 * 1 / (2 + 2)),
    ("甲", "乙", 0, 0), ("", "甲", 0, 0),
    ("A-B", "ab", 1, 1),
])
def test_cmrc(prediction, answer, exact, f1):
    assert cmrc_scores(prediction, answer) == pytest.approx((exact, f1))


def test_units():
    assert mixed_units("《Don't》 用了3.5%的iPhone") == ["do", "n't", "用", "了", "3.5", "%", "的", "iphone"]
    assert words_of('"hi," he said (twice). ') == ["``", "hi", ",", "''", "he", "said", "(", "twice", ")", "."]


def test_words_are_those_of_nltk(data):
    runs = set()
    for name in ("cmrc2018_dev.json", "cmrc2018_trial.json"):
        for document in json.loads(data("cmrc2018", name).read_text(encoding="utf-8"))["data"]:
            for paragraph in document["paragraphs"]:
                texts = [paragraph["context"], *(answer["text"] for question in paragraph["qas"]
                                                 for answer in question["answers"])]
                runs |= {run for text in texts for run in re.split("[\u4e00-\u9fa5]+", without_marks(text))}
    words = ["don't", "it's", "cannot", "u.s.", "3.5%", "(a)", '"hi"', "o'neil", "'twas", "a.b", "12:30", "a,b", "...",
             "we'll", "j. k.", "c++", "a@b.c", "dogs'", "gonna", "–", "#1"]
    rng = random.Random(1)
    runs |= {" ".join(rng.choices(words, k=rng.randint(1, 5))) for _ in range(500)}
    assert len(runs) > 4000
    assert [run for run in runs if words_of(run) != TREEBANK.tokenize(run)] == []


def test_questions():
    metric = QuestionMetrics("cmrc")
    metric.update(["红楼梦", "北京大学"], [["石头记", "《红楼梦》"], ["在北京的大学"]])
    metric.update([None], [["甲"]])  # a missing prediction counts
    assert metric.result() == pytest.approx({"exact_match": 100 / 3, "f1": 140 / 3, "average": 40})
    metric = QuestionMetrics()
    metric.update(["the cat", "dog"], [["a dog", "cat"], "hot dog"])
    assert metric.result() == pytest.approx({"exact_match": 50, "f1": 100 * (1 + 2 / 3) / 2})


def test_no_answers():
    """Five questions, two of them unanswerable; the best threshold is derived by hand.

    By rising no-answer score: right (0.1), unanswerable but answered (0.2), half right (0.3), right (0.6), unanswerable
    (0.9). Starting from "all empty" = 2 right: 3, 2, 2 (F1 2.67), 3 (F1 3.67), 3 (its prediction is empty).
    """
    predictions = ["cat", "dog", "red fish", "owl", ""]
    labels = [["cat"], [], ["fish"], ["an owl"], ["the"]]
    metric = QuestionMetrics("squad2")
    metric.update(predictions[:2], labels[:2], [0.1, 0.2])
    metric.update(predictions[2:], labels[2:], [0.3, 0.6, 0.9])
    assert metric.result() == pytest.approx({
        "exact_match": 60, "f1": 100 * (3 + 2 / 3) / 5, "has_answer_exact_match": 200 / 3,
        "has_answer_f1": 100 * (2 + 2 / 3) / 3, "no_answer_accuracy": 50,
        "best_exact_match": 60, "best_exact_match_threshold": 0.1,
        "best_f1": 100 * (3 + 2 / 3) / 5, "best_f1_threshold": 0.6})


@pytest.mark.parametrize(("definition", "predictions", "labels", "message"), [
    ("squad", ["a"], [[]], "no reference answer; expected at least one"),
    ("squad", ["a"], [], "1 predictions for 0 labels"),
    ("squad3", [], [], "expected one of squad, squad2, cmrc")])
def test_wrong_questions(definition, predictions, labels, message):
    with pytest.raises(ValueError, match=message):
        QuestionMetrics(definition).update(predictions, labels)


def test_no_answer_scores_of_some_questions_only():
    metric = QuestionMetrics("squad2")
    metric.update(["a"], [[]])
    metric.update(["a"], [[]], [0.5])
    with pytest.raises(ValueError, match="1 no-answer scores for 2 questions"):
        metric.result()


def sentences(words: str, separator: str, count: int = 40):
    rng = random.Random(4)
    labels = [separator.join(rng.choices(words.split(), k=rng.randint(1, 25))) for _ in range(count)]
    predictions = [separator.join(word for word in re.split(separator, text) if rng.random() < 0.8) if separator else
                   "".join(c for c in text if rng.random() < 0.8) for text in labels]
    return predictions, labels


@pytest.mark.parametrize(("tokenize", "words", "separator"), [
    ("13a", "a cat sat, on THE (old) mat. It's 3.5 &amp; more", " "), ("zh", "我 们 在 北 京 , 。 2008 GDP", ""),
    ("char", "der Hund läuft", " ")])
def test_bleu(tokenize, words, separator):
    predictions, labels = sentences(words, separator)
    _, other = sentences(words, separator, count=41)
    metric = BleuMetrics(tokenize)
    for start in range(0, 40, 16):
        metric.update(predictions[start:start + 16], labels[start:start + 16])
    expected = sacrebleu.corpus_bleu(predictions, [labels], tokenize=tokenize)
    result = metric.result()
    assert result["bleu"] == pytest.approx(expected.score) and 10 < expected.score < 100
    assert [result[f"precision_{n}"] for n in (1, 2, 3, 4)] == pytest.approx(expected.precisions)
    assert result["brevity_penalty"] == pytest.approx(expected.bp) and expected.bp < 1
    two = BleuMetrics(tokenize)
    two.update(predictions, [list(pair) for pair in zip(labels, other[1:])])
    expected = sacrebleu.corpus_bleu(predictions, [labels, other[1:]], tokenize=tokenize)
    assert two.result()["bleu"] == pytest.approx(expected.score)


def test_rouge():
    predictions, labels = sentences("a cat sat on the old mats running 3 times", " ")
    for stem in (False, True):
        metric = RougeMetrics(stem=stem)
        metric.update(predictions[:9], labels[:9])
        metric.update(predictions[9:], labels[9:])
        result, scorer = metric.result(), RougeScorer(["rouge1", "rouge2", "rougeL"], use_stemmer=stem)
        rows = [scorer.score(label, prediction) for prediction, label in zip(predictions, labels)]
        for ours, theirs in (("rouge_1", "rouge1"), ("rouge_2", "rouge2"), ("rouge_l", "rougeL")):
            for suffix, field in (("", "fmeasure"), ("_precision", "precision"), ("_recall", "recall")):
                expected = 100 * sum(getattr(row[theirs], field) for row in rows) / len(rows)
                assert result[ours + suffix] == pytest.approx(expected)


def test_rouge_of_chinese():
    metric = RougeMetrics("characters")
    metric.update(["北京GDP增长。"], ["北京的GDP增长5%"])  # 北 京 gdp 增 长 | 北 京 的 gdp 增 长 5
    result = metric.result()
    assert result["rouge_1"] == pytest.approx(100 * 2 * 5 / 12) == result["rouge_l"]
    assert result["rouge_2"] == pytest.approx(100 * 2 * 3 / (4 + 6))
    with pytest.raises(ValueError, match="expected 'words' or 'characters'"):
        RougeMetrics("字")


@pytest.mark.parametrize(("metric", "module"), [(BleuMetrics, "sacrebleu.metrics"),
                                                (RougeMetrics, "rouge_score.rouge_scorer")])
def test_missing_libraries(metric, module, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match="pip install (sacrebleu|rouge-score)"):
        metric()

import json

import pytest

from tfplm.data.tasks.examples import Answer, ChoiceExample, QuestionExample, TargetExample, TextExample
from tfplm.data.tasks.read import read_examples
from tfplm.data.tasks.reading import Reading, Report


def write(path, *values, indent=None):
    path.write_text("\n".join(json.dumps(value, ensure_ascii=False, indent=indent) for value in values), encoding="utf-8")
    return path


def test_lines_lists_and_documents(tmp_path):
    rows = [{"sentence": "好电影", "label": 1, "id": 7}, {"sentence": "坏电影", "label": "0"}]
    expected = [("好电影", "1", "7"), ("坏电影", "0", "")]
    for path in (write(tmp_path / "a.jsonl", *rows), write(tmp_path / "a.json", rows),
                 write(tmp_path / "b.json", rows, indent=2), write(tmp_path / "c.json", {"data": rows}),
                 write(tmp_path / "d.json", {"version": 1, "data": rows}, indent=1), write(tmp_path / "e", *rows),
                 write(tmp_path / "f.json", *rows)):
        assert [(e.text, e.label, e.id) for e in read_examples(path, "text")] == expected
    assert read_examples(tmp_path / "a.jsonl", "text")[1].origin == f"{tmp_path / 'a.jsonl'}:2"
    assert read_examples(tmp_path / "a.json", "text")[1].origin == f"{tmp_path / 'a.json'}[1]"


def test_values_of_json(tmp_path):
    path = write(tmp_path / "a.jsonl", {"question": "is it", "passage": "it is", "answer": True})
    assert read_examples(path, "text")[0].label == "true"
    path = write(tmp_path / "a.jsonl", {"text": "a", "labels": ["x", "y"]}, {"text": "b", "labels": []})
    assert [e.label for e in read_examples(path, "text", Reading(label_kind="multi"))] == [("x", "y"), ()]
    path = write(tmp_path / "a.jsonl", {"text": "a"}, {"text": "b", "label": None})
    assert [e.label for e in read_examples(path, "text")] == [None, None]
    path = write(tmp_path / "a.jsonl", {"text": "a", "label": -1}, {"text": "b", "label": -1})
    assert [e.label for e in read_examples(path, "text")] == [None, None]
    path = write(tmp_path / "a.jsonl", {"text": "a", "label": 1}, {"text": "b"})
    with pytest.raises(ValueError, match="a.jsonl:2: found no label"):
        read_examples(path, "text")
    path = write(tmp_path / "a.jsonl", {"text": "a", "score": 2}, {"text": "b", "score": 2.5})
    assert [e.label for e in read_examples(path, "text", Reading(label_kind="number"))] == [2.0, 2.5]


def test_broken_json(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "a", "label": "1"}\n{"text": "b", \n[1]\n')
    with pytest.raises(ValueError, match=r"a.jsonl:2: found '\{\"text\": \"b\", ', which is not JSON"):
        read_examples(path, "text")
    report = Report()
    assert len(read_examples(path, "text", Reading(skip_bad_rows=True), report=report)) == 1 and report.skipped == 2
    path.write_text('{"text": "b",\n{"text": "a", "label": "1"}\n')
    assert len(read_examples(path, "text", Reading(skip_bad_rows=True))) == 1
    path.write_text("[1,\n2")
    with pytest.raises(ValueError, match=r"a.jsonl:2: not JSON .*expected a JSON list of rows, or one object per line"):
        read_examples(path, "text")
    path.write_text("\n \n")
    with pytest.raises(ValueError, match="a.jsonl: the file is empty"):
        read_examples(path, "text")


CONTEXT = "北京大学在北京。它成立于1898年。"
SQUAD = {"version": "v2.0", "data": [{"title": "t", "paragraphs": [{"context": CONTEXT, "qas": [
    {"id": "q1", "question": "哪年?", "answers": [{"text": "1898年", "answer_start": 12},
                                               {"text": "1898", "answer_start": 3}]},
    {"id": "q2", "question": "在哪?", "answers": [{"text": "北京", "answer_start": -1}]},
    {"id": "q3", "question": "谁?", "answers": [], "is_impossible": True,
     "plausible_answers": [{"text": "x", "answer_start": 0}]},
]}]}]}


@pytest.mark.parametrize("indent", [None, 2])
def test_squad(tmp_path, indent):
    path = write(tmp_path / "dev.json", SQUAD, indent=indent)
    assert read_examples(path, "question") == [
        QuestionExample("哪年?", CONTEXT, (Answer("1898年", 12), Answer("1898", 12)), False, "q1", f"{path}[0] (q1)"),
        QuestionExample("在哪?", CONTEXT, (Answer("北京", -1),), False, "q2", f"{path}[0] (q2)"),  # occurs twice
        QuestionExample("谁?", CONTEXT, (), True, "q3", f"{path}[0] (q3)")]


def test_questions_without_answers_and_flat(tmp_path):
    row = {"id": 1, "question": "q?", "context": "the cat"}
    (example,) = read_examples(write(tmp_path / "a.jsonl", row), "question")
    assert (example.answers, example.impossible) == ((), False)
    flat = [{**row, "answers": {"text": ["cat"], "answer_start": [4]}}, {**row, "answers": {"text": [], "answer_start": []}},
            {**row, "answers": ["the"]}]
    found = read_examples(write(tmp_path / "a.jsonl", *flat), "question")
    assert [(e.answers, e.impossible) for e in found] == [((Answer("cat", 4),), False), ((), True),
                                                          ((Answer("the", 0),), False)]
    path = tmp_path / "a.csv"
    path.write_text("question,context,answer,answer_start\nwho?,the cat and the cat,cat,16\n")
    assert read_examples(path, "question")[0].answers == (Answer("cat", 16),)
    assert read_examples([("q?", "the cat", "cat")], "question")[0].answers == (Answer("cat", 4),)
    with pytest.raises(ValueError, match=r"a.jsonl:1: found answers '3', expected a list of \{text, answer_start\}"):
        read_examples(write(tmp_path / "a.jsonl", {**row, "answers": 3}), "question")
    with pytest.raises(ValueError, match=r"no context among the columns question; give --pair-column"):
        read_examples(write(tmp_path / "a.jsonl", {"question": "q"}), "question")
    with pytest.raises(ValueError, match="expected questions as JSON"):
        (tmp_path / "a.txt").write_text("who?\n")
        read_examples(tmp_path / "a.txt", "question")


@pytest.mark.parametrize("row, text, choices, label", [
    ({"context": "天下雨。", "question": "所以?", "choices": ["晴", "带伞"], "label": 1}, "天下雨。",
     ("所以?晴", "所以?带伞"), 1),
    ({"ctx": "A man", "endings": ["runs", "sits"], "label": "1"}, "A man", ("runs", "sits"), 1),
    ({"sent1": "She opens.", "sent2": "She", "ending0": "eats.", "ending1": "is.", "label": 0}, "She opens.",
     ("She eats.", "She is."), 0),
    ({"question": "Which?", "choices": {"text": ["ice", "sun"], "label": ["A", "B"]}, "answerKey": "B"},
     "Which?", ("ice", "sun"), 1),
    ({"question": "Which?", "choices": {"text": ["ice", "sun"], "label": ["1", "2"]}, "answerKey": "1"},
     "Which?", ("ice", "sun"), 0),
    ({"question": "Which?", "options": ["ice", "sun"], "answer": "sun"}, "Which?", ("ice", "sun"), 1),
    ({"article": "Text.", "question": "It is _ .", "options": ["a", "b"], "answer": "A"}, "Text.",
     ("It is a .", "It is b ."), 0),
    ({"premise": "p", "choice1": "a", "choice2": "b"}, "p", ("a", "b"), None),
    ({"premise": "p", "choice1": "a", "choice2": "b", "label": -1}, "p", ("a", "b"), None)])
def test_choices(tmp_path, row, text, choices, label):
    path = write(tmp_path / "a.jsonl", row)
    assert read_examples(path, "choice") == [ChoiceExample(text, choices, label, "", f"{path}:1")]


def test_dialogues_with_several_questions(tmp_path):
    """C3 as objects with names, one per line; as lists it is among the nested layouts below."""
    turns, questions = ["甲：走吗？", "乙：走。"], [{"question": "谁走？", "choice": ["甲", "两人"], "answer": "两人"},
                                              {"question": "何时？", "choice": ["现在", "明天"], "answer": "现在"}]
    for context in (turns, "\n".join(turns)):
        found = read_examples(write(tmp_path / "a.jsonl", {"id": "7", "context": context, "questions": questions}), "choice")
        assert [(e.text, e.choices, e.label, e.id) for e in found] == [
            ("甲：走吗？\n乙：走。", ("谁走？甲", "谁走？两人"), 1, "7-0"),
            ("甲：走吗？\n乙：走。", ("何时？现在", "何时？明天"), 0, "7-1")]


def test_choices_that_count_from_one(tmp_path):
    rows = [{"question": "q", "option1": "a", "option2": "b", "answer": answer} for answer in ("1", "2", "1")]
    assert [e.label for e in read_examples(write(tmp_path / "a.jsonl", *rows), "choice")] == [0, 1, 0]
    rows[0]["answer"] = "0"
    with pytest.raises(ValueError, match=r"a.jsonl:2: found label 2, expected an index from 0 to 1"):
        read_examples(write(tmp_path / "a.jsonl", *rows), "choice")
    with pytest.raises(ValueError, match=r"found label 'Q', expected an index from 0 to 1, a letter from A to B"):
        read_examples([{"question": "q", "choices": ["a", "b"], "label": "Q"}], "choice")
    with pytest.raises(ValueError, match="at least two texts to choose from"):
        read_examples([("q", ["a"], 0)], "choice")


def test_race_and_c3(tmp_path):
    race = {"id": "high1", "article": "Text.", "questions": ["Who?", "It is _"], "options": [["a", "b"]] * 2,
            "answers": ["B", "A"]}
    found = read_examples(write(tmp_path / "a.txt", race), "choice")
    assert [(e.id, e.text, e.choices, e.label) for e in found] == [
        ("high1-0", "Text.", ("Who? a", "Who? b"), 1), ("high1-1", "Text.", ("It is a", "It is b"), 0)]
    c3 = [[["女：你好", "男：好"], [{"question": "谁先说？", "choice": ["男", "女"], "answer": "女"}], "1-1"]]
    found = read_examples(write(tmp_path / "c3.json", c3), "choice")
    assert found[0] == ChoiceExample("女：你好\n男：好", ("谁先说？男", "谁先说？女"), 1, "1-1-0",
                                     f"{tmp_path / 'c3.json'}[0]")


def test_targets(tmp_path):
    path = write(tmp_path / "a.jsonl", {"article": "long", "highlights": "short", "id": "x"})
    assert read_examples(path, "target") == [TargetExample("long", "short", "x", f"{path}:1")]
    path = write(tmp_path / "a.jsonl", {"translation": {"en": "dog", "de": "Hund"}})
    assert read_examples(path, "target")[0].target == "Hund"
    back = read_examples(path, "target", Reading(text_column="de", target_column="en"))
    assert (back[0].text, back[0].target) == ("Hund", "dog")
    path = tmp_path / "a.tsv"
    path.write_text("dog\tHund\ncat\tKatze\n")
    assert [(e.text, e.target) for e in read_examples(path, "target")] == [("dog", "Hund"), ("cat", "Katze")]
    path.write_text("dog\ncat\n")
    assert [e.target for e in read_examples(path, "target")] == [None, None]
    path.write_text("dog\tHund\ncat\t\n")
    with pytest.raises(ValueError, match="a.tsv:2: found no target, expected a text in column '1'"):
        read_examples(path, "target")


def test_python_values():
    assert read_examples([("好", "1"), ("坏", "0")], "text")[1] == TextExample("坏", None, "0", "", "example 1")
    assert read_examples([("a", "b", "x")], "text")[0].pair == "b"
    assert read_examples(["只有文本"], "text")[0] == TextExample("只有文本", None, None, "", "example 0")
    assert read_examples(({"text": t, "label": i} for i, t in enumerate("ab")), "text")[1].label == "1"
    assert read_examples([("de", "en")], "target")[0].target == "en"
    assert [e.text for e in read_examples([("", None), ("a", None)], "text")] == ["", "a"]  # an empty line is predicted, too
    assert read_examples([(("a",), None)], "tagging")[0].tags is None
    with pytest.raises(ValueError, match="example 0: 4 values; expected text, pair, label"):
        read_examples([("a", "b", "c", "d")], "text")
    with pytest.raises(TypeError, match="example 1 is a TextExample, others are not"):
        read_examples([("a", "b"), TextExample("c")], "text")
    with pytest.raises(ValueError, match="the examples: no text example could be read: there is none"):
        read_examples([], "text")

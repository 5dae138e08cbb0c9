"""`tfplm predict` and `evaluate` on unusual texts and files, and the files that they write."""

import json

import pytest

from tests.adapt.adapt_cases import BAD, GOOD, SENTENCES
from tfplm.adapt.finetune.evaluate import evaluate
from tfplm.adapt.finetune.predict import _rows
from tfplm.adapt.finetune.predict import run as predict
from tfplm.adapt.finetune.predictor import Predictor, words_of
from tfplm.adapt.finetune.writing import cells_of, rows_of, write_predictions
from tfplm.adapt.tasks.task import TaskSettings
from tfplm.adapt.tasks.texts import Classification
from tfplm.cli import main
from tfplm.data.tasks.examples import QuestionExample, TargetExample, TextExample

ODD = ["", " ", "好" * 10_000, "a" * 10_000,
       "😀👨‍👩‍👧‍👦🇨🇳", "mixed 中文 и русский العربية ไทย 한국어", "\u200b\ufeff",
       "\x00\x07", "[CLS] [SEP]"]


def test_odd_texts(classifier, tagger, answerer):
    rows = Predictor.from_pretrained(classifier.folder).predict(ODD)
    assert len(rows) == len(ODD) and all(row["label"] in ("好评", "差评") for row in rows)
    tagged = Predictor.from_pretrained(tagger.folder).predict(ODD)
    assert [len(row["tags"]) for row in tagged] == [len(words_of(text)) for text in ODD]
    assert tagged[0] == {"tags": [], "spans": []} and len(tagged[2]["tags"]) == 10_000
    questions = [QuestionExample("鲁迅出生于哪里?", text) for text in ODD] + [QuestionExample(text, GOOD[0]) for text in ODD]
    answers = Predictor.from_pretrained(answerer.folder).predict(questions)
    assert len(answers) == 2 * len(ODD) and answers[0]["answer"] == "" and answers[0]["start"] == -1
    assert all(row["answer"] in question.context for row, question in zip(answers, questions))


@pytest.mark.parametrize("suffix", [".tsv", ".json", ".jsonl"])
def test_outputs(classifier, tmp_path, suffix):
    path = tmp_path / "new" / f"predictions{suffix}"
    given = predict(source=str(classifier.folder), texts=[GOOD[0], "", "行\t与\n行"], output=str(path), quiet=True)
    text = path.read_text(encoding="utf-8")
    if suffix == ".tsv":
        lines = text.removesuffix("\n").split("\n")
        assert lines[0] == "text\tpair\tlabel\tprobabilities" and len(lines) == 4  # a tab makes a pair
        assert lines[2].split("\t")[0] == "" and lines[3].startswith("行\t与 行\t")
        assert json.loads(lines[1].split("\t")[3]) == given[0]["probabilities"]
        return
    rows = json.loads(text) if suffix == ".json" else [json.loads(line) for line in text.splitlines()]
    assert [row["text"] for row in rows] == [GOOD[0], "", "行"] and rows[0]["label"] == given[0]["label"] == "好评"
    assert [path.name] == [found.name for found in path.parent.iterdir()]


@pytest.mark.parametrize("row, cells", [
    ({"text": "a", "label": "x", "probabilities": {"x": 0.98765, "y": 0.01235}},
     {"text": "a", "label": "x", "probability": "0.99"}),
    ({"text": "a", "pair": "b", "labels": ["x", "y"], "probabilities": {"x": 0.9, "y": 0.8, "z": 0.1}},
     {"text": "a", "pair": "b", "labels": "x y", "probability": "0.90 0.80"}),
    ({"text": "a", "value": 3.14159}, {"text": "a", "value": 3.14159}),
    ({"words": ["去", "广", "州"], "tags": ["O", "B", "I"], "spans": [
        {"type": "LOC", "text": "广州", "begin": 1, "end": 3, "probability": 0.987}]},
     {"text": "去广州", "spans": "广州 LOC 0.99"}),
    ({"words": ["a", "dog"], "tags": ["DT", "NN"], "probabilities": [0.9, 0.8]}, {"text": "a dog", "tags": "DT NN"}),
    ({"question": "q", "answer": "b", "start": 3, "probability": 0.5},
     {"question": "q", "answer": "b", "probability": "0.50"}),
    ({"choice": 1, "text": "b", "probabilities": [0.1, 0.9]}, {"text": "b", "choice": 1, "probability": "0.90"}),
    ({"source": "A dog.", "text": "Ein Hund."}, {"source": "A dog.", "text": "Ein Hund."})])
def test_cells_of_a_table(row, cells):
    assert cells_of(row) == cells


def test_a_table_at_a_terminal(classifier, capsys, terminal):
    predict(source=str(classifier.folder), texts=[GOOD[0]], quiet=True)
    header, _, row = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert header == ["text", "label", "probability"] and row[1] == "好评"
    assert float(row[2]) > 0.5 and len(row[2]) == 4


def test_unknown_suffix_is_rejected_before_the_model_is_read(tmp_path):
    with pytest.raises(ValueError, match=r"has the suffix '.xlsx'; expected .jsonl, .json, .tsv: change --output"):
        predict(source=str(tmp_path / "none"), texts=["a"], output=str(tmp_path / "out.xlsx"))


def test_a_failed_write_keeps_the_old_file(tmp_path):
    path = tmp_path / "out.json"
    path.write_text("old", encoding="utf-8")
    with pytest.raises(TypeError):
        write_predictions(path, [{"label": object()}], [TextExample("a")])
    assert path.read_text(encoding="utf-8") == "old"


def test_rows_contain_the_inputs():
    (row,) = rows_of([{"text": "Ein Hund."}], [TargetExample("A dog.", "Ein Hund", "7")])
    assert row == {"source": "A dog.", "id": "7", "text": "Ein Hund."}
    (row,) = rows_of([{"answer": "甲", "start": 0}], [QuestionExample("谁?", "甲乙", id="q1")])
    assert row == {"question": "谁?", "id": "q1", "answer": "甲", "start": 0}


FILES = {
    "crlf.tsv": "text\tlabel\r\n" + "".join(f"{text}\t好评\r\n" for text in GOOD) + "".join(f"{t}\t差评\r\n" for t in BAD),
    "bom.csv": "\ufefftext,label\n" + "".join(f'"{text}",好评\n' for text in GOOD) + "".join(f'"{t}",差评\n' for t in BAD),
    "rows.jsonl": "".join(json.dumps({"text": t, "label": "好评"}) + "\n" for t in GOOD)
                  + "".join(json.dumps({"text": t, "label": "差评"}) + "\n" for t in BAD)}


@pytest.mark.parametrize("name", FILES)
def test_files(classifier, tmp_path, name):
    (tmp_path / name).write_bytes(FILES[name].encode("utf-8"))
    assert evaluate(source=str(classifier.folder), data=str(tmp_path / name), quiet=True)["accuracy"] == 1.0
    rows = predict(source=str(classifier.folder), file=str(tmp_path / name), output=str(tmp_path / "o.json"), quiet=True)
    assert [row["label"] for row in rows] == ["好评"] * len(GOOD) + ["差评"] * len(BAD)


def test_a_test_file_without_labels(classifier, tagger, tmp_path):
    (tmp_path / "test.txt").write_text("\n".join([GOOD[0], "", BAD[0]]) + "\n", encoding="utf-8")
    rows = predict(source=str(classifier.folder), file=str(tmp_path / "test.txt"), output=str(tmp_path / "o.tsv"),
                   quiet=True)
    assert [rows[0]["label"], rows[2]["label"]] == ["好评", "差评"] and len(rows) == 3
    sentences = "\n\n".join("\n".join(words) for words, _ in SENTENCES)
    (tmp_path / "test.conll").write_text(sentences + "\n", encoding="utf-8")
    rows = predict(source=str(tagger.folder), file=str(tmp_path / "test.conll"), output=str(tmp_path / "tags.tsv"),
                   quiet=True)
    assert [len(row["tags"]) for row in rows] == [len(words) for words, _ in SENTENCES]


def test_texts_from_standard_input(classifier, tagger, answerer, tmp_path, monkeypatch, capsys):
    import io
    import sys

    def given(folder, text: str) -> list[dict]:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode("utf-8")), encoding="utf-8"))
        assert main(["predict", str(folder), "--quiet"]) == 0
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    rows = given(classifier.folder, f"{GOOD[0]}\r\n\n{BAD[0]}\n")
    assert [row["text"] for row in rows] == [GOOD[0], "", BAD[0]] and rows[2]["label"] == "差评"
    (row,) = given(tagger.folder, "他去了广州\n")
    assert row["spans"][0]["text"] == "广州" and row["words"] == list("他去了广州")
    (row,) = given(answerer.folder, "长江有多长?\t长江是中国最长的河流,全长约6300公里,发源于青藏高原。\n")
    assert row["answer"] == "约6300公里"


def test_questions_as_arguments(answerer, tmp_path):
    context = "长江是中国最长的河流,全长约6300公里,发源于青藏高原。"
    arguments = {"source": str(answerer.folder), "output": str(tmp_path / "o.json"), "quiet": True, "overwrite": True}
    (row,) = predict(texts=["长江有多长?", context], n_best=3, **arguments)
    assert row["answer"] == "约6300公里" == context[row["start"]:row["start"] + 7]
    assert len(row["n_best"]) == 3 and row["n_best"][0]["probability"] >= row["n_best"][1]["probability"]
    with pytest.raises(ValueError, match="1 texts were given; expected a context after each question: add"):
        predict(texts=["长江有多长?"], **arguments)


def test_pairs_as_arguments():
    pairs, texts = (Classification(None, TaskSettings(pairs=pairs)) for pairs in (True, False))
    assert _rows(["a", "b", "c", "d"], pairs, True) == [("a", "b", None), ("c", "d", None)]
    assert _rows(["a", "b"], texts, True) == [("a", None), ("b", None)]
    assert _rows(["a\tb"], pairs, False) == _rows(["a\tb"], texts, True) == [("a", "b", None)]
    with pytest.raises(ValueError, match="3 texts were given; expected a second text after each text: add"):
        _rows(["a", "b", "c"], pairs, True)


@pytest.mark.parametrize("text, words", [
    ("I \u2764\ufe0f \u5317\u4eac\ufe0e", ("I", "\u2764\ufe0f", "\u5317", "\u4eac\ufe0e")),
    ("a\u200bb \ufeffc", ("a\u200bb", "\ufeffc")), ("\u200b\u5317x", ("\u200b\u5317", "x")), (" \u200b ", ("\u200b",)),
    ("\U0001f469\u200d\U0001f467\ufe0f!", ("\U0001f469\u200d", "\U0001f467\ufe0f", "!")), ("\x07", ("\x07",)),
    ("\u0e44\u0e17\u0e22 cafe\u0301s", ("\u0e44\u0e17\u0e22", "cafe\u0301s")), ("\u4e2d\u200da", ("\u4e2d\u200d", "a"))])
def test_invisible_characters_belong_to_a_word(text, words):
    assert words_of(text) == words


def test_words_of_a_text():
    assert words_of("我爱 Wolfsburg, 真的!") == ("我", "爱", "Wolfsburg,", "真", "的", "!")
    assert words_of("한국어ab") == ("한", "국", "어", "ab") and words_of(" \t") == ()


def test_exit_statuses(classifier, tmp_path, capsys):
    assert main(["evaluate", str(tmp_path), str(classifier.data), "--quiet"]) == 1
    assert "has no task.json" in capsys.readouterr().err
    assert main(["predict", str(classifier.folder), "--file", str(tmp_path / "none.tsv")]) == 1
    assert main(["evaluate", str(classifier.folder), str(classifier.data), "--quiet"]) == 0

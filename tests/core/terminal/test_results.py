"""The results of a verb: tables, text, JSON lines, files."""

import json

import pytest

from tfplm.core.terminal import results as module
from tfplm.core.terminal.results import Results, print_table, probability, show_scores

ROWS = [{"text": "[b]好[/b] [MASK]", "probability": 0.98765432109, "count": 12345},
        {"text": "a\x1b[31m\nb", "probability": 1e-4, "extra": None, "list": [1, "二"]}]


def show(rows=ROWS, **keywords):
    with Results(**keywords) as results:
        for row in rows:
            results.show(row)


def test_json_lines_through_a_pipe(capsys):
    show()
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == ROWS


def test_numbers_that_json_does_not_have(capsys, tmp_path):
    rows = [{"pearson": float("nan"), "rest": [{"loss": float("inf")}, 1.5]}]
    expected = [{"pearson": None, "rest": [{"loss": None}, 1.5]}]
    show(rows)
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == expected
    show(rows, output=tmp_path / "a.json")
    assert json.loads((tmp_path / "a.json").read_text()) == expected


def test_json_lines_are_there_at_once(capsys):
    with Results() as results:
        results.show(ROWS[0])
        assert json.loads(capsys.readouterr().out) == ROWS[0]


def test_a_table_at_a_terminal(terminal, capsys):
    show()
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert lines[0].split() == ["text", "probability", "count", "extra", "list"]
    assert lines[2].split() == ["[b]好[/b]", "[MASK]", "0.9877", "12,345"]
    assert lines[3].startswith("a [31m b ") and lines[3].endswith('[1, "二"]')
    assert lines[2].index("0.9877") + 1 == lines[3].index("0.0001")  # numbers at the right; a Chinese character is wide


def test_json_at_a_terminal_if_asked_for(terminal, capsys):
    show(json=True)
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == ROWS


def test_text_at_a_terminal(terminal, capsys):
    show(as_text=lambda row: probability(row["probability"]))
    assert capsys.readouterr().out == "0.99\n<0.01\n"
    show(cells=lambda row: {"p": probability(row["probability"])})
    assert capsys.readouterr().out.split()[0] == "p"


def test_text_in_pipes_for_verbs_whose_result_is_text(capsys):
    show(as_text=lambda row: row["text"][:1], text_in_pipes=True)
    assert capsys.readouterr().out == "[\na\n"
    show(ROWS[:1], as_text=lambda row: "x", text_in_pipes=True, json=True)
    assert json.loads(capsys.readouterr().out) == ROWS[0]


@pytest.mark.parametrize("suffix", module.FORMATS)
def test_files(suffix, tmp_path, terminal, capsys):
    path = tmp_path / "new" / f"rows{suffix}"
    show(output=path, as_text=str)
    text = path.read_text(encoding="utf-8")
    if suffix == ".tsv":
        assert text.splitlines()[0] == "text\tprobability\tcount\textra\tlist" and len(text.splitlines()) == 3
    else:
        assert (json.loads(text) if suffix == ".json" else [json.loads(line) for line in text.splitlines()]) == ROWS
    assert capsys.readouterr().out == ""


def test_a_failure_keeps_the_old_file(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text("old")
    with pytest.raises(RuntimeError), Results(output=path, overwrite=True) as results:
        results.show({"a": 1})
        raise RuntimeError
    assert path.read_text() == "old"


def test_an_existing_file_needs_overwrite(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text("old")
    with pytest.raises(FileExistsError, match="rows.jsonl was written before .*: add --overwrite"):
        Results(output=path)
    assert path.read_text() == "old"
    with Results(output=path, overwrite=True) as results:
        results.show({"a": 1})
    assert json.loads(path.read_text()) == {"a": 1} and list(tmp_path.iterdir()) == [path]


def test_an_unknown_suffix_is_rejected_first():
    with pytest.raises(ValueError, match=r"x.xlsx has the suffix '.xlsx'; expected .jsonl, .json, .tsv: change --output"):
        Results(output="x.xlsx")


def test_scores(terminal, capsys, monkeypatch):
    show_scores({"accuracy": 0.98765, "loss": 1})
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines[2:]] == [["accuracy", "0.9877"], ["loss", "1.0000"]]
    monkeypatch.setattr(module, "for_people", lambda: False)
    show_scores({"accuracy": 0.98765})
    assert capsys.readouterr().out == '{"accuracy": 0.98765}\n'


def test_colours(terminal, capsys, monkeypatch):
    print_table([{"a": 1}])
    assert "\x1b" not in capsys.readouterr().out
    monkeypatch.delenv("NO_COLOR")
    print_table([{"a": 1}])
    assert "\x1b" not in capsys.readouterr().out  # standard output of this test is no terminal


def test_words_are_not_broken_and_long_texts_are_wrapped(terminal, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    names = [f"organization/model-number-{number}" for number in range(4)]
    print_table([{f"column{index}": name for index, name in enumerate(names)}])
    assert capsys.readouterr().out.splitlines()[2].split() == names
    print_table([{"text": "word " * 30, "label": "x"}])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > 4 and max(map(len, lines)) <= 40
    print_table([{"text": "字" * 50, "label": "x"}])
    text = capsys.readouterr().out
    assert text.count("字") == 50 and len(text.splitlines()) == 5  # 45 columns are 22 Chinese characters


@pytest.mark.parametrize("value, text", [(0.0, "0.00"), (0.004, "<0.01"), (0.005, "0.01"), (0.5, "0.50"), (1.0, "1.00")])
def test_probabilities(value, text):
    assert probability(value) == text

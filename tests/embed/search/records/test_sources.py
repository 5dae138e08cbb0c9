"""Text files, question-answer files and JSON lines as rows."""

import gzip

import pytest

from tfplm.embed.search.records.row import Row
from tfplm.embed.search.records.sources import Source


def rows(tmp_path, name: str, content: str, **keywords):
    path = tmp_path / name
    path.write_bytes(gzip.compress(content.encode()) if name.endswith(".gz") else content.encode())
    return [(number, row._replace(id=row.id.replace(str(path), name)))
            for number, row in Source(str(path), **keywords).rows()]


def test_texts(tmp_path):
    expected = [(1, Row("a.txt:1", "今天\t好", {})), (3, Row("a.txt:3", "b", {}))]
    assert rows(tmp_path, "a.txt", "今天\t好\n \nb") == expected
    assert rows(tmp_path, "a.txt.gz", "一\r\n")[0][1] == Row("a.txt.gz:1", "一", {})


def test_questions(tmp_path):
    found = rows(tmp_path, "faq.tsv", "几点开门？\t九点。\n在哪里？\t这里。\t地图\n")
    assert [row for _, row in found] == [Row("faq.tsv:1", "几点开门？", {"answer": "九点。"}),
                                         Row("faq.tsv:2", "在哪里？", {"answer": "这里。", "column_3": "地图"})]


@pytest.mark.parametrize("name", ["faq.tsv", "faq.tsv.gz"])
def test_columns_with_names(name, tmp_path):
    found = rows(tmp_path, name, "id\tanswer\tquestion\n7\t九点。\t几点？\n\t这里。\t在哪？\n")
    assert found == [(2, Row("7", "几点？", {"answer": "九点。"})), (3, Row(f"{name}:3", "在哪？", {"answer": "这里。"}))]
    found = rows(tmp_path, name, "id\tanswer\tquestion\n7\t九点。\t几点？\n", text_field="answer")
    assert found[0][1] == Row("7", "九点。", {"question": "几点？"})


def test_json_lines(tmp_path):
    content = '{"id": 3, "question": "几点？", "answer": "九点。", "tags": ["a"]}\n"只有文本"\n{"title": "t", "x": null}'
    assert [row for _, row in rows(tmp_path, "a.jsonl", content)] == [
        Row("3", "几点？", {"answer": "九点。", "tags": ["a"]}), Row("a.jsonl:2", "只有文本", {}),
        Row("a.jsonl:3", "t", {"x": None})]


def test_resuming(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_text("id\ttext\n1\ta\n2\tb\n3\tc\n")
    assert [(number, row.id) for number, row in Source(str(path)).rows(3)] == [(4, "3")]
    key = Source(str(path)).key
    assert key == Source(str(path)).key != Source(str(path), "text").key
    path.write_text("id\ttext\n1\ta\n2\tb\n3\td2\n")
    assert Source(str(path)).key != key and Source("-").key is None


@pytest.mark.parametrize(("name", "content", "message"), [
    ("a.tsv", "一\t二\n只有一个", "a.tsv:2: no tab between a question and its answer: '只有一个'"),
    ("a.tsv", "id\ttext\n1", "a.tsv:2: 1 columns, expected 2 as in the first line"),
    ("a.jsonl", '{"text": "a"}\n{"text": ', "a.jsonl:2: not a line of JSON"),
    ("a.jsonl", "3", "a.jsonl:1: expected an object or a string on each line, found '3'"),
    ("a.jsonl", '{"body": "a", "text": 3}', "a.jsonl:1: none of the fields body, text is a text named question or query")])
def test_wrong_lines(name, content, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        rows(tmp_path, name, content)

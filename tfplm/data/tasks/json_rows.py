"""JSON lines and whole JSON documents as tables; the nested layouts of SQuAD, RACE and C3 are flattened."""

import itertools
import json
from collections.abc import Iterator
from typing import Any

from tfplm.data.tasks.reading import Reader, Row, Table, shorten
from tfplm.data.text.text_files import read_lines

ENDINGS = (".json", ".jsonl", ".ndjson", ".jsonlines")
_WHERE_ROWS_ARE = ("data", "rows", "examples", "items", "instances")  # keys of documents that hold a list of rows


def is_json(name: str, encoding: str) -> bool:
    """Detects JSON by the file name, else by a first line that is a JSON object or starts a JSON document."""
    ending = name.lower().removesuffix(".gz")
    if ending.endswith(ENDINGS):
        return True
    if ending.endswith((".tsv", ".csv")) or name == "-":
        return False
    lines = read_lines(name, encoding, longest=-1)
    first = next((line.strip() for line in itertools.islice(lines, 20) if line.strip()), "")
    return first in ("{", "[", "[{") or first.startswith(('{"', '[{"'))


def read_json(name: str, reader: Reader) -> Table:
    """Reads the rows of a file: one object per line, a list of objects, or a document with such a list (SQuAD, RACE).

    Raises ValueError for an empty file, for invalid JSON, and for a document without rows.
    """
    lines = list(read_lines(name, reader.reading.encoding, longest=-1))
    full = [(number, line) for number, line in enumerate(lines, 1) if line.strip()]
    if not full:
        raise ValueError(f"{name}: the file is empty; expected JSON rows")
    document = _document(name, lines, full)
    found = _line_objects(name, full, reader) if document is None else _document_objects(name, document)
    return rows_table(name, found, reader)


def rows_table(name: str, found, reader: Reader) -> Table:
    """Builds a table from (origin, value) pairs; values are dicts, flattened first if nested.

    Columns are the keys of all rows, in order; `translation: {en:, de:}` counts as two columns.
    """
    rows = []
    for origin, value in found:
        if not isinstance(value, dict) and not _is_dialogue(value):
            reader.reject(origin, f"{type(value).__name__} {shorten(value)}", "a JSON object")
            continue
        rows += [Row(where, _flat(values)) for where, values in _unfold(origin, value)]
    columns = list(dict.fromkeys(key for row in rows for key in row.values))
    if not rows:
        raise ValueError(f"{name}: no row could be read ({reader.report.skipped} bad rows); expected JSON objects")
    return Table(name, columns, rows)


def _document(name: str, lines: list[str], full: list[tuple[int, str]]) -> Any:
    """The whole file as one JSON value; None if every line is one."""
    first = full[0][1].strip()
    if len(full) > 1 or first.startswith("["):
        try:
            if first.startswith("{"):
                json.loads(first)
                return None
        except json.JSONDecodeError:
            pass
        try:
            return json.loads("\n".join(lines))
        except json.JSONDecodeError as error:
            if first.startswith("{") and len(first) > 1:
                return None  # JSON lines with a broken first line
            raise ValueError(f"{name}:{error.lineno}: not JSON ({error.msg}); expected a JSON list of rows, or one "
                             "object per line") from None
    try:
        value = json.loads(first)
    except json.JSONDecodeError:
        return None
    return value if isinstance(value, dict) and _rows_in(value) is not None else None


def _line_objects(name: str, full: list[tuple[int, str]], reader: Reader) -> Iterator[tuple[str, Any]]:
    for number, line in full:
        try:
            yield f"{name}:{number}", json.loads(line)
        except json.JSONDecodeError as error:
            reader.reject(f"{name}:{number}", f"{shorten(line)}, which is not JSON ({error.msg})",
                          "one object per line")


def _rows_in(document: dict) -> list | None:
    return next((document[key] for key in _WHERE_ROWS_ARE if isinstance(document.get(key), list)), None)


def _document_objects(name: str, document: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(document, dict):
        rows = _rows_in(document)
        rows = [document] if rows is None else rows
    else:
        rows = document if isinstance(document, list) else [document]
    yield from ((f"{name}[{index}]", row) for index, row in enumerate(rows))


def _flat(values: dict) -> dict:
    translation = values.get("translation")
    if isinstance(translation, dict):
        return {**{key: value for key, value in values.items() if key != "translation"}, **translation}
    return values


def _is_dialogue(value: Any) -> bool:
    """Detects the layout of C3: [[turns], [questions], id]; its parts can also be `context`, `questions` and `id`."""
    return (isinstance(value, list) and len(value) >= 2 and all(isinstance(part, list) for part in value[:2])
            and all(isinstance(question, dict) for question in value[1]))


def _as_list(value: Any) -> list:
    return value if isinstance(value, list) else [str(value or "")]


def _unfold(origin: str, value: Any) -> Iterator[tuple[str, dict]]:
    """Flattens one JSON value into rows."""
    if _is_dialogue(value):
        for index, question in enumerate(value[1]):
            yield origin, {"context": "\n".join(value[0]), **question, "choices": question.get("choice", ()),
                           "id": f"{value[2] if len(value) > 2 else origin}-{index}"}
    elif _is_dialogue(named := [_as_list(value.get("context")), value.get("questions")]) and named[1]:
        yield from _unfold(origin, [*named, value.get("id", origin)])
    elif isinstance(value.get("paragraphs"), list):  # SQuAD: article > paragraphs > questions
        for paragraph in value["paragraphs"]:
            for question in paragraph.get("qas", ()):
                yield f"{origin} ({question.get('id', '')})", {"context": paragraph.get("context"), **question}
    elif isinstance(value.get("qas"), list):  # paragraphs without articles
        for question in value["qas"]:
            yield f"{origin} ({question.get('id', '')})", {"context": value.get("context"), **question}
    elif isinstance(value.get("questions"), list) and isinstance(value.get("options"), list):  # RACE
        rest = {key: item for key, item in value.items() if key not in ("questions", "options", "answers")}
        answers = value.get("answers") or [None] * len(value["questions"])
        for index, (question, options, answer) in enumerate(zip(value["questions"], value["options"], answers)):
            row = {**rest, "question": question, "options": options, "id": f"{value.get('id', origin)}-{index}"}
            yield origin, row if answer is None else {**row, "answer": answer}
    else:
        yield origin, value

"""Construction of examples from table rows: texts with labels, sentences with tags, texts with targets."""

import logging
import math
from typing import Any

from tfplm.data.tasks.columns import find_columns, normalise, tag_columns, target_columns
from tfplm.data.tasks.examples import TaggedExample, TargetExample, TextExample
from tfplm.data.tasks.reading import Reader, Row, Table, shorten

log = logging.getLogger(__name__)
_SEPARATORS = "|,;"


def text_examples(table: Table, reader: Reader) -> list[TextExample]:
    """Texts or pairs with a class, several classes or a number, or without a label if the table has none."""
    roles = find_columns(table, reader.reading)
    reader.report.columns.update(roles)
    log.info("%s: %s", table.name, ", ".join(f"{role} is column {column!r}" for role, column in roles.items()))
    label = _label_reader(table, roles.get("label"), reader)
    examples = []
    for row in table.rows:
        text, pair, name = (_string(row.get(roles.get(role))) for role in ("text", "pair", "id"))
        if label is not None and not (text or pair) and not _string(row.values.get(roles["label"], "x")):
            reader.reject(row.origin, "a row without text and label", f"a text in column {roles['text']!r}",
                          "remove it")
            continue
        found, value = (True, None) if label is None else label(row)
        if not found:
            continue
        reader.report.empty_texts += not (text or pair)
        examples.append(TextExample(text, pair if "pair" in roles else None, value, name, row.origin))
    return examples


def _string(value: Any) -> str:
    """A value as text without blanks at its ends; JSON's null is an empty text."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple)):
        return " ".join(map(_string, value))
    return str(value).strip(" \t\r\n")


def _label_reader(table: Table, column: str | None, reader: Reader):
    """A function from a row to (True if it could be read, label); None for a table without labels."""
    kind = reader.reading.label_kind
    if column is None or (column in table.columns and _unlabelled(table, column, kind)):
        return None
    if kind == "number":
        return lambda row: _number(row, column, reader)
    if kind == "multi" and column not in table.columns:
        return lambda row: _indicators(row, column.split(","), reader)
    if kind == "multi":
        separator = reader.reading.label_separator or _separator(table, column)
        return lambda row: (True, _several(row.values.get(column), separator))
    if kind != "class":
        raise ValueError(f"label_kind {kind!r}: expected class, multi or number")
    return lambda row: _class(row, column, reader)


def _unlabelled(table: Table, column: str, kind: str) -> bool:
    """Returns True if the column holds no labels: all values are null or, for classes, -1."""
    values = {_string(row.values.get(column)) if row.values.get(column) is not None else None for row in table.rows}
    return values <= {None, "-1"} if kind != "number" else values <= {None}


def _class(row: Row, column: str, reader: Reader) -> tuple[bool, str | None]:
    label = _string(row.values.get(column))
    if label and not (label == "-" and normalise(column) == "gold_label"):
        return True, label
    found = "no label" if not label else "gold label '-': the annotators did not agree"
    reader.reject(row.origin, found, f"a label in column {column!r}", "correct the row")
    return False, None


def _number(row: Row, column: str, reader: Reader) -> tuple[bool, float | None]:
    value = row.get(column)
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if math.isfinite(number):
        return True, number
    reader.reject(row.origin, f"{shorten('' if value is None else value)} in column {column!r}", "a number",
                  "correct the row, or give --label-column")
    return False, None


def _separator(table: Table, column: str) -> str:
    """The first separator found in any label, else `,`."""
    values = [value for row in table.rows if isinstance(value := row.values.get(column), str)]
    return next((mark for mark in _SEPARATORS if any(mark in value for value in values)), ",")


def _several(value: Any, separator: str) -> tuple[str, ...]:
    parts = value if isinstance(value, (list, tuple)) else _string(value).split(separator)
    return tuple(dict.fromkeys(label for part in parts if (label := _string(part))))


def _indicators(row: Row, columns: list[str], reader: Reader) -> tuple[bool, tuple[str, ...]]:
    """The names of the columns, one for each class, that contain a 1."""
    labels = []
    for column in columns:
        value = _string(row.values.get(column)).lower()
        if value not in ("0", "1", "0.0", "1.0", "true", "false"):
            reader.reject(row.origin, f"{shorten(value)} in column {column!r}", "0 or 1")
            return False, ()
        labels += [column] if value in ("1", "1.0", "true") else []
    return True, tuple(labels)


def tagged_examples(table: Table, reader: Reader) -> list[TaggedExample]:
    """Sentences from lists of words and of tags, or from strings that separate them by blanks."""
    roles = tag_columns(table, reader.reading)
    reader.report.columns.update(roles)
    tagged = "tags" in roles and any(row.values.get(roles["tags"]) is not None for row in table.rows)
    examples = []
    for row in table.rows:
        words = _words(row.values.get(roles["tokens"]))
        tags = _words(row.values.get(roles["tags"])) if tagged else None
        if words is None or (tagged and tags is None):
            reader.reject(row.origin, f"columns {', '.join(row.values)}", f"words in {roles['tokens']!r}" +
                          (f" and tags in {roles['tags']!r}" if tagged else ""))
            continue
        if tags is not None and len(tags) != len(words):
            reader.reject(row.origin, f"{len(words)} words and {len(tags)} tags", "a tag for each word")
            continue
        reader.report.empty_texts += not words
        name = _string(row.get(roles.get("id")))
        examples.append(TaggedExample(tuple(words), None if tags is None else tuple(tags), name, row.origin))
    return examples


def _words(value: Any) -> list[str] | None:
    if isinstance(value, str):
        return [word for word in value.split(" ") if word]
    return [str(word) for word in value] if isinstance(value, (list, tuple)) else None


def target_examples(table: Table, reader: Reader) -> list[TargetExample]:
    """Texts with their target texts; the targets are None if no column has them."""
    roles = target_columns(table, reader.reading)
    reader.report.columns.update(roles)
    log.info("%s: %s", table.name, ", ".join(f"{role} is column {column!r}" for role, column in roles.items()))
    column = roles.get("target")
    given = column is not None and any(row.values.get(column) is not None for row in table.rows)
    examples = []
    for row in table.rows:
        text, name = (_string(row.get(roles.get(role))) for role in ("text", "id"))
        target = _string(row.get(column)) if given else None
        if given and not target:
            reader.reject(row.origin, "no target" if text else "a row without text and target",
                          f"a text in column {column!r}")
            continue
        reader.report.empty_texts += not text
        examples.append(TargetExample(text, target, name, row.origin))
    return examples

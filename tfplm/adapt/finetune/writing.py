"""Writing of predictions: JSON lines, a JSON list, or TSV."""

import dataclasses
import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path

from tfplm.core.files import write_text

FORMATS = (".jsonl", ".json", ".tsv")


def rows_of(predictions: list[dict], examples: list) -> Iterable[dict]:
    """Each prediction with the inputs of its example; if the prediction is a text, the input text is its `source`."""
    for prediction, example in zip(predictions, examples):
        given = {field.name: value for field in dataclasses.fields(example)
                 if (value := getattr(example, field.name)) is not None
                 and field.name in ("id", "text", "pair", "words", "question") and (value or field.name != "id")}
        if "text" in given and "text" in prediction:
            given = {"source" if name == "text" else name: value for name, value in given.items()}
        yield {**given, **prediction}


def write_predictions(path: str | os.PathLike | None, predictions: list[dict], examples: list) -> None:
    """Writes predictions to a file, in the format of its suffix; path=None: to standard output, as TSV if that is a
    terminal, else as JSON lines.

    In TSV, nested values are JSON, and tabs and line breaks in texts become spaces.
    """
    rows = list(rows_of(predictions, examples))
    if path is None:
        sys.stdout.write(_text(rows, ".tsv" if sys.stdout.isatty() else ".jsonl"))
        return
    path = Path(path)
    check_format(path)
    write_text(path, _text(rows, path.suffix))


def check_format(path: Path) -> None:
    """Raises ValueError if the file name has no suffix of a known format."""
    if path.suffix not in FORMATS:
        raise ValueError(f"{path} has the suffix {path.suffix!r}; expected {', '.join(FORMATS)}: change --output")


def _text(rows: list[dict], suffix: str) -> str:
    if suffix == ".json":
        return json.dumps(rows, ensure_ascii=False, indent=1) + "\n"
    if suffix == ".jsonl":
        return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    names = list(dict.fromkeys(name for row in rows for name in row))
    lines = [names, *([_cell(row.get(name, "")) for name in names] for row in rows)]
    return "".join("\t".join(line) + "\n" for line in lines)


def _cell(value) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return " ".join(text.split()) if isinstance(value, str) else text

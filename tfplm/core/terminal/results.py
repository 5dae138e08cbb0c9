"""The results of a verb: a table for people, JSON for programs."""

import contextlib
import json
import math
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from tfplm.core.files import write_text
from tfplm.core.outputs import check_file, writing_file

FORMATS = (".jsonl", ".json", ".tsv")
SHORT, LONGEST_WORD, COLUMN_GAP = 24, 45, 3  # letters


def for_people() -> bool:
    """Returns True if standard output is a terminal or a notebook."""
    return "ipykernel" in sys.modules or (sys.stdout is not None and sys.stdout.isatty())


class Results:
    """Shows rows, which are dicts, as they come: at a terminal as a table or as text, otherwise as JSON lines.

        with Results(options.json, options.output, as_text=lambda row: f"{row['cosine']:.2f}") as results:
            results.show({"cosine": 0.83})

    Args:
        json: JSON at a terminal as well.
        output: a file to write instead, .jsonl, .json (one list) or .tsv.
        as_text: the text of a row for people, printed at once; None: a table of all rows, printed at the end.
        cells: changes a row for that table.
        text_in_pipes: show text instead of JSON, unless `json` asks for it, even if the output is not a terminal.
        overwrite: write the file again, if it exists.

    Attributes:
        for_people: whether rows are shown as text or as a table.

    Raises:
        ValueError: the suffix of the file is not one of `FORMATS`.
        FileExistsError: the file exists, unless `overwrite`.
    """

    def __init__(self, json: bool = False, output: str | os.PathLike | None = None,
                 as_text: Callable[[dict], str] | None = None, cells: Callable[[dict], dict] | None = None,
                 text_in_pipes: bool = False, overwrite: bool = False):
        check_output(output, overwrite)
        self.path, self._writing = Path(output) if output else None, contextlib.ExitStack()
        self.overwrite = overwrite
        self.for_people = not json and self.path is None and (text_in_pipes or for_people())
        self.as_text, self.cells = as_text, cells or (lambda row: row)
        self.rows: list[dict] = []

    def show(self, row: dict) -> None:
        """Prints a row, or keeps it for the table or the file."""
        if self.path is not None:
            self.rows.append(row)
        elif not self.for_people:
            print(as_json(row), flush=True)
        elif self.as_text is not None:
            print(self.as_text(row), flush=True)
        else:
            self.rows.append(self.cells(row))

    def __enter__(self):
        if self.path is not None:
            self._writing.enter_context(writing_file(self.path, self.overwrite))
        return self

    def __exit__(self, kind, error, traceback):
        with self._writing:
            if self.path is not None and error is None:
                write_text(self.path, rows_as_text(self.rows, self.path.suffix))
        if self.path is None and self.rows:
            print_table(self.rows)


def show_scores(scores: dict[str, float], json: bool = False) -> None:
    """Shows numbers by name: at a terminal a table with four decimals, otherwise one JSON object."""
    if json or not for_people():
        print(as_json(scores), flush=True)
    else:
        print_table({"score": name, "value": f"{value:.4f}"} for name, value in scores.items())


def probability(value: float) -> str:
    """A probability for people: two decimals, `<0.01` for a small one."""
    return "<0.01" if 0 < value < 0.005 else f"{value:.2f}"


def as_json(row: dict) -> str:
    """One line of JSON; numbers that JSON does not have (NaN, infinity) become null."""
    try:
        return json.dumps(row, ensure_ascii=False, allow_nan=False)
    except ValueError:
        return json.dumps(_finite(row), ensure_ascii=False)


def _finite(value):
    if isinstance(value, dict):
        return {name: _finite(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def check_output(output: str | os.PathLike | None, overwrite: bool) -> None:
    """Raises ValueError if the file's name has no suffix of a known format, and FileExistsError if it exists."""
    if output and Path(output).suffix not in FORMATS:
        raise ValueError(f"{output} has the suffix {Path(output).suffix!r}; expected {', '.join(FORMATS)}: change --output")
    if output:
        check_file(output, overwrite)


def rows_as_text(rows: list[dict], suffix: str) -> str:
    """The content of a file in one of `FORMATS`: JSON lines, a JSON list, or tab-separated values with a header.

    In TSV, nested values are JSON, and tabs and line breaks in texts become spaces.
    """
    if suffix == ".json":
        return json.dumps(_finite(rows), ensure_ascii=False, indent=1) + "\n"
    if suffix == ".jsonl":
        return "".join(as_json(row) + "\n" for row in rows)
    names = _names(rows)
    lines = [names, *([_tsv_cell(row.get(name, "")) for name in names] for row in rows)]
    return "".join("\t".join(line) + "\n" for line in lines)


def print_table(rows: Iterable[dict]) -> None:
    """Prints rows as a table with one column for each key; numbers are aligned at the right, None is empty.

    Fractions have four significant digits: pass a text for another form. Without colours if NO_COLOR is set. Long texts
    are wrapped. Those of up to `SHORT` letters, and words of up to `LONGEST_WORD`, are not broken, even if the table
    becomes wider than the terminal.
    """
    from rich import box
    from rich.cells import cell_len
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    rows = list(rows)
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False,
                  header_style="" if os.environ.get("NO_COLOR") else "bold")
    width = -COLUMN_GAP
    for name in _names(rows):
        values = [row.get(name) for row in rows]
        table.add_column(Text(name), overflow="fold",
                         justify="right" if all(map(_is_number, values)) else "left")
        texts = [name, *map(_cell, values)]
        words = [word for text in texts for word in ([text] if len(text) <= SHORT else text.split())]
        width += min(LONGEST_WORD, max(map(cell_len, words), default=0)) + COLUMN_GAP
    for row in rows:
        table.add_row(*(Text(_cell(row.get(name))) for name in _names(rows)))
    console = Console(file=sys.stdout, highlight=False, force_jupyter=False)
    console.width = max(console.width, width)
    console.print(table)


def _names(rows: list[dict]) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row))


def _is_number(value) -> bool:
    if isinstance(value, str):
        value = value.rstrip(" %").replace(",", "")
        try:
            float(value)
        except ValueError:
            return not value
        return True
    return value is None or isinstance(value, int | float)


def _cell(value) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return "".join(c if c.isprintable() else " " for c in text)  # no escape sequences of a text reach the terminal


def _tsv_cell(value) -> str:
    return " ".join(value.split()) if isinstance(value, str) else json.dumps(value, ensure_ascii=False)

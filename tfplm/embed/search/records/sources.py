"""Readers of text files, question-answer files and JSON lines as rows of a search index."""

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tfplm.data.text.text_files import read_lines
from tfplm.embed.search.records.row import Row

TEXT_FIELDS = ("question", "query", "text", "sentence", "title", "content")
_SUFFIXES = {".tsv": "tsv", ".tab": "tsv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl"}


class Source(NamedTuple):
    """A file of rows.

    name: a path, or "-". form: "auto", "text", "tsv" or "jsonl". text_field: None for the first of `TEXT_FIELDS`.
    """

    name: str
    form: str = "auto"
    text_field: str | None = None
    encoding: str = "utf-8"

    @property
    def key(self) -> str | None:
        """A key that changes with the file's content; None for standard input."""
        if self.name == "-":
            return None
        stat = os.stat(self.name)
        content = [str(Path(self.name).resolve()), stat.st_size, stat.st_mtime_ns, *self[1:]]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()

    def rows(self, start: int = 0) -> Iterator[tuple[int, Row]]:
        """(line number, row) of the lines after the first `start`; blank lines are skipped.

        Raises ValueError, with file and line, for a line that does not have the form.
        """
        name = self.name.removesuffix(".gz")
        form = _SUFFIXES.get(Path(name).suffix.lower(), "text") if self.form == "auto" else self.form
        names = None
        for number, line in enumerate(read_lines(self.name, self.encoding, longest=-1), 1):
            if form == "tsv" and number == 1 and (names := self._header(line)):
                continue
            if number > start and line.strip():
                yield number, self._row(line, form, f"{self.name}:{number}", names)

    def _header(self, line: str) -> list[str] | None:
        names = [name.strip() for name in line.split("\t")]
        wanted = (self.text_field,) if self.text_field else TEXT_FIELDS
        known = all(name.isidentifier() for name in names) and len(names) > 1
        return names if known and set(wanted) & set(names) else None

    def _row(self, line: str, form: str, where: str, names: list[str] | None) -> Row:
        if form == "text":
            return Row(where, line, {})
        if form == "tsv":
            cells = line.split("\t")
            if names is None:
                if len(cells) < 2:
                    raise ValueError(f"{where}: no tab between a question and its answer: {line[:60]!r}; is it a text "
                                     "file (--format text)?")
                extra = {f"column_{number}": cell for number, cell in enumerate(cells[2:], 3)}
                return Row(where, cells[0], {"answer": cells[1], **extra})
            if len(cells) != len(names):
                raise ValueError(f"{where}: {len(cells)} columns, expected {len(names)} as in the first line; correct "
                                 "the line")
            return self._named(dict(zip(names, cells)), where)
        try:
            value = json.loads(line)
        except json.JSONDecodeError as error:
            raise ValueError(f"{where}: not a line of JSON ({error})") from None
        if isinstance(value, str):
            return Row(where, value, {})
        if not isinstance(value, dict):
            raise ValueError(f"{where}: expected an object or a string on each line, found {line[:40]!r}")
        return self._named(value, where)

    def _named(self, fields: dict, where: str) -> Row:
        wanted = (self.text_field,) if self.text_field else TEXT_FIELDS
        named = [name for name in wanted if isinstance(fields.get(name), str)]
        if not named:
            raise ValueError(f"{where}: none of the fields {', '.join(fields) or '(none)'} is a text named "
                             f"{' or '.join(wanted)}: give the field to encode with --text-field")
        payload = {name: value for name, value in fields.items() if name not in (named[0], "id")}
        return Row(str(fields["id"]) if fields.get("id") not in (None, "") else where, fields[named[0]], payload)

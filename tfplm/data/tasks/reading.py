"""What reading a labelled file brought to light, and what readers of all formats have in common.

`Reading`, the choices of the caller, lies with the options of the verbs; it is imported here for use beside `Report`.
"""

import dataclasses
import logging
from typing import Any, Literal

from tfplm.options.reading import Reading

Kind = Literal["text", "tagging", "question", "choice", "target"]
log = logging.getLogger(__name__)
_KEPT_REASONS = 5


@dataclasses.dataclass
class Report:
    """What was read. `columns`: role -> column; `reasons`: the first messages about rows that were left out."""

    rows: int = 0
    skipped: int = 0
    empty_texts: int = 0
    reasons: list[str] = dataclasses.field(default_factory=list)
    columns: dict[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass
class Row:
    """A row of any file: `origin` is "file:line"; the values are strings, or what JSON has."""

    origin: str
    values: dict[str, Any]

    def get(self, column: str | None) -> Any:
        """The value in a column; None where the row has none, or there is no such column."""
        return None if column is None else self.values.get(column)


@dataclasses.dataclass
class Table:
    """Rows with the same columns. `named`: the columns have names of their own rather than numbers."""

    name: str
    columns: list[str]
    rows: list[Row]
    named: bool = True


@dataclasses.dataclass
class Reader:
    """A reading and its report: what every reader of a format is given."""

    reading: Reading = dataclasses.field(default_factory=Reading)
    report: Report = dataclasses.field(default_factory=Report)

    def reject(self, origin: str, found: str, expected: str, to_do: str = "correct the row") -> None:
        """ValueError about a bad row, or with `skip_bad_rows` one more that is counted."""
        message = f"{origin}: found {found}, expected {expected}; {to_do}, or leave such rows out with --skip-bad-rows"
        if not self.reading.skip_bad_rows:
            raise ValueError(message)
        self.report.skipped += 1
        if len(self.report.reasons) < _KEPT_REASONS:
            self.report.reasons.append(message.partition("; ")[0])

    def summarise(self, name: str) -> None:
        """Logs what is worth knowing at the end of a file."""
        if self.report.skipped:
            log.warning("%s: %d bad rows left out, %d kept; the first: %s", name, self.report.skipped,
                        self.report.rows, " | ".join(self.report.reasons))
        if self.report.empty_texts:
            log.warning("%s: %d rows have an empty text", name, self.report.empty_texts)


def shorten(value: Any, width: int = 60) -> str:
    """A value in quotes, cut to a width that fits a message."""
    text = str(value)
    return repr(text if len(text) <= width else text[:width - 3] + "...")


__all__ = ["Kind", "Reader", "Reading", "Report", "Row", "Table", "shorten"]

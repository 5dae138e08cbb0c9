"""Tables, rows and the report that the readers of all formats share.

`Reading`, the settings of the caller, is defined with the options of the verbs and re-exported here.
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
    """Counts of the rows read. `columns`: role -> column; `reasons`: the first messages about skipped rows."""

    rows: int = 0
    skipped: int = 0
    empty_texts: int = 0
    reasons: list[str] = dataclasses.field(default_factory=list)
    columns: dict[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass
class Row:
    """A row of any file: `origin` is "file:line"; the values are strings or JSON values."""

    origin: str
    values: dict[str, Any]

    def get(self, column: str | None) -> Any:
        """The value in a column; None where the row has none, or there is no such column."""
        return None if column is None else self.values.get(column)


@dataclasses.dataclass
class Table:
    """Rows with the same columns. `named`: the columns have names; otherwise they are numbered."""

    name: str
    columns: list[str]
    rows: list[Row]
    named: bool = True


@dataclasses.dataclass
class Reader:
    """The settings and the report that are passed to the reader of every format."""

    reading: Reading = dataclasses.field(default_factory=Reading)
    report: Report = dataclasses.field(default_factory=Report)

    def reject(self, origin: str, found: str, expected: str, to_do: str = "correct the row") -> None:
        """Raises ValueError for a bad row, or counts it with `skip_bad_rows`."""
        message = f"{origin}: found {found}, expected {expected}; {to_do}, or skip such rows with --skip-bad-rows"
        if not self.reading.skip_bad_rows:
            raise ValueError(message)
        self.report.skipped += 1
        if len(self.report.reasons) < _KEPT_REASONS:
            self.report.reasons.append(message.partition("; ")[0])

    def summarise(self, name: str) -> None:
        """Logs warnings about skipped rows and empty texts."""
        if self.report.skipped:
            log.warning("%s: %d bad rows skipped, %d kept; the first: %s", name, self.report.skipped,
                        self.report.rows, " | ".join(self.report.reasons))
        if self.report.empty_texts:
            log.warning("%s: %d rows have an empty text", name, self.report.empty_texts)


def shorten(value: Any, width: int = 60) -> str:
    """A value in quotes, shortened for a message."""
    text = str(value)
    return repr(text if len(text) <= width else text[:width - 3] + "...")


__all__ = ["Kind", "Reader", "Reading", "Report", "Row", "Table", "shorten"]

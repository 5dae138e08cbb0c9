"""How a labelled file is to be read, and what reading it brought to light."""

import dataclasses
import logging
from typing import Any, Literal

from tfplm.options.base import flag

Kind = Literal["text", "tagging", "question", "choice", "target"]
log = logging.getLogger(__name__)
_KEPT_REASONS = 5


@dataclasses.dataclass(frozen=True)
class Reading:
    """What a reader cannot, or shall not, find out by itself. Columns are names, or numbers from 0 on, as strings."""

    text_column: str | None = flag(None, "column of the text (name, or number from 0; default: found out)")
    pair_column: str | None = flag(None, "column of the second text of a pair")
    label_column: str | None = flag(None, "column of the label; several, separated by commas, where each is a class of "
                                          "its own with 0 or 1 (--label-kind multi)")
    target_column: str | None = flag(None, "column of the text to be written (translation, summary)")
    tag_column: str | None = flag(None, "column of the tags (CoNLL: a number, -1 is the last one)")
    id_column: str | None = flag(None, "column that names the rows")
    split_column: str | None = flag(None, "column that says train, dev or test (also tr, va, te), for files that hold "
                                          "all of them")
    header: Literal["auto", "yes", "no"] = flag("auto", "whether the first line has the columns' names")
    delimiter: str | None = flag(None, "what separates columns (default: by the file's name and contents)")
    quoting: Literal["auto", "none", "csv"] = flag("auto", "none: quotes are part of the text; csv: RFC 4180 "
                                                           "(auto: csv where commas or semicolons separate)")
    label_kind: Literal["class", "multi", "number"] = flag("class", "one class a row, several, or a number")
    label_separator: str | None = flag(None, "what separates several labels (default: found out among | , ;)")
    label_names: str | None = flag(None, "file with the names of labels that are numbers, in order (default: "
                                         "class.txt, classes.txt, labels.txt, mapping.txt beside the data; none: no)")
    strip_segmentation: Literal["auto", "yes", "no"] = flag("auto", "CoNLL files whose characters carry a word "
                                                                    "position (Weibo NER): drop it")
    encoding: str = flag("utf-8", "encoding of the files")
    skip_bad_rows: bool = flag(False, "leave out rows that cannot be read, and count them")


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

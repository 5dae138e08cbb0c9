"""TSV and CSV files as tables."""

import collections
import csv
import itertools
from collections.abc import Iterator

from tfplm.data.tasks.columns import looks_like_header
from tfplm.data.tasks.reading import Reader, Row, Table, shorten
from tfplm.data.text.text_files import read_lines

_SAMPLE = 200  # the number of rows from which the number of columns and the header are guessed
_DELIMITERS = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "space": " "}


def read_table(name: str, reader: Reader) -> Table:
    """Reads the rows of a delimited text file. Rows whose number of columns differs from that of most are bad rows.

    Raises ValueError for an empty file, and for a header without rows.
    """
    lines = list(read_lines(name, reader.reading.encoding, longest=-1))
    if not any(line.strip() for line in lines):
        raise ValueError(f"{name}: the file is empty; expected labelled rows")
    delimiter = _delimiter(name, lines, reader)
    cells = list(split_rows(name, lines, delimiter, reader))
    cells = _strip_blank_end(cells)
    width = _width([row for _, row in cells[:_SAMPLE]], reader)
    rows = list(_same_width(name, cells, width, delimiter, reader))
    sample = [row for _, row in rows[:_SAMPLE]]
    header = reader.reading.header == "yes" or (reader.reading.header == "auto" and looks_like_header(sample))
    if not header:
        return _table(name, [str(i) for i in range(width)], rows, named=False)
    if len(rows) == 1:
        raise ValueError(f"{name}: found a header line ({', '.join(rows[0][1])}) and no row below it; expected rows. "
                         "Give --header no if the line is a row")
    return _table(name, _names(rows[0][1]), rows[1:], named=True)


def split_rows(name: str, lines: list[str], delimiter: str | None, reader: Reader) -> Iterator[tuple[int, list[str]]]:
    """(line number, cells) of every row; a quoted cell of a CSV file may span several lines."""
    quoting = reader.reading.quoting
    if delimiter is None:
        yield from ((number, [line]) for number, line in enumerate(lines, 1))
    elif quoting == "none" or (quoting == "auto" and delimiter not in ",;"):
        yield from ((number, line.split(delimiter)) for number, line in enumerate(lines, 1))
    else:
        csv.field_size_limit(2**31 - 1)  # the default refuses texts of more than 131,072 characters
        rows = csv.reader((line + "\n" for line in lines), delimiter=delimiter, strict=True)
        start = 1
        while True:
            try:
                yield start, next(rows) or [""]
            except StopIteration:
                return
            except csv.Error as error:
                reader.reject(f"{name}:{start}", f"a broken quoted cell ({error})", "RFC 4180: quotes closed, and "
                              "doubled within", "correct it, give --quoting none if quotes are part of the text")
                if "unexpected end" in str(error):
                    return
            start = rows.line_num + 1


def _delimiter(name: str, lines: list[str], reader: Reader) -> str | None:
    """The column separator; None for a file with one column."""
    if given := reader.reading.delimiter:
        given = _DELIMITERS.get(given, given)
        if len(given) != 1:
            raise ValueError(f"--delimiter {given!r}: expected one character, or tab")
        return given
    ending = name.lower().removesuffix(".gz").rpartition(".")[2]
    head = [line for line in lines[:_SAMPLE] if line.strip()]
    if sum("\t" in line for line in head) > len(head) / 2:
        return "\t"
    if ending == "csv":
        return ";" if ";" in head[0] and "," not in head[0] else ","
    if ending != "tsv" and "," in head[0] and looks_like_header([head[0].split(",")]):
        return ","
    return None


def _strip_blank_end(cells: list[tuple[int, list[str]]]) -> list[tuple[int, list[str]]]:
    """Drops the blank lines after the last row, except in a file with one column, where they are empty texts."""
    if all(len(row) == 1 for _, row in cells):
        return cells
    end = len(cells)
    while len(cells[end - 1][1]) == 1 and not cells[end - 1][1][0].strip():
        end -= 1
    return cells[:end]


def _width(sample: list[list[str]], reader: Reader) -> int:
    """The number of columns of the header if there is one, else of most rows."""
    if reader.reading.header == "yes" or (reader.reading.header == "auto" and looks_like_header(sample[:1])):
        return len(sample[0])
    counts = collections.Counter(map(len, sample))
    return max(counts, key=lambda width: (counts[width], width))


def _same_width(name: str, cells, width: int, delimiter: str | None, reader: Reader) -> Iterator[tuple[int, list[str]]]:
    for number, row in cells:
        if len(row) > width and not any(cell.strip() for cell in row[width:]):
            row = row[:width]
        if len(row) == width:
            yield number, row
        elif len(row) == 1 and not row[0].strip():
            reader.reject(f"{name}:{number}", "a blank line", f"{width} columns", "remove it")
        else:
            text = shorten((delimiter or "").join(row))
            reader.reject(f"{name}:{number}", f"{len(row)} columns in {text}", f"{width}",
                          "correct the row, give --quoting csv or none if quotes are misread")


def _names(header: list[str]) -> list[str]:
    """The names in the header; an empty or repeated one gets its index appended."""
    seen = collections.Counter(cell.strip() for cell in header)
    return [cell.strip() if cell.strip() and seen[cell.strip()] == 1 else f"{cell.strip()}{index}"
            for index, cell in enumerate(header)]


def _table(name: str, columns: list[str], rows: list[tuple[int, list[str]]], named: bool) -> Table:
    return Table(name, columns, [Row(f"{name}:{number}", dict(zip(columns, row))) for number, row in rows], named)


def lines_table(names: list[str], columns: list[str], reader: Reader) -> Table:
    """Reads parallel files as the columns of one table: line i of all files is row i.

    Raises ValueError if their numbers of lines differ.
    """
    files = [list(read_lines(name, reader.reading.encoding, longest=-1)) for name in names]
    counts = [len(lines) for lines in files]
    if len(set(counts)) > 1:
        found = ", ".join(f"{name}: {count}" for name, count in zip(names, counts))
        raise ValueError(f"parallel files need equally many lines; found {found}")
    if not any(line.strip() for lines in files for line in lines):
        raise ValueError(f"{', '.join(names)}: the files are empty; expected one row per line")
    rows = [Row(f"{names[0]}:{number}", dict(zip(columns, cells)))
            for number, cells in zip(itertools.count(1), zip(*files))]
    return Table(",".join(names), columns, rows)

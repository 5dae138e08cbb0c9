"""CoNLL files: one word and its tag per line, a blank line between sentences."""

import collections
import logging
import re
from collections.abc import Iterator

from tfplm.data.tasks.reading import Reader, Row, Table
from tfplm.data.text.text_files import read_lines

log = logging.getLogger(__name__)
_SAMPLE = 500  # the number of lines from which the number of columns is guessed
_SENTENCES = 20  # the number of sentences inspected for word positions on characters


def read_conll(name: str, reader: Reader) -> Table:
    """Reads a table with columns `tokens` and, unless the file has only words, `tags`: lists of str, one row a sentence.

    Columns are separated by tabs or, if there are none, by spaces; by default the first column is the word and the last
    one the tag (CoNLL-U: the second, and the universal part of speech). `-DOCSTART-` lines and CoNLL-U comments are
    skipped. A sentence with a bad line is a bad row as a whole.
    """
    lines = list(read_lines(name, reader.reading.encoding, longest=-1))
    full = [line for line in lines if line.strip(" \t")]
    if not full:
        raise ValueError(f"{name}: the file is empty; expected a word and its tag on each line")
    tabs = sum("\t" in line for line in full[:_SAMPLE]) > len(full[:_SAMPLE]) / 2
    layout = _layout(name, [_cells(line, tabs) for line in full[:_SAMPLE] if not _is_comment(line, tabs)], reader)
    rows = []
    for sentence in _sentences(lines, tabs):
        if row := _row(name, sentence, layout, reader):
            rows.append(row)
    if _has_positions(rows, reader.reading.strip_segmentation):
        log.info("%s: each character carries its position in the word (%s); dropped", name,
                 rows[0].values["tokens"][0])
        for row in rows:
            row.values["tokens"] = [re.sub(r"(?<=.)\d+$", "", token) for token in row.values["tokens"]]
    return Table(name, ["tokens", "tags"] if layout[2] is not None else ["tokens"], rows)


def _is_comment(line: str, tabs: bool) -> bool:
    return line.startswith("-DOCSTART-") or (tabs and line.startswith("#") and "\t" not in line)


def _cells(line: str, tabs: bool) -> list[str]:
    if tabs:
        return line.split("\t")
    # not str.split(): in Chinese files the full-width space is an ordinary character
    return re.split(r"[ \t]+", line.rstrip(" \t"))


def _layout(name: str, sample: list[list[str]], reader: Reader) -> tuple[int, int, int | None]:
    """(columns, column of the word, column of the tag)."""
    width = collections.Counter(map(len, sample)).most_common(1)[0][0] if sample else 1
    universal = width == 10 and all(re.fullmatch(r"\d+([-.]\d+)?", cells[0]) for cells in sample if len(cells) == 10)
    word = _column(name, reader.reading.text_column, width, 1 if universal else 0, "text-column")
    tag = _column(name, reader.reading.tag_column or reader.reading.label_column, width, 3 if universal else width - 1,
                  "tag-column")
    return width, word, None if width == 1 else tag


def _column(name: str, given: str | None, width: int, default: int, flag: str) -> int:
    if given is None:
        return default
    if not re.fullmatch(r"-?\d+", given) or not -width <= int(given) < width:
        raise ValueError(f"{name}: --{flag} {given}: expected a number from 0 to {width - 1} (the file has {width} "
                         "columns), or -1 for the last one")
    return int(given) % width


def _sentences(lines: list[str], tabs: bool) -> Iterator[list[tuple[int, list[str]]]]:
    """(line number, cells) of the lines between two blank lines."""
    sentence = []
    for number, line in enumerate([*lines, ""], 1):
        if line.strip(" \t"):
            if not _is_comment(line, tabs):
                sentence.append((number, _cells(line, tabs)))
        elif sentence:
            yield sentence
            sentence = []


def _row(name: str, sentence: list[tuple[int, list[str]]], layout: tuple, reader: Reader) -> Row | None:
    width, word, tag = layout
    words, tags = [], []
    for number, cells in sentence:
        if width == 10 and word == 1 and not cells[0].isdecimal():
            continue  # CoNLL-U: ranges of split words, and words that are not in the text
        if not all((len(cells) == width, tag is None or cells[tag % len(cells)].strip())):
            found = f"{len(cells)} columns" if len(cells) != width else "no tag"
            reader.reject(f"{name}:{number}", f"{found} in {' '.join(cells)!r}", f"{width} columns" + (
                "" if tag is None else ", a word and its tag among them"), "correct the line (a blank one ends a sentence)")
            return None
        words.append(cells[word].strip(" ") or " ")  # the word of a line that starts with its separator is a space
        if tag is not None:
            tags.append(cells[tag].strip())
    values = {"tokens": words} if tag is None else {"tokens": words, "tags": tags}
    return Row(f"{name}:{sentence[0][0]}", values)


def _has_positions(rows: list[Row], wanted: str) -> bool:
    """Returns True if each token is one character followed by its position in the word."""
    if wanted == "no" or not rows:
        return False
    sample = [token for row in rows[:_SENTENCES] for token in row.values["tokens"]]
    return wanted == "yes" or (any(not token[0].isascii() for token in sample)
                               and all(re.fullmatch(r".\d+", token) for token in sample))

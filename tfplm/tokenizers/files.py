"""Reading of vocabulary files as editors, scripts and other libraries leave them."""

import codecs
import itertools
import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path

Finding = tuple[int, int, str]  # how many lines have something unusual, the index of the first of them, and what it is

_LOG = logging.getLogger(__name__)
_MARKS = {codecs.BOM_UTF32_LE: "UTF-32", codecs.BOM_UTF32_BE: "UTF-32", codecs.BOM_UTF16_LE: "UTF-16",
          codecs.BOM_UTF16_BE: "UTF-16"}  # UTF-32 first, because the mark of UTF-16 is the start of its mark
_BLANK = " \t\r"
# a column of ids, counts or scores behind the tokens, or before them as `uniq -c` writes it
_COLUMNS = (re.compile(r"(?P<token>.*?)[\t ]+(?P<number>[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)[\t ]*"),
            re.compile(r"[\t ]*(?P<number>\d+)[\t ]+(?P<token>[^\t ].*)"))


def read_text(path: Path) -> str:
    """Reads a file as UTF-8, without a byte-order mark. Raises ValueError if it is in another encoding."""
    data = path.read_bytes()
    for mark, name in _MARKS.items():
        if data.startswith(mark):
            raise ValueError(f"{path} is {name} text (it begins with that byte-order mark), UTF-8 is expected: "
                             f"convert it, for example with iconv -f {name} -t UTF-8")
    if data[:4096].count(0) > len(data[:4096]) // 5:
        raise ValueError(f"{path} is not UTF-8 text (it has many zero bytes, as UTF-16 and binary files have): convert "
                         "it, or give the text file")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8 text ({error.reason} at byte {error.start}); the byte 0x"
                         f"{data[error.start]:02x} there may be Latin-1 or GBK: convert the file to UTF-8, for example "
                         "with iconv -f LATIN1 -t UTF-8") from error


def read_lines(path: Path) -> list[str]:
    """The lines of a UTF-8 file with the line ends LF, CRLF or CR; a line end at the end of the file starts none."""
    text = read_text(path).replace("\r\n", "\n")
    end = "\n" if "\n" in text else "\r"  # in files with LF, a CR is a part of its line
    return text.removesuffix(end).split(end)


def read_json(path: Path) -> dict:
    """Reads the object in a JSON file. Raises ValueError if it holds anything else."""
    try:
        found = json.loads(read_text(path))
    except (json.JSONDecodeError, RecursionError) as error:  # the latter: nested too deeply
        raise ValueError(f"{path} is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise ValueError(f"{path}: expected a JSON object, found {type(found).__name__}")
    return found


def read_ids(path: Path) -> dict[str, int]:
    """Reads a JSON object from tokens to ids. Raises ValueError if a value is no id."""
    found = read_json(path)
    for token, token_id in found.items():
        if isinstance(token_id, bool) or not isinstance(token_id, int) or token_id < 0:
            raise ValueError(f"{path}: the token {token!r} has {token_id!r}, expected its id, an integer from 0: "
                             "give a file from tokens to ids")
    return found


def read_vocab(path: Path) -> dict[str, int]:
    """Reads a `vocab.txt`: the token on line i has id i. Files of tokens and ids, as Baidu's, are supported as well.

    As in BERT's code, white space around a token is ignored, and of equal tokens the last one counts. Blank lines count
    as tokens, except those at the end of the file. A column of numbers that are no ids (counts, scores) is ignored.
    Whatever is unusual is logged as one line.
    """
    lines = read_lines(path)
    while lines and not lines[-1].strip(_BLANK):
        lines.pop()
    tokens, findings = lines, list[Finding]()
    divided = sum("\t" in line or " " in line for line in lines) > len(lines) // 2
    columns = max(([pattern.fullmatch(line) for line in lines] if divided else [] for pattern in _COLUMNS),
                  key=lambda matches: sum(map(bool, matches)))
    numbers = [match["number"] for match in columns if match]
    if divided and len(numbers) > len(lines) // 2:
        tokens = [match["token"] if match else line for line, match in zip(lines, columns)]
        if len(numbers) == len(lines) and _are_ids(numbers):
            return {token.strip(): int(number) for token, number in zip(tokens, numbers)}
        first = next(index for index, match in enumerate(columns) if match)
        findings.append((len(numbers), first, f"lines with a number beside the token ('{numbers[0]}'), which is taken for "
                                              "a count and ignored"))
    # a token of white space, as in the published Chinese vocabulary, is no blank line
    vocab = _by_line([token.strip() or token.strip(_BLANK) for token in tokens], findings)
    if findings:
        _LOG.warning("%s has %s; ids are the numbers of the lines", path, "; ".join(
            f"{count} {message} (the first on line {line + 1})" for count, line, message in findings))
    return vocab


def _are_ids(numbers: list[str]) -> bool:
    """Returns True for integers in ascending order from 0: counts are descending, or repeat themselves."""
    if not all(number.isdigit() for number in numbers):
        return False
    ids = [int(number) for number in numbers]
    return sorted(ids) == list(range(len(ids))) or (ids[0] == 0 and all(a < b for a, b in itertools.pairwise(ids)))


def _by_line(tokens: list[str], findings: list[Finding]) -> dict[str, int]:
    """The ids of tokens, their positions in the list."""
    vocab: dict[str, int] = {}
    repeated, blank, spaced = [], [], []
    for index, token in enumerate(tokens):
        if token in vocab:  # the last one wins; the id of the first is kept under a name that occurs in no text
            vocab[f"[duplicate {vocab[token]}]"] = vocab[token]
            if token:
                repeated.append(index)
        if not token:
            blank.append(index)
        elif len(token.split()) > 1:
            spaced.append(index)
        vocab[token] = index
    for found, message in ((blank, "blank lines, which take an id each"),
                           (repeated, "tokens that an earlier line has too, of which the last counts"),
                           (spaced, "tokens with white space inside, which match no text")):
        if found:
            findings.append((len(found), found[0], message))
    return vocab


def read_merges(path: Path) -> list[tuple[str, str]]:
    """Reads `merges.txt` or `vocab.bpe`: two pieces per line, in the order in which they are merged.

    A third column of counts, as in the files of subword-nmt and fastBPE, is ignored.
    """
    return list(_merges(path, read_lines(path)))


def _merges(path: Path, lines: list[str]) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(lines, 1):
        line = line.rstrip(" \t\r")
        if not line.strip() or (number == 1 and line.startswith("#version")):
            continue
        pieces = line.split(" ")
        if len(pieces) == 3 and pieces[2].isdigit():
            pieces.pop()
        if len(pieces) != 2 or not all(pieces):
            raise ValueError(f"{path}, line {number}: expected two pieces separated by a space, found '{line}'; give the "
                             "merges of the vocabulary")
        yield pieces[0], pieces[1]

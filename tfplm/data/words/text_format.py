"""The text format of word2vec, which GloVe (without its header) and fastText's `.vec` files share.

A line is a word and its numbers, separated by blanks. TensorFlow's CSV parser reads the numbers, on all cores.
"""

import codecs
import os
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import BinaryIO

import numpy as np

_CHUNK = 1 << 22  # bytes that are parsed at once
_AHEAD = 4  # chunks


def read(file: BinaryIO, path: str | os.PathLike, limit: int | None, only: frozenset[str] | None, encoding_errors: str
         ) -> tuple[list[str], np.ndarray]:
    """Words and vectors, float32 `[V, D]`; raises ValueError, with the line, for anything else."""
    chunks = _chunks(file)
    lines = next(chunks, [])
    if not lines:
        raise ValueError(f"{path} is empty; expected lines of a word and its numbers; give a file of word vectors")
    lines[0] = lines[0].removeprefix(codecs.BOM_UTF8)
    announced = _header(lines)
    width = _width(path, lines[1 if announced else 0:], announced)
    parser = _Parser(path, width, None if only is None else {word.encode() for word in only}, encoding_errors)
    words: list[str] = []
    blocks: list[np.ndarray] = []
    waiting: list[Future] = []
    first, wanted = 1, limit
    if announced:
        lines, first, wanted = lines[1:], 2, min(limit or announced[0], announced[0])

    def take():
        found, block = waiting.pop(0).result()
        words.extend(found)
        blocks.append(block)

    read_lines = 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for more in _with_first(lines, chunks):
            part = more if wanted is None else more[:wanted - read_lines]
            waiting.append(pool.submit(parser.parse, part, first + read_lines))
            read_lines += len(part)
            if len(waiting) >= _AHEAD:
                take()
            if len(part) < len(more) and announced and wanted == announced[0]:
                raise ValueError(f"{path}:{first + read_lines} is one line more than the {announced[0]:,} words of the "
                                 "header; expected its end: correct the first line, or delete it")
            if read_lines == wanted:
                break
        while waiting:
            take()
    if announced and wanted is not None and read_lines < wanted:
        raise ValueError(f"{path} has {read_lines:,} lines of words, expected {announced[0]:,} as its first line says: the "
                         "file is truncated, or its header is wrong; fetch it again, or correct the first line")
    return words, np.concatenate(blocks) if blocks else np.empty((0, width), np.float32)


def _with_first(lines: list[bytes], chunks: Iterator[list[bytes]]) -> Iterator[list[bytes]]:
    if lines:
        yield lines
    yield from chunks


def _chunks(file: BinaryIO) -> Iterator[list[bytes]]:
    """The lines of the file, many at a time, without empty lines at its end."""
    rest = b""
    while chunk := file.read(_CHUNK):
        lines = (rest + chunk).split(b"\n")
        rest = lines.pop()
        if lines:
            yield lines
    if rest.strip():
        yield [rest]


def _header(lines: list[bytes]) -> tuple[int, int] | None:
    """Number and size of the vectors, if the first line is a header."""
    cells = lines[0].split()
    if len(cells) != 2 or not all(cell.isdigit() for cell in cells):
        return None
    size = int(cells[1])
    if len(lines) > 1 and len(lines[1].split()) == 2 and size != 1:  # lines of a word and one number
        return None
    return int(cells[0]), size


def _width(path, lines: list[bytes], announced: tuple[int, int] | None) -> int:
    if announced is not None:
        if announced[1] < 1:
            raise ValueError(f"{path}:1 announces vectors of {announced[1]} numbers, expected at least 1: correct the "
                             "header")
        return announced[1]
    width = len(lines[0].rstrip().split(b" ")) - 1 if lines else 0
    if width < 1:
        raise ValueError(f"{path}:1 is {lines[0][:40].decode('utf-8', 'replace')!r}, expected a word and its numbers, "
                         "separated by blanks; give a file of word vectors")
    return width


class _Parser:
    """Parses lines to words and vectors. It has no state, so that several threads can use it."""

    def __init__(self, path, width: int, only: set[bytes] | None, encoding_errors: str):
        import tensorflow as tf

        self.path, self.width, self.only, self.encoding_errors = path, width, only, encoding_errors
        self.defaults = [tf.constant([], tf.string)] + [tf.constant([], tf.float64)] * width
        self.decode, self.error = tf.io.decode_csv, tf.errors.InvalidArgumentError

    def parse(self, lines: list[bytes], number: int) -> tuple[list[str], np.ndarray]:
        """number: that of the first line."""
        numbers = list(range(number, number + len(lines)))
        if self.only is not None:
            kept = [(line, at) for line, at in zip(lines, numbers, strict=True) if line.split(b" ", 1)[0] in self.only]
            lines, numbers = [line for line, _ in kept], [at for _, at in kept]
        lines = [line.rstrip() for line in lines]
        if not lines:
            return [], np.empty((0, self.width), np.float32)
        try:
            words, *columns = self.decode(lines, self.defaults, field_delim=" ", use_quote_delim=False)
        except self.error:
            self._explain(lines, numbers)
            raise
        table = np.empty((len(lines), self.width), np.float32)
        for index, column in enumerate(columns):
            table[:, index] = column.numpy()
        return self._decoded(words.numpy(), numbers), table

    def _decoded(self, words: np.ndarray, numbers) -> list[str]:
        try:
            return [word.decode("utf-8", self.encoding_errors) for word in words]
        except UnicodeDecodeError:
            for word, number in zip(words, numbers, strict=True):
                try:
                    word.decode()
                except UnicodeDecodeError:
                    raise ValueError(f"{self.path}:{number}: the word {word!r} is not UTF-8; expected a file in UTF-8: "
                                     "convert it, or load it with encoding_errors='replace'") from None
            raise

    def _explain(self, lines: list[bytes], numbers) -> None:
        for line, number in zip(lines, numbers, strict=True):
            word, *cells = line.decode("utf-8", "replace").split(" ")
            where = f"{self.path}:{number}: {word!r}"
            if len(cells) != self.width:
                spaces = ("; words with spaces cannot be read: replace the spaces" if len(cells) > self.width else
                          "; the line is truncated: fetch the file again, or delete the line")
                raise ValueError(f"{where} has {len(cells)} numbers, expected {self.width} as in the first line{spaces}")
            for cell in cells:
                try:
                    float(cell)
                except ValueError:
                    raise ValueError(f"{where} has a vector that is not {self.width} numbers: it has {cell[:40]!r}; a word "
                                     "cannot have spaces, and numbers are separated by one blank") from None


def write(path, words: list[str], vectors: np.ndarray, header: bool) -> None:
    """Writes shortest-enough decimals (9 digits): reading them gives the same float32 numbers."""
    pattern = "%s" + " %.9g" * vectors.shape[1] + "\n"
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        if header:
            file.write(f"{len(words)} {vectors.shape[1]}\n")
        for start in range(0, len(words), 1024):
            rows = vectors[start:start + 1024].tolist()
            file.writelines(pattern % (word, *row) for word, row in zip(words[start:start + 1024], rows, strict=True))

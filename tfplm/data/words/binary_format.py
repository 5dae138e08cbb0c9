"""The binary format of word2vec: a header line, then each word, a blank and its float32 numbers (little-endian)."""

import os
from typing import BinaryIO

import numpy as np

_CHUNK = 1 << 22
_LONGEST_WORD = 1 << 16  # bytes


def read(file: BinaryIO, path: str | os.PathLike, limit: int | None, only: frozenset[str] | None, encoding_errors: str
         ) -> tuple[list[str], np.ndarray]:
    """Words and vectors, float32 `[V, D]`; raises ValueError for a wrong header or a truncated file."""
    count, size = _header(file.readline(64), path)
    wanted = min(count, count if limit is None else limit)
    words, blocks, kept = [], [], None if only is None else {word.encode() for word in only}
    buffer, at, length = b"", 0, 4 * size
    for index in range(wanted):
        while (end := buffer.find(b" ", at, at + _LONGEST_WORD)) < 0 or len(buffer) < end + 1 + length:
            more = file.read(max(_CHUNK, length))
            if not more:
                raise ValueError(f"{path} ends after {index:,} words, expected {count:,} of {size} numbers as its first "
                                 "line says: the file is truncated, or its header is wrong; fetch it again")
            if end < 0 and len(buffer) - at > _LONGEST_WORD:
                raise ValueError(f"{path}: word {index + 1:,} has more than {_LONGEST_WORD:,} bytes; expected vectors of "
                                 f"{size} numbers: the header is wrong, or this is another format")
            buffer, at = buffer[at:] + more, 0
        word = buffer[at:end].lstrip(b"\n")
        if kept is None or word in kept:
            words.append(_decoded(word, path, index, encoding_errors))
            blocks.append(buffer[end + 1:end + 1 + length])
        at = end + 1 + length
    return words, np.frombuffer(b"".join(blocks), "<f4").reshape(-1, size).astype(np.float32)


def _header(line: bytes, path) -> tuple[int, int]:
    cells = line.split()
    if len(cells) != 2 or not all(cell.isdigit() for cell in cells) or not int(cells[1]):
        raise ValueError(f"{path} begins with {line[:40]!r}; expected the number of words and that of their numbers, such "
                         "as b'400000 300'; give a file in word2vec's binary format")
    return int(cells[0]), int(cells[1])


def _decoded(word: bytes, path, index: int, errors: str) -> str:
    try:
        return word.decode("utf-8", errors)
    except UnicodeDecodeError:
        raise ValueError(f"{path}: word {index + 1:,}, {word[:40]!r}, is not UTF-8; expected UTF-8: load it with "
                         "encoding_errors='replace'; or the header is wrong") from None


def write(path, words: list[str], vectors: np.ndarray) -> None:
    with open(path, "wb") as file:
        file.write(f"{len(words)} {vectors.shape[1]}\n".encode())
        for word, vector in zip(words, vectors, strict=True):
            file.write(word.encode() + b" " + np.asarray(vector, "<f4").tobytes())

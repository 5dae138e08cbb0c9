"""fastText's binary models (`.bin`, version 12): words with counts, and a table for words and n-grams."""

import os
import struct
from typing import BinaryIO

import numpy as np

from tfplm.data.words.subwords import Subwords

MAGIC = struct.pack("<i", 793712314)
_VERSION = 12
_SETTINGS = "<12id"  # dim, ws, epoch, minCount, neg, wordNgrams, loss, model, bucket, minn, maxn, lrUpdateRate, t
_DICTIONARY = "<3i2q"  # words and labels, words, labels, tokens, pruned buckets
_SKIPGRAM, _NEGATIVE_SAMPLING = 2, 2


def read(file: BinaryIO, path: str | os.PathLike, limit: int | None, only: frozenset[str] | None, encoding_errors: str
         ) -> tuple[list[str], np.ndarray | None, Subwords, np.ndarray]:
    """Words, their vectors if not all words are kept, n-grams, counts. The table is mapped, not read."""
    total = os.path.getsize(path)
    version, = _unpack(file, "<4xi", path)
    if version != _VERSION:
        raise ValueError(f"{path} is a fastText model of version {version}, expected {_VERSION}: make it anew with fastText "
                         "0.2 or later")
    settings = _unpack(file, _SETTINGS, path)
    size, shortest, longest = settings[0], settings[9], settings[10]
    entries, words_count, _, _, pruned = _unpack(file, _DICTIONARY, path)
    if not 0 <= words_count <= entries or 10 * entries > total or pruned * 8 > total:
        raise ValueError(f"{path} announces {entries:,} words, more than fit into its {total:,} bytes: the file is damaged; "
                         "fetch it again")
    names, counts = _entries(file, path, entries, words_count, encoding_errors)
    kept = dict(_unpack(file, "<2i", path) for _ in range(pruned)) if pruned >= 0 else None
    quantised, rows, columns = _unpack(file, "<?2q", path)
    if quantised:
        raise ValueError(f"{path} is a quantised model, expected one with full vectors: give the .bin file from which it "
                         "was made")
    if columns != size or rows < words_count or file.tell() + 4 * rows * columns > total:
        raise ValueError(f"{path} should hold {rows:,} x {columns} numbers, but ends before: the file is truncated or "
                         "damaged; fetch it again")
    table = np.memmap(path, "<f4", "r", file.tell(), (rows, columns))
    subwords = Subwords(table, words_count, shortest, longest, kept)
    chosen = [index for index in range(min(words_count, words_count if limit is None else limit))
              if only is None or names[index] in only]
    vectors = None
    if only is not None:
        vectors = np.stack([subwords.vector(names[index], index) for index in chosen]) if chosen else \
            np.empty((0, size), np.float32)
    return [names[index] for index in chosen], vectors, subwords, counts[chosen]


def _unpack(file: BinaryIO, pattern: str, path) -> tuple:
    data = file.read(struct.calcsize(pattern))
    try:
        return struct.unpack(pattern, data)
    except struct.error:
        raise ValueError(f"{path} ends within its header; expected a fastText model: the file is truncated; fetch it again"
                         ) from None


def _entries(file: BinaryIO, path, entries: int, words_count: int, errors: str) -> tuple[list[str], np.ndarray]:
    names, counts = [], np.zeros(words_count, np.int64)
    for index in range(entries):
        name = bytearray()
        while (byte := file.read(1)) not in (b"\0", b""):
            name += byte
        count, _ = _unpack(file, "<qb", path)
        if index < words_count:
            try:
                names.append(name.decode("utf-8", errors))
            except UnicodeDecodeError:
                raise ValueError(f"{path}: word {index + 1:,}, {bytes(name[:40])!r}, is not UTF-8; expected UTF-8: load it "
                                 "with encoding_errors='replace'") from None
            counts[index] = count
    return names, counts


def write(path, words: list[str], table: np.ndarray, subwords: Subwords | None, counts: np.ndarray | None) -> None:
    """A skip-gram model whose output table is empty: for vectors and neighbours, not for further training.

    table: the vectors of the words, or that of the subwords.
    """
    counts = np.ones(len(words), np.int64) if counts is None else counts
    buckets, shortest, longest, kept = (0, 0, 0, None) if subwords is None else (
        subwords.buckets, subwords.shortest, subwords.longest, subwords.kept)
    with open(path, "wb") as file:
        file.write(MAGIC + struct.pack("<i", _VERSION))
        file.write(struct.pack(_SETTINGS, table.shape[1], 5, 5, 1, 5, 1, _NEGATIVE_SAMPLING, _SKIPGRAM, buckets, shortest,
                               longest, 100, 1e-4))
        file.write(struct.pack(_DICTIONARY, len(words), len(words), 0, int(counts.sum()), -1 if kept is None else len(kept)))
        for word, count in zip(words, counts, strict=True):
            file.write(word.encode() + b"\0" + struct.pack("<qb", int(count), 0))
        for pair in (kept or {}).items():
            file.write(struct.pack("<2i", *pair))
        file.write(struct.pack("<?2q", False, *table.shape))
        for start in range(0, len(table), 1 << 14):
            file.write(np.asarray(table[start:start + (1 << 14)], "<f4").tobytes())
        file.write(struct.pack("<?2q", False, 0, table.shape[1]))

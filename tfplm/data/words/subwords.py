"""Vectors of words from their character n-grams (Bojanowski et al. 2017, section 3.2), as fastText computes them."""

from collections.abc import Iterable, Iterator

import numpy as np

_END = "</s>"  # the end of a sentence has no n-grams


def hash_of(text: bytes) -> int:
    """fastText's variant of the FNV-1a hash: bytes above 127 count as negative numbers. 32 bits."""
    value = 2166136261
    for byte in text:
        value = ((value ^ (byte | 0xFFFFFF00 if byte > 127 else byte)) * 16777619) & 0xFFFFFFFF
    return value


def ngrams(word: str, shortest: int, longest: int) -> Iterator[str]:
    """The n-grams of `<word>`, by start, then by length; those of the boundary signs alone are left out."""
    marked = f"<{word}>"
    for start in range(len(marked)):
        for size in range(shortest, longest + 1):
            stop = start + size
            if stop > len(marked):
                break
            if size > 1 or 0 < start < len(marked) - 1:
                yield marked[start:stop]


class Subwords:
    """The table of a fastText model: a row for each word, and `buckets` rows that n-grams share by their hash.

    Args:
        table: float32 `[words + buckets, D]`, maybe mapped from a file.
        words: number of words.
        shortest, longest: lengths of n-grams in characters (`minn`, `maxn`); none if `longest` is 0.
        kept: bucket -> row after the words, for a model whose buckets were pruned; else None.
    """

    def __init__(self, table: np.ndarray, words: int, shortest: int, longest: int, kept: dict[int, int] | None = None):
        self.table, self.words, self.shortest, self.longest, self.kept = table, words, shortest, longest, kept
        self.buckets = len(table) - words

    def rows(self, word: str) -> list[int]:
        """The rows of the n-grams of a word."""
        if not self.longest or not self.buckets or word == _END:
            return []
        buckets = [hash_of(one.encode()) % self.buckets for one in ngrams(word, max(self.shortest, 1), self.longest)]
        if self.kept is not None:
            buckets = [self.kept[bucket] for bucket in buckets if bucket in self.kept]
        return [self.words + bucket for bucket in buckets]

    def vector(self, word: str, index: int | None = None) -> np.ndarray:
        """The mean of the row of the word, if it has one, and those of its n-grams: float32 `[D]`; zeros without any."""
        rows = ([] if index is None else [index]) + self.rows(word)
        if not rows:
            return np.zeros(self.table.shape[1], np.float32)
        return self.table[rows].mean(0, dtype=np.float32)

    def vectors(self, words: Iterable[str]) -> np.ndarray:
        """The vectors of the first words of the table, in their order: float32 `[N, D]`."""
        words = list(words)
        found = np.empty((len(words), self.table.shape[1]), np.float32)
        for index, word in enumerate(words):
            found[index] = self.vector(word, index)
        return found

"""A corpus as a file of word ids, which training reads again and again without Python.

int32, sentence after sentence; -1 ends each of them.
"""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from tfplm.core.files import replacing
from tfplm.data.words.vocabulary import Vocabulary

END = -1
_DROPPED = -2
_BLOCK = 1 << 22  # ids


class _Numbers(dict):
    """word -> its number, in the order in which words are met."""

    def __missing__(self, word: str) -> int:
        self[word] = number = len(self)
        return number


def write_ids(sentences: Iterable[list[str]], path: str | os.PathLike, min_count: int = 5, phrases: int = 0,
              phrase_threshold: float = 10.0, max_words: int | None = None) -> Vocabulary:
    """Writes the ids of a corpus, and returns its vocabulary.

    Args:
        sentences: lists of words.
        path: the file to write.
        min_count: rarer words are left out.
        phrases: how often pairs of words that occur together are joined, by `_`, to one word ("new_york"); section 4.
        phrase_threshold: least score `(count(a b) - min_count) V / (count(a) count(b))` of such a pair.
        max_words: number of words that are kept, the most frequent ones.

    Raises ValueError if the corpus is empty, or has no word that is frequent enough.
    """
    path = Path(path)
    with replacing(path) as temporary:
        numbers = _Numbers()
        with open(temporary, "wb") as file:
            for block in _blocks(sentences, numbers):
                block.tofile(file)
        words = list(numbers)
        if not words:
            raise ValueError("the corpus has no words; expected text: give another file, or another way to split words")
        for _ in range(phrases):
            words = _join_phrases(temporary, words, min_count, phrase_threshold)
        return _renumber(temporary, words, min_count, max_words)


def _blocks(sentences: Iterable[list[str]], numbers: _Numbers) -> Iterator[np.ndarray]:
    ids: list[int] = []
    number = numbers.__getitem__
    for sentence in sentences:
        ids.extend(map(number, sentence))
        ids.append(END)
        if len(ids) >= _BLOCK:
            yield np.array(ids, np.int32)
            ids = []
    if ids:
        yield np.array(ids, np.int32)


def read_blocks(path: str | os.PathLike) -> Iterator[np.ndarray]:
    """The ids in blocks of whole sentences (of any size, if a sentence is long)."""
    ids = np.memmap(path, np.int32, "r")
    start = 0
    while start < len(ids):
        stop = min(start + _BLOCK, len(ids))
        while stop < len(ids) and ids[stop - 1] != END:
            stop += 1
        yield np.array(ids[start:stop])
        start = stop


def _counts(path: Path, words: int) -> np.ndarray:
    counts = np.zeros(words, np.int64)
    for block in read_blocks(path):
        counts += np.bincount(block[block >= 0], minlength=words)
    return counts


def _rewrite(path: Path, change) -> None:
    temporary = path.with_name(path.name + ".new")
    with open(temporary, "wb") as file:
        for block in read_blocks(path):
            change(block).astype(np.int32).tofile(file)
    os.replace(temporary, path)


def _renumber(path: Path, words: list[str], min_count: int, max_words: int | None) -> Vocabulary:
    counts = _counts(path, len(words))
    order = np.argsort(-counts, kind="stable")[:max_words]
    order = order[counts[order] >= max(min_count, 1)]
    if not len(order):
        raise ValueError(f"none of the {len(words):,} words occurs {min_count} times, the most frequent one "
                         f"{int(counts.max()):,} times; expected min_count at most that: lower it, or give more text")
    new = np.full(len(words) + 1, _DROPPED, np.int32)
    new[order] = np.arange(len(order))
    new[END] = END

    def change(block):
        block = new[block]
        return block[block != _DROPPED]

    _rewrite(path, change)
    return Vocabulary([words[index] for index in order], counts[order])


def _pairs(block: np.ndarray, words: int) -> np.ndarray:
    """A code for each pair of neighbours, -1 over the end of a sentence: int64 `[N - 1]`."""
    first, second = block[:-1].astype(np.int64), block[1:].astype(np.int64)
    return np.where((first < 0) | (second < 0), -1, first * words + second)


def _join_phrases(path: Path, words: list[str], min_count: int, threshold: float) -> list[str]:
    counts, codes, totals = _counts(path, len(words)), np.empty(0, np.int64), np.empty(0, np.int64)
    for block in read_blocks(path):
        found, number = np.unique(_pairs(block, len(words)), return_counts=True)
        codes, index = np.unique(np.concatenate([codes, found]), return_inverse=True)
        totals = np.bincount(index, np.concatenate([totals, number])).astype(np.int64)
    first, second = codes // len(words), codes % len(words)
    known = len(np.flatnonzero(counts))
    scores = (totals - min_count) * known / np.maximum(counts[first] * counts[second], 1)
    chosen = (codes >= 0) & (totals >= min_count) & (scores > threshold)
    phrases = codes[chosen]

    def change(block):
        if len(block) < 2 or not len(phrases):
            return block
        pairs = _pairs(block, len(words))
        at = np.searchsorted(phrases, pairs)
        joined = phrases[np.minimum(at, len(phrases) - 1)] == pairs
        # of overlapping pairs, each second one: a b c is a_b c
        index = np.arange(len(joined))
        starts = np.maximum.accumulate(np.where(joined, -1, index))
        joined &= (index - starts) % 2 == 1
        block = block.copy()
        block[:-1][joined] = len(words) + at[joined]
        return np.delete(block, np.flatnonzero(joined) + 1)

    _rewrite(path, change)
    return words + [f"{words[a]}_{words[b]}" for a, b in zip(first[chosen], second[chosen], strict=True)]

"""The words of a batch as runs of tokens."""

import dataclasses

import numpy as np


@dataclasses.dataclass
class Words:
    """Words of the rows of a batch (W = the largest number of words in a row).

    - index [B,T]: the index of a token's word, -1 for special tokens and padding;
    - count [B]: the number of words;
    - start, length [B,W]: in tokens, 0 beyond count;
    - stretch_end [B,W]: the index after the last word of the run of words, without a special token in between, that
      the word belongs to; a span must not cross it.
    """

    index: np.ndarray
    count: np.ndarray
    start: np.ndarray
    length: np.ndarray
    stretch_end: np.ndarray


def find_words(special: np.ndarray, word_starts: np.ndarray | None = None) -> Words:
    """Finds words from flags [B,T]; without `word_starts`, every token that is not special is one word."""
    ordinary = ~special
    after_special = np.empty_like(special)
    after_special[:, 0] = True
    after_special[:, 1:] = special[:, :-1]
    starts = ordinary if word_starts is None else ordinary & (word_starts.astype(bool) | after_special)
    running = np.cumsum(starts, 1)
    index = np.where(ordinary, running - 1, -1)
    count = running[:, -1]
    width = max(int(count.max(initial=0)), 1)
    rows, columns = np.nonzero(starts)
    start = np.zeros((len(special), width), np.int64)
    start[rows, index[rows, columns]] = columns
    length = _count_per_group(index, width)
    stretch = np.cumsum(after_special & ordinary, 1)
    stretch_of_word = np.zeros_like(start)
    stretch_of_word[rows, index[rows, columns]] = stretch[rows, columns]
    return Words(index, count, start, length, _ends(stretch_of_word, count))


def _count_per_group(index: np.ndarray, width: int) -> np.ndarray:
    """[B,width]: the number of occurrences of each value in the rows of index [B,T]; negative values are ignored."""
    flat = (np.arange(len(index))[:, None] * width + index)[index >= 0]
    return np.bincount(flat, minlength=len(index) * width).reshape(len(index), width)


def _ends(group: np.ndarray, count: np.ndarray) -> np.ndarray:
    """[B,W]: for each word, the index of the next word in another group (or the row's count)."""
    width = group.shape[1]
    is_last = np.ones_like(group, bool)
    is_last[:, :-1] = group[:, 1:] != group[:, :-1]
    following = np.where(is_last, np.arange(1, width + 1), width + 1)
    ends = np.minimum.accumulate(following[:, ::-1], 1)[:, ::-1]
    return np.minimum(ends, count[:, None])

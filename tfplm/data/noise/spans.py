"""Spans of whole words: n-grams (ALBERT, Lan et al. 2020, section 3) and geometric ones (SpanBERT, section 3.1)."""

import numpy as np

from tfplm.data.noise.words import Words

_PATIENCE = 24  # misses in a row after which a row is left with the masks it has


def inverse_rank(longest: int) -> np.ndarray:
    """Probabilities of 1 .. longest, p(n) ~ 1/n."""
    weights = 1 / np.arange(1, longest + 1)
    return weights / weights.sum()


def geometric(p: float, longest: int) -> np.ndarray:
    """Probabilities of 1 .. longest of a geometric distribution, those beyond given to all in proportion (clipped)."""
    weights = p * (1 - p) ** np.arange(longest)
    return weights / weights.sum()


def draw_lengths(probabilities: np.ndarray, shape, rng: np.random.Generator) -> np.ndarray:
    """Numbers from 1, with these probabilities."""
    cumulative = np.cumsum(probabilities)
    return np.searchsorted(cumulative / cumulative[-1], rng.random(shape), side="right") + 1


def choose_spans(words: Words, budget: np.ndarray, length_probabilities: np.ndarray,
                 rng: np.random.Generator) -> np.ndarray:
    """int32 [B,T]: 0, or the number (from 1) of the span that a token belongs to.

    Per row, until the budget [B] of tokens is used up: a length in words, and first words, uniform, until the span
    touches no chosen token; one that would cross a special token or the budget loses words at its end.
    """
    batch, width = words.index.shape
    rows, columns = np.arange(batch), np.arange(width)
    word_ends = words.start + words.length
    span = np.zeros((batch, width), np.int32)
    left, drawn, misses = budget.copy(), np.zeros(batch, np.int32), np.zeros(batch, np.int64)
    misses[words.count == 0] = _PATIENCE
    number = np.ones(batch, np.int64)
    while (active := (left > 0) & (misses < _PATIENCE)).any():
        anchor = np.minimum((rng.random(batch) * words.count).astype(np.int64), words.start.shape[1] - 1)
        # a length stays until it finds its place: overlaps do not make long spans rarer
        number = np.where(misses == 0, draw_lengths(length_probabilities, batch, rng), number)
        begin = words.start[rows, anchor]
        # [B,N]: where the span ends after 1, 2, ... words; the longest that is allowed is taken
        last = anchor[:, None] + np.arange(len(length_probabilities))
        ends = word_ends[rows[:, None], np.minimum(last, word_ends.shape[1] - 1)]
        allowed = (np.arange(1, last.shape[1] + 1) <= number[:, None]) & (ends - begin[:, None] <= left[:, None]) \
            & (last < words.stretch_end[rows, anchor][:, None])
        size = np.where(allowed, ends - begin[:, None], 0).max(1)
        covered = (columns >= begin[:, None]) & (columns < (begin + size)[:, None])
        taken = active & (size > 0) & ~(covered & (span > 0)).any(1)
        drawn += taken
        span += np.where(covered & taken[:, None], drawn[:, None], 0)
        left -= np.where(taken, size, 0)
        misses = np.where(taken, 0, misses + 1)
    return span

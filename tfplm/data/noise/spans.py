"""Spans of whole words: n-grams (ALBERT, Lan et al. 2020, section 3) and geometric lengths (SpanBERT, section 3.1)."""

import numpy as np

from tfplm.data.noise.words import Words

_PATIENCE = 24  # after this many rejected spans in succession a row keeps the masks it has


def inverse_rank(longest: int) -> np.ndarray:
    """Probabilities of 1 .. longest, with p(n) ~ 1/n."""
    weights = 1 / np.arange(1, longest + 1)
    return weights / weights.sum()


def geometric(p: float, longest: int) -> np.ndarray:
    """Probabilities of 1 .. longest: a geometric distribution, truncated and renormalized."""
    weights = p * (1 - p) ** np.arange(longest)
    return weights / weights.sum()


def draw_lengths(probabilities: np.ndarray, shape, rng: np.random.Generator) -> np.ndarray:
    """Draws lengths 1, 2, ... with these probabilities."""
    cumulative = np.cumsum(probabilities)
    return np.searchsorted(cumulative / cumulative[-1], rng.random(shape), side="right") + 1


def choose_spans(words: Words, budget: np.ndarray, length_probabilities: np.ndarray,
                 rng: np.random.Generator) -> np.ndarray:
    """int32 [B,T]: the number (from 1) of the span that a token belongs to, 0 for none.

    Until the budget [B] of tokens of a row is used up, draws a length in words, then uniform first words until the span
    overlaps no chosen token. A span that would cross a special token or exceed the budget loses words at its end.
    """
    batch, width = words.index.shape
    rows, columns = np.arange(batch), np.arange(width)
    word_ends = words.start + words.length
    span = np.zeros((batch, width), np.int32)
    left, drawn, misses = budget.copy(), np.zeros(batch, np.int32), np.zeros(batch, np.int64)
    misses[words.count == 0] = _PATIENCE
    length = np.ones(batch, np.int64)  # of the current span, in words
    while (active := (left > 0) & (misses < _PATIENCE)).any():
        anchor = np.minimum((rng.random(batch) * words.count).astype(np.int64), words.start.shape[1] - 1)
        # a length is kept until its span fits, so that overlaps do not make long spans rarer
        length = np.where(misses == 0, draw_lengths(length_probabilities, batch, rng), length)
        start = words.start[rows, anchor]
        # [B,N]: the ends of the spans of 1, 2, ... words; the longest allowed one is taken
        last = anchor[:, None] + np.arange(len(length_probabilities))
        ends = word_ends[rows[:, None], np.minimum(last, word_ends.shape[1] - 1)]
        allowed = (np.arange(1, last.shape[1] + 1) <= length[:, None]) & (ends - start[:, None] <= left[:, None]) \
            & (last < words.stretch_end[rows, anchor][:, None])
        size = np.where(allowed, ends - start[:, None], 0).max(1)
        covered = (columns >= start[:, None]) & (columns < (start + size)[:, None])
        taken = active & (size > 0) & ~(covered & (span > 0)).any(1)
        drawn += taken
        span += np.where(covered & taken[:, None], drawn[:, None], 0)
        left -= np.where(taken, size, 0)
        misses = np.where(taken, 0, misses + 1)
    return span

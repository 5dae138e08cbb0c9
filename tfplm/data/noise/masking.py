"""Masking for masked language models (Devlin et al. 2019, section 3.1): tokens, whole words, n-grams and spans."""

import dataclasses
from typing import Literal

import numpy as np

from tfplm.data.noise.rows import choose_exactly, gather_left, share_of
from tfplm.data.noise.spans import choose_spans, geometric, inverse_rank
from tfplm.data.noise.vocabulary import NoiseVocabulary
from tfplm.data.noise.words import Words, find_words


@dataclasses.dataclass(frozen=True)
class Masking:
    """Settings of masked language modelling; `unit` is one of:

    - `token`: single tokens (BERT);
    - `word`: whole words (BERT-wwm; Chinese words if the records were made with a segmenter; phrases and entities
      after `join_phrases`, as in ERNIE);
    - `ngram`: up to `longest` words, p(n) ~ 1/n (ALBERT: longest 3);
    - `span`: a geometric number of words, p = `geometric_p`, at most `longest` (SpanBERT: 0.2 and 10), all replaced in
      the same way.
    """

    unit: Literal["token", "word", "ngram", "span"] = "token"
    rate: float = 0.15
    max_predictions: int = 20
    mask_share: float = 0.8
    random_share: float = 0.1
    longest: int | None = None  # in words: of an n-gram (default 3) or span (default 10)
    geometric_p: float = 0.2
    lengths: tuple[float, ...] | None = None  # probabilities of 1, 2, ... words; overrides both distributions

    def __post_init__(self):
        if self.unit not in ("token", "word", "ngram", "span"):
            raise ValueError(f"masking unit {self.unit!r}: expected token, word, ngram or span")
        if not 0 < self.rate < 1 or self.mask_share < 0 or self.random_share < 0 \
                or self.mask_share + self.random_share > 1 or self.max_predictions < 1:
            raise ValueError(f"{self}: rate must lie between 0 and 1, the shares of [MASK] and of random tokens must "
                             "add up to at most 1, and max_predictions must be at least 1")

    def span_lengths(self) -> np.ndarray:
        """Probabilities of spans of 1, 2, ... words."""
        if self.lengths:
            return np.asarray(self.lengths)
        return inverse_rank(self.longest or 3) if self.unit == "ngram" \
            else geometric(self.geometric_p, self.longest or 10)


def choose_words(words: Words, budget: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """bool [B,T], the chosen tokens: words in random order, each chosen if it fits into the remaining budget [B].

    The algorithm of `create_masked_lm_predictions` in BERT's repository, for all rows at once.
    """
    valid = np.arange(words.length.shape[1]) < words.count[:, None]
    order = np.argsort(np.where(valid, rng.random(valid.shape), 2.0), 1)
    lengths = np.take_along_axis(np.where(valid, words.length, words.index.shape[1] + 1), order, 1)
    left = budget.copy()
    taken = np.zeros_like(valid)
    for turn in range(valid.shape[1]):
        fits = lengths[:, turn] <= left
        taken[:, turn] = fits
        left -= np.where(fits, lengths[:, turn], 0)
        if not left.any():
            break
    chosen = np.zeros_like(valid)
    np.put_along_axis(chosen, order, taken, 1)
    return np.take_along_axis(chosen, np.maximum(words.index, 0), 1) & (words.index >= 0)


def choose(batch: dict, rng: np.random.Generator, vocabulary: NoiseVocabulary, masking: Masking) -> np.ndarray:
    """int32 [B,T]: 0 for tokens that are kept, else the number of the span (1 for all single tokens and words).

    A row of n tokens (special tokens counted, as in BERT) gets max(1, round(rate x n)) masks, at most
    `max_predictions`; special tokens are never masked.
    """
    special = vocabulary.is_special(batch["input_ids"]) | (batch["attention_mask"] == 0)
    budget = np.minimum(share_of(batch["attention_mask"].sum(1), masking.rate), masking.max_predictions)
    if masking.unit == "token":
        return choose_exactly(~special, budget, rng).astype(np.int32)
    words = find_words(special, batch.get("word_starts"))
    if masking.unit == "word":
        return choose_words(words, budget, rng).astype(np.int32)
    return choose_spans(words, budget, masking.span_lengths(), rng)


def mask_tokens(batch: dict, rng: np.random.Generator, vocabulary: NoiseVocabulary,
                masking: Masking | None = None) -> dict:
    """Masks tokens and adds their original ids as labels (P = max_predictions).

    Of the chosen tokens 80 % become [MASK], 10 % a random id of the whole vocabulary, and 10 % are kept (all tokens of
    a span in the same way, SpanBERT section 3.1). Adds, int32: `masked_lm_positions [B,P]` (ascending),
    `masked_lm_ids [B,P]`, `masked_lm_weights [B,P]` (1 = a prediction, 0 = padding), and for spans `span_starts`,
    `span_ends [B,P]`, the positions directly before and after the span of each prediction (SpanBERT's boundary
    objective).
    """
    masking = masking or Masking()
    if masking.mask_share:
        vocabulary.need("mask")
    ids = batch["input_ids"]
    spans = choose(batch, rng, vocabulary, masking)
    chosen, width = spans > 0, masking.max_predictions
    columns = np.broadcast_to(np.arange(ids.shape[1]), ids.shape)
    positions, labels, weights, span = gather_left(chosen, width, columns, ids, chosen, spans)
    draw = rng.random(span.shape)
    if masking.unit == "span":
        draw = np.take_along_axis(draw, span % width, 1)  # the same draw for all tokens of a span
    new = np.where(draw < masking.mask_share, vocabulary.mask, labels)
    is_random = (draw >= masking.mask_share) & (draw < masking.mask_share + masking.random_share)
    new = np.where(is_random, rng.integers(0, vocabulary.size, new.shape), new)
    noisy = ids.copy()
    rows, columns = np.nonzero(weights)
    noisy[rows, positions[rows, columns]] = new[rows, columns]
    result = {key: value for key, value in batch.items() if key not in ("word_starts", "sentence_ids")}
    result |= {"input_ids": noisy, "masked_lm_positions": positions, "masked_lm_ids": labels,
               "masked_lm_weights": weights}
    if masking.unit == "span":
        result |= _boundaries(positions, span, weights)
    return result


def _boundaries(positions: np.ndarray, span: np.ndarray, weights: np.ndarray) -> dict:
    """`span_starts` and `span_ends [B,P]`, from positions that ascend within each span."""
    width = positions.shape[1]
    first = np.ones_like(span, bool)
    first[:, 1:] = span[:, 1:] != span[:, :-1]
    column = np.arange(width)
    start = np.maximum.accumulate(np.where(first, column, 0), 1)
    last = np.ones_like(first)
    last[:, :-1] = first[:, 1:]
    end = np.minimum.accumulate(np.where(last, column, width - 1)[:, ::-1], 1)[:, ::-1]
    starts = (np.take_along_axis(positions, start, 1) - 1) * weights
    ends = (np.take_along_axis(positions, end, 1) + 1) * weights
    return {"span_starts": starts.astype(np.int32), "span_ends": ends.astype(np.int32)}

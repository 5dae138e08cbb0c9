"""T5's span corruption (Raffel et al. 2020, section 3.1.4): sentinels replace spans, which become the targets."""

import numpy as np

from tfplm.data.noise.language_model import teacher_forcing
from tfplm.data.noise.rows import choose_exactly, gather_left, length_mask
from tfplm.data.noise.vocabulary import NoiseVocabulary


def _counts(length, rate: float, mean_span: float):
    """(noise tokens, noise spans) of sequences of this length, computed as in `t5.data.preprocessors`."""
    noise = np.clip(np.rint(np.asarray(length) * rate), 1, np.maximum(np.asarray(length) - 1, 1)).astype(np.int64)
    return noise, np.maximum(np.rint(noise / mean_span), 1).astype(np.int64)


def _lengths(raw: int, rate: float, mean_span: float) -> tuple[int, int]:
    noise, spans = _counts(raw, rate, mean_span)
    return int(raw - noise + spans + 1), int(noise + spans + 1)  # a sentinel per span, and the closing token


def raw_length(input_length: int, rate: float = 0.15, mean_span: float = 3.0) -> int:
    """The number of raw tokens that fill an encoder input of `input_length` after corruption (568 for 512).

    Pass the result to `target_length` for the length of their targets.
    """
    raw = input_length
    while _lengths(raw + 1, rate, mean_span)[0] <= input_length:
        raw += 1
    return raw


def target_length(raw: int, rate: float = 0.15, mean_span: float = 3.0) -> int:
    """The length of the targets of `raw` tokens, including sentinels and the closing token (114 for 568)."""
    return _lengths(raw, rate, mean_span)[1]


def _segment_lengths(items: np.ndarray, segments: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """int [B,S]: the sizes of `segments` [B] non-empty parts of `items` [B], all partitions equally likely."""
    width, most = int(items.max()), int(segments.max())
    border = np.arange(1, width)
    cut = choose_exactly(border < items[:, None], segments - 1, rng) if width > 1 else np.zeros((len(items), 0), bool)
    part = np.concatenate([np.zeros((len(items), 1), np.int64), np.cumsum(cut, 1)], 1)
    inside = np.arange(width) < items[:, None]
    flat = (np.arange(len(items))[:, None] * most + part)[inside]
    return np.bincount(flat, minlength=len(items) * most).reshape(len(items), most)


def span_mask(lengths: np.ndarray, width: int, rng: np.random.Generator, rate: float = 0.15,
              mean_span: float = 3.0) -> np.ndarray:
    """bool [B,width]: True for noise tokens, as in T5's `random_spans_noise_mask`.

    Kept and noise spans alternate; the first is kept, the last is noise. lengths [B] must be at least 2.
    """
    noise, spans = _counts(lengths, rate, mean_span)
    spans = np.minimum(spans, lengths - noise)
    kept_parts = _segment_lengths(lengths - noise, spans, rng)
    noise_parts = _segment_lengths(noise, spans, rng)
    bounds = np.cumsum(np.stack([kept_parts, noise_parts], 2).reshape(len(lengths), -1), 1)
    borders = np.zeros((len(lengths), width + 1), np.int64)
    real = np.arange(bounds.shape[1]) < 2 * spans[:, None]
    rows = np.broadcast_to(np.arange(len(lengths))[:, None], bounds.shape)[real]
    np.add.at(borders, (rows, bounds[real]), 1)
    return (np.cumsum(borders, 1)[:, :width] % 2 == 1) & (np.arange(width) < np.asarray(lengths)[:, None])


def _with_sentinels(ids: np.ndarray, hidden: np.ndarray, real: np.ndarray, vocabulary: NoiseVocabulary):
    """(ids [B,N], lengths [B]): replaces each run of hidden tokens by one sentinel and appends the closing token."""
    before = np.zeros_like(hidden)
    before[:, 1:] = hidden[:, :-1]
    first = hidden & ~before
    span = np.cumsum(first, 1) - 1
    if (last := int(span.max(initial=0))) >= len(vocabulary.sentinels):
        raise ValueError(f"a row has {last + 1} spans, and the vocabulary {len(vocabulary.sentinels)} sentinels; "
                         "use longer spans, shorter rows, or a tokenizer with more sentinels")
    sentinels = np.asarray(vocabulary.sentinels, np.int32)
    values = np.where(first, sentinels[np.maximum(span, 0)], ids)
    keep = (~hidden | first) & real
    lengths = keep.sum(1) + 1
    (out,) = gather_left(keep, int(lengths.max()), values, fill=vocabulary.pad)
    out[np.arange(len(out)), lengths - 1] = vocabulary.end
    return out, lengths


def corrupt_spans(batch: dict, rng: np.random.Generator, vocabulary: NoiseVocabulary, rate: float = 0.15,
                  mean_span: float = 3.0, start: int | None = None) -> dict:
    """Replaces spans of the encoder inputs by sentinels; the targets are each sentinel followed by its span.

    Special tokens of the input rows are dropped first; inputs and targets end with the closing token. Returns int32
    `input_ids`, `attention_mask`, `decoder_input_ids` (shifted right, after `start`, by default the padding token, as
    in T5), `decoder_attention_mask`, `labels`, `label_weights`. Rows of `raw_length(T)` tokens fill encoder inputs of T.
    """
    vocabulary.need("sentinels", "end")
    ordinary = (batch["attention_mask"] == 1) & ~vocabulary.is_special(batch["input_ids"])
    lengths = ordinary.sum(1)
    if lengths.min(initial=2) < 2:
        raise ValueError("span corruption needs at least two tokens, besides special tokens, in every row; drop the "
                         "shorter rows")
    width = int(lengths.max(initial=2))
    (ids,) = gather_left(ordinary, width, batch["input_ids"], fill=vocabulary.pad)
    noise, real = span_mask(lengths, width, rng, rate, mean_span), np.arange(width) < lengths[:, None]
    inputs, input_lengths = _with_sentinels(ids, noise, real, vocabulary)
    targets, target_lengths = _with_sentinels(ids, ~noise & real, real, vocabulary)
    return {"input_ids": inputs, "attention_mask": length_mask(input_lengths, inputs.shape[1]),
            **teacher_forcing(targets, length_mask(target_lengths, targets.shape[1]),
                              vocabulary.pad if start is None else start)}

"""BART's five noise functions (Lewis et al. 2020, section 2.2), and the decoder inputs that reconstruct the text."""

import numpy as np

from tfplm.core.rounding import round_up
from tfplm.data.noise.language_model import teacher_forcing
from tfplm.data.noise.masking import Masking, mask_tokens
from tfplm.data.noise.rows import body_bounds, choose_exactly, gather_left, length_mask, require, share_of
from tfplm.data.noise.vocabulary import NoiseVocabulary
from tfplm.data.noise.words import Words, find_words

KINDS = ("permutation", "rotation", "deletion", "masking", "infilling")  # in the order in which they are applied
_EXTRAS = ("input_ids", "token_type_ids", "word_starts", "sentence_ids")


def _reordered(batch: dict, key: np.ndarray) -> dict:
    """The batch with the tokens of each row sorted by key [B,T]; the sort is stable."""
    order = np.argsort(key, 1, kind="stable")
    return batch | {name: np.take_along_axis(batch[name], order, 1) for name in _EXTRAS if name in batch}


def _columns(batch: dict) -> np.ndarray:
    return np.arange(batch["input_ids"].shape[1])


def permute_sentences(batch: dict, rng: np.random.Generator, vocabulary: NoiseVocabulary) -> dict:
    """Shuffles the sentences (`sentence_ids`) of each row; a leading and a closing special token do not move."""
    first, end = (bound[:, None] for bound in body_bounds(batch, vocabulary))
    sentence = np.maximum(require(batch, "sentence_ids"), 0)
    keys = rng.random((len(sentence), int(sentence.max(initial=0)) + 1))
    key = np.take_along_axis(keys, sentence, 1)
    columns = _columns(batch)
    return _reordered(batch, np.where(columns < first, -1.0, np.where(columns < end, key, 2.0)))


def rotate_document(batch: dict, rng: np.random.Generator, vocabulary: NoiseVocabulary) -> dict:
    """Rotates each row so that it starts with a uniformly chosen token; the tokens before it move to the end."""
    first, end = (bound[:, None] for bound in body_bounds(batch, vocabulary))
    columns, size = _columns(batch), end - first
    pivot = (rng.random(size.shape) * size).astype(np.int64)
    rotated = (columns - first - pivot) % np.maximum(size, 1)
    return _reordered(batch, np.where(columns < first, -1, np.where(columns < end, rotated, columns.size + columns)))


def delete_tokens(batch: dict, rng: np.random.Generator, vocabulary: NoiseVocabulary, rate: float = 0.15) -> dict:
    """Deletes `rate` of the ordinary tokens of each row."""
    real = batch["attention_mask"] == 1
    ordinary = real & ~vocabulary.is_special(batch["input_ids"])
    deleted = choose_exactly(ordinary, share_of(ordinary.sum(1), rate), rng)
    keep = real & ~deleted
    names = [name for name in _EXTRAS if name in batch]
    width = real.shape[1]
    moved = dict(zip(names, gather_left(keep, width, *(batch[name] for name in names))))
    mask = length_mask(keep.sum(1), width)
    moved["input_ids"] = np.where(mask == 1, moved["input_ids"], vocabulary.pad)
    return batch | moved | {"attention_mask": mask}


def _draw_span_words(total: np.ndarray, mean: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """(lengths [B,K] in words, count [B]): Poisson lengths that add up to total [B]; the last one is trimmed to fit."""
    lengths = rng.poisson(mean, (len(total), int(total.max(initial=0) * max(1, 2 / mean)) + 16))
    before = np.cumsum(lengths, 1) - lengths
    used = before < total[:, None]
    return np.where(used, np.minimum(lengths, total[:, None] - before), 0), used.sum(1)


def _body_words(batch: dict, vocabulary: NoiseVocabulary) -> tuple[Words, np.ndarray, np.ndarray]:
    """(words, first, end) of the body; special tokens inside the body count as words."""
    ids, columns = batch["input_ids"], _columns(batch)
    first, end = body_bounds(batch, vocabulary)
    outside = (columns < first[:, None]) | (columns >= end[:, None])
    starts = batch.get("word_starts", np.ones_like(ids)) == 1
    special = vocabulary.is_special(ids)
    starts = starts | special
    starts[:, 1:] |= special[:, :-1]
    return find_words(outside, starts), first, end


def infill_text(batch: dict, rng: np.random.Generator, vocabulary: NoiseVocabulary, rate: float = 0.3,
                mean_span: float = 3.0) -> dict:
    """Replaces `rate` of the words, in spans of Poisson(`mean_span`) words, by a single [MASK] for each span.

    A span of zero words inserts a [MASK] between two tokens. The spans do not overlap, and all their placements are
    equally likely. The result has no `word_starts` and `sentence_ids`.
    """
    vocabulary.need("mask")
    ids = batch["input_ids"]
    rows, width = np.arange(len(ids))[:, None], ids.shape[1]
    words, first, end = _body_words(batch, vocabulary)
    hidden = np.minimum(share_of(words.count, rate), words.count)
    lengths, spans = _draw_span_words(hidden, mean_span, rng)
    # a row is a sequence of slots, each a kept word or a span; the slots that are spans are drawn at random
    slots = words.count - hidden + spans
    valid = np.arange(int(slots.max(initial=1)) or 1) < slots[:, None]
    is_span = choose_exactly(valid, spans, rng)
    span_words = np.take_along_axis(lengths, np.maximum(np.cumsum(is_span, 1) - 1, 0), 1)
    consumed = np.where(is_span, span_words, 1) * valid
    word = np.minimum(np.cumsum(consumed, 1) - consumed, words.start.shape[1] - 1)
    written = np.where(is_span, 1, words.length[rows, word]) * valid
    position = first[:, None] + np.cumsum(written, 1) - written  # of the first token of a slot in the output
    body_end = first + written.sum(1)
    out = np.full((len(ids), width + 1), vocabulary.pad, np.int32)  # an extra column for tokens that do not fit
    kept = valid & ~is_span
    word_position = np.full((len(ids), words.start.shape[1] + 1), width)
    word_position[np.nonzero(kept)[0], word[kept]] = position[kept]
    offset = _columns(batch) - words.start[rows, np.maximum(words.index, 0)]
    target = np.where(words.index >= 0, word_position[rows, words.index], width)
    target = np.where(target < width, target + offset, width)
    columns = _columns(batch)[None]
    target = np.where(columns < first[:, None], columns, target)
    closing = (columns >= end[:, None]) & (batch["attention_mask"] == 1)
    target = np.where(closing, columns - end[:, None] + body_end[:, None], target)
    out[rows, np.minimum(target, width)] = ids
    out[np.nonzero(is_span)[0], np.minimum(position[is_span], width)] = vocabulary.mask
    total = np.minimum(body_end + closing.sum(1), width)
    mask = length_mask(total, width)
    result = {key: value for key, value in batch.items() if key not in ("word_starts", "sentence_ids")}
    return result | {"input_ids": np.where(mask == 1, out[:, :width], vocabulary.pad), "attention_mask": mask}


def denoise(batch: dict, rng: np.random.Generator, vocabulary: NoiseVocabulary,
            kinds: tuple[str, ...] = ("permutation", "infilling"), start: int | None = None) -> dict:
    """Corrupts the encoder's rows with the given `KINDS` of noise; the decoder reconstructs the original rows.

    The default is the noise that BART was trained with. Adds `decoder_input_ids` (the original row shifted right, after
    `start`, by default the closing token as in BART), `decoder_attention_mask`, `labels`, `label_weights`; int32 [B,T].
    The encoder's arrays are as wide as the longest corrupted row.
    """
    if unknown := set(kinds) - set(KINDS):
        raise ValueError(f"unknown noise {', '.join(sorted(unknown))}: expected some of {', '.join(KINDS)}")
    noisy = batch
    for kind in KINDS:
        if kind in kinds:
            noisy = _APPLY[kind](noisy, rng, vocabulary)
    start = vocabulary.end if start is None else start
    # corrupted rows are shorter; rounding up keeps the number of widths small
    width = round_up(int(noisy["attention_mask"].sum(1).max(initial=1)), 8)
    kept = {key: value[:, :width] if value.ndim == 2 else value for key, value in noisy.items()
            if key not in ("word_starts", "sentence_ids")}
    return kept | teacher_forcing(batch["input_ids"], batch["attention_mask"], start)


def _mask_only(batch: dict, rng: np.random.Generator, vocabulary: NoiseVocabulary) -> dict:
    masked = mask_tokens(batch, rng, vocabulary, Masking(max_predictions=batch["input_ids"].shape[1], mask_share=1.0,
                                                         random_share=0.0))
    return batch | {"input_ids": masked["input_ids"]}


_APPLY = {"permutation": permute_sentences, "rotation": rotate_document, "deletion": delete_tokens,
          "masking": _mask_only, "infilling": infill_text}

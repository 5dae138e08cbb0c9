"""Augmentation of batches, sampled again in every epoch: masks, replaced tokens, n-grams, cut-off.

All functions are `change(batch, rng, ...) -> batch` for batches `[B,T]` of one or two texts; they do not modify the
given batch, and never change special tokens and padding. With the other arguments bound (`functools.partial`) they can
be the `noise` of a `BatchSource`. For lists of words see `tfplm.data.batches.augment`.
"""

from collections.abc import Callable

import numpy as np

from tfplm.data.noise.rows import choose_exactly, gather_left, share_of
from tfplm.data.noise.vocabulary import NoiseVocabulary

Neighbours = Callable[[dict, np.ndarray, np.random.Generator], np.ndarray]
POSITIONS = ("start", "end", "start_positions", "end_positions")  # keys whose values are positions in the row


def changeable(batch: dict, vocabulary: NoiseVocabulary) -> np.ndarray:
    """bool `[B,T]`, True for real tokens that are not special."""
    ids = batch["input_ids"]
    real = np.asarray(batch["attention_mask"], bool) if "attention_mask" in batch else np.ones(ids.shape, bool)
    return real & ~vocabulary.is_special(ids)


def mask_at_random(batch: dict, rng: np.random.Generator, vocabulary: NoiseVocabulary, rate: float = 0.1) -> dict:
    """Replaces each token with probability `rate` by [MASK] (Tang et al. 2019, section 3.2)."""
    vocabulary.need("mask")
    ids = batch["input_ids"]
    chosen = changeable(batch, vocabulary) & (rng.random(ids.shape) < rate)
    return {**batch, "input_ids": np.where(chosen, vocabulary.mask, ids).astype(np.int32)}


def replace_tokens(batch: dict, rng: np.random.Generator, vocabulary: NoiseVocabulary, neighbours: Neighbours,
                   rate: float = 0.1) -> dict:
    """Replaces each token with probability `rate` by one of its neighbors.

    TinyBERT (Jiao et al. 2020), section 4, finds them by embeddings or a masked language model.

    neighbours(batch, chosen, rng): a new id for each position of `chosen` (bool `[B,T]`) in reading order, -1 to keep
    the token; see `table_neighbours`.
    """
    ids = batch["input_ids"]
    chosen = changeable(batch, vocabulary) & (rng.random(ids.shape) < rate)
    found = np.asarray(neighbours(batch, chosen, rng))
    if found.shape != (int(chosen.sum()),):
        raise ValueError(f"neighbours returned an array {list(found.shape)}; expected an id for each of the "
                         f"{chosen.sum()} positions")
    changed = ids.copy()
    changed[chosen] = np.where(found >= 0, found, ids[chosen])
    return {**batch, "input_ids": changed.astype(np.int32)}


def table_neighbours(table: np.ndarray) -> Neighbours:
    """Neighbors that do not depend on the context: chosen uniformly from a row of `table [V,k]`.

    A token with fewer than k neighbors has -1 for the others, with which it is kept.
    """
    def neighbours(batch: dict, chosen: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        ids = batch["input_ids"][chosen]
        return table[ids, rng.integers(table.shape[1], size=len(ids))]

    return neighbours


def nearest_embeddings(embeddings: np.ndarray, count: int = 8, groups: np.ndarray | None = None,
                       least: float = 0.0) -> np.ndarray:
    """int32 `[V,count]`: for each row of `embeddings [V,D]` the other rows with the highest cosine, nearest first.

    groups: group of each token `[V]`; only tokens of the same group are neighbors (for example starts and continuations
        of words), and those of group -1 have none (special tokens).
    least: minimum cosine; other entries are -1.
    """
    unit = np.asarray(embeddings, np.float32)
    unit = unit / np.maximum(np.linalg.norm(unit, axis=1, keepdims=True), 1e-12)
    groups = np.zeros(len(unit), int) if groups is None else np.asarray(groups)
    table = np.full((len(unit), count), -1, np.int32)
    for group in np.unique(groups[groups >= 0]):
        members = np.flatnonzero(groups == group)
        kept = min(count, len(members) - 1)
        for start in range(0, len(members), 1024) if kept > 0 else ():
            rows = members[start:start + 1024]
            cosine = unit[rows] @ unit[members].T  # [rows, members]
            cosine[np.arange(len(rows)), start + np.arange(len(rows))] = -np.inf
            near = np.argpartition(-cosine, kept - 1, axis=1)[:, :kept]
            values = np.take_along_axis(cosine, near, 1)
            order = np.argsort(-values, axis=1, kind="stable")
            near, values = np.take_along_axis(near, order, 1), np.take_along_axis(values, order, 1)
            table[rows, :kept] = np.where(values >= least, members[near], -1)
    return table


def sample_ngrams(batch: dict, rng: np.random.Generator, vocabulary: NoiseVocabulary, rate: float = 0.25,
                  longest: int = 5) -> dict:
    """Reduces each text of a row, with probability `rate`, to an n-gram of 1 to `longest` tokens (Tang et al. 2019,
    section 3.2). The length is chosen uniformly. All arrays of the batch with a column for each token are reduced
    alike.

    Raises ValueError for a batch with positions of tokens (`start`, `end`), which would become wrong.
    """
    if found := [key for key in POSITIONS if key in batch]:
        raise ValueError(f"the batch has positions of tokens: {', '.join(found)}; n-gram sampling moves tokens, so use "
                         "another augmentation")
    ids = batch["input_ids"]
    text, real = changeable(batch, vocabulary), np.asarray(batch.get("attention_mask", np.ones(ids.shape)), bool)
    keep = real.copy()
    for row in np.flatnonzero(rng.random(len(ids)) < rate):
        for start, end in _runs(text[row]):
            size = int(rng.integers(1, min(longest, end - start) + 1))
            first = int(rng.integers(start, end - size + 1))
            keep[row, start:first] = keep[row, first + size:end] = False
    changed = dict(batch, attention_mask=real.astype(np.int32))
    for key, value in changed.items():
        if np.shape(value)[:2] == ids.shape and np.ndim(value) == 2:
            (moved,) = gather_left(keep, ids.shape[1], value, fill=vocabulary.pad if key == "input_ids" else 0)
            changed[key] = moved.astype(value.dtype)
    return changed


def _runs(selected: np.ndarray) -> list[tuple[int, int]]:
    """[start, end) of the runs of True."""
    edges = np.flatnonzero(np.diff(np.r_[0, selected.astype(np.int8), 0]))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist()))


def cut_tokens(batch: dict, rng: np.random.Generator, vocabulary: NoiseVocabulary, rate: float = 0.1) -> dict:
    """Token cut-off (Shen et al. 2020, section 3.1): no token attends to a fraction of the tokens.

    They are removed by the attention mask, so that the positions of the other tokens do not change, as if their
    embeddings were removed after the embedding layer.
    """
    text = changeable(batch, vocabulary)
    return _hidden(batch, choose_exactly(text, share_of(text.sum(1), rate, least=0), rng))


def cut_span(batch: dict, rng: np.random.Generator, vocabulary: NoiseVocabulary, rate: float = 0.1) -> dict:
    """Span cut-off (Shen et al. 2020, section 3.1): no token attends to a span, which is a fraction of the tokens.

    Special tokens within the span are kept.
    """
    text = changeable(batch, vocabulary)
    counts = text.sum(1)
    sizes = share_of(counts, rate, least=0)
    first = rng.integers(0, counts - sizes + 1)
    order = np.cumsum(text, axis=1) - 1  # index of the token in its row
    return _hidden(batch, text & (order >= first[:, None]) & (order < (first + sizes)[:, None]))


def _hidden(batch: dict, hidden: np.ndarray) -> dict:
    mask = np.asarray(batch.get("attention_mask", np.ones(hidden.shape, np.int32)))
    return {**batch, "attention_mask": np.where(hidden, 0, mask).astype(np.int32)}

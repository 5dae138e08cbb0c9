"""Augmentation of batches, drawn again each time they are made: masks, other words, n-grams, cut-off.

All functions are `change(batch, rng, ...) -> batch` for batches `[B,T]` of one or two texts, leave the batch that they
are given as it is, and never touch special tokens and padding. With the other arguments bound (`functools.partial`) they
are a `noise` of `BatchSource`. For lists of words see `tfplm.data.batches.augment`.
"""

from collections.abc import Callable

import numpy as np

from tfplm.data.noise.rows import choose_exactly, gather_left, share_of
from tfplm.data.noise.vocabulary import NoiseVocabulary

Neighbours = Callable[[dict, np.ndarray, np.random.Generator], np.ndarray]
PLACES = ("start", "end", "start_positions", "end_positions")  # what points to places of the row


def changeable(batch: dict, vocabulary: NoiseVocabulary) -> np.ndarray:
    """bool [B,T]: real tokens that are not special."""
    ids = batch["input_ids"]
    real = np.asarray(batch["attention_mask"], bool) if "attention_mask" in batch else np.ones(ids.shape, bool)
    return real & ~vocabulary.is_special(ids)


def mask_at_random(batch: dict, rng: np.random.Generator, vocabulary: NoiseVocabulary, rate: float = 0.1) -> dict:
    """Each token becomes [MASK] with probability `rate` (Tang et al. 2019, section 3.2)."""
    vocabulary.need("mask")
    ids = batch["input_ids"]
    chosen = changeable(batch, vocabulary) & (rng.random(ids.shape) < rate)
    return {**batch, "input_ids": np.where(chosen, vocabulary.mask, ids).astype(np.int32)}


def replace_tokens(batch: dict, rng: np.random.Generator, vocabulary: NoiseVocabulary, neighbours: Neighbours,
                   rate: float = 0.1) -> dict:
    """Each token becomes one of its neighbours with probability `rate` (TinyBERT, section 4: by embeddings or a masked
    language model).

    neighbours(batch, chosen, rng): a new id for each place of `chosen` (bool [B,T]) in reading order, -1 to keep what
    stands there; `table_neighbours` makes one.
    """
    ids = batch["input_ids"]
    chosen = changeable(batch, vocabulary) & (rng.random(ids.shape) < rate)
    found = np.asarray(neighbours(batch, chosen, rng))
    if found.shape != (int(chosen.sum()),):
        raise ValueError(f"neighbours gave an array {list(found.shape)}; expected an id for each of the {chosen.sum()} "
                         "places")
    changed = ids.copy()
    changed[chosen] = np.where(found >= 0, found, ids[chosen])
    return {**batch, "input_ids": changed.astype(np.int32)}


def table_neighbours(table: np.ndarray) -> Neighbours:
    """Neighbours of each token, whatever stands around it: a row of `table [V,k]`, each as likely; -1 where it has
    fewer than k (it then keeps its place as often)."""
    def neighbours(batch: dict, chosen: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        ids = batch["input_ids"][chosen]
        return table[ids, rng.integers(table.shape[1], size=len(ids))]

    return neighbours


def nearest_embeddings(embeddings: np.ndarray, count: int = 8, groups: np.ndarray | None = None,
                       least: float = 0.0) -> np.ndarray:
    """int32 [V,count]: for each row of `embeddings [V,D]` the nearest others by cosine, the nearest first.

    groups: [V] numbers; only tokens of the same one are neighbours (starts and continuations of words, for example), and
    those of group -1 have none (special tokens). least: cosine below which there is no neighbour, but -1.
    """
    unit = np.asarray(embeddings, np.float32)
    unit = unit / np.maximum(np.linalg.norm(unit, axis=1, keepdims=True), 1e-12)
    groups = np.zeros(len(unit), int) if groups is None else np.asarray(groups)
    table = np.full((len(unit), count), -1, np.int32)
    for group in np.unique(groups[groups >= 0]):
        members = np.flatnonzero(groups == group)
        kept = min(count, len(members) - 1)
        for begin in range(0, len(members), 1024) if kept > 0 else ():
            rows = members[begin:begin + 1024]
            cosine = unit[rows] @ unit[members].T  # [rows, members]
            cosine[np.arange(len(rows)), begin + np.arange(len(rows))] = -np.inf
            near = np.argpartition(-cosine, kept - 1, axis=1)[:, :kept]
            values = np.take_along_axis(cosine, near, 1)
            order = np.argsort(-values, axis=1, kind="stable")
            near, values = np.take_along_axis(near, order, 1), np.take_along_axis(values, order, 1)
            table[rows, :kept] = np.where(values >= least, members[near], -1)
    return table


def sample_ngrams(batch: dict, rng: np.random.Generator, vocabulary: NoiseVocabulary, rate: float = 0.25,
                  longest: int = 5) -> dict:
    """With probability `rate` a row keeps of each of its texts only an n-gram of 1 to `longest` tokens, each length as
    likely (Tang et al. 2019, section 3.2). All arrays of the batch with a column for each token are cut alike.

    Raises ValueError for a batch with places (`start`, `end`), which would point elsewhere.
    """
    if found := [key for key in PLACES if key in batch]:
        raise ValueError(f"n-gram sampling moves tokens, but the batch has places of tokens: {', '.join(found)}; choose "
                         "another augmentation")
    ids = batch["input_ids"]
    text, real = changeable(batch, vocabulary), np.asarray(batch.get("attention_mask", np.ones(ids.shape)), bool)
    keep = real.copy()
    for row in np.flatnonzero(rng.random(len(ids)) < rate):
        for begin, end in _runs(text[row]):
            size = int(rng.integers(1, min(longest, end - begin) + 1))
            first = int(rng.integers(begin, end - size + 1))
            keep[row, begin:first] = keep[row, first + size:end] = False
    changed = dict(batch, attention_mask=real.astype(np.int32))
    for key, value in changed.items():
        if np.shape(value)[:2] == ids.shape and np.ndim(value) == 2:
            (moved,) = gather_left(keep, ids.shape[1], value, fill=vocabulary.pad if key == "input_ids" else 0)
            changed[key] = moved.astype(value.dtype)
    return changed


def _runs(marks: np.ndarray) -> list[tuple[int, int]]:
    """[begin, end) of the runs of True."""
    edges = np.flatnonzero(np.diff(np.r_[0, marks.astype(np.int8), 0]))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist()))


def cut_tokens(batch: dict, rng: np.random.Generator, vocabulary: NoiseVocabulary, rate: float = 0.1) -> dict:
    """Token cut-off (Shen et al. 2020, section 3.1): a share of the tokens is not seen by the others.

    They are hidden through the attention mask, so that the others keep their positions, as where their embeddings are
    taken away after the embedding layer.
    """
    text = changeable(batch, vocabulary)
    return _hidden(batch, choose_exactly(text, share_of(text.sum(1), rate, least=0), rng))


def cut_span(batch: dict, rng: np.random.Generator, vocabulary: NoiseVocabulary, rate: float = 0.1) -> dict:
    """Span cut-off (Shen et al. 2020, section 3.1): a share of the tokens, one after the other (special tokens between
    them stay), is not seen by the others."""
    text = changeable(batch, vocabulary)
    counts = text.sum(1)
    sizes = share_of(counts, rate, least=0)
    first = rng.integers(0, counts - sizes + 1)
    order = np.cumsum(text, axis=1) - 1  # number of the token within its row
    return _hidden(batch, text & (order >= first[:, None]) & (order < (first + sizes)[:, None]))


def _hidden(batch: dict, places: np.ndarray) -> dict:
    mask = np.asarray(batch.get("attention_mask", np.ones(places.shape, np.int32)))
    return {**batch, "attention_mask": np.where(places, 0, mask).astype(np.int32)}

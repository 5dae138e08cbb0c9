"""Array moves that several kinds of noise share; each works on the rows of a batch at once."""

import numpy as np


def choose_exactly(candidates: np.ndarray, count: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """bool [B,N]: in every row min(count [B], candidates) of the candidates [B,N], each subset equally likely."""
    count = np.minimum(count, candidates.sum(1))
    keys = np.where(candidates, rng.random(candidates.shape), 2.0)
    limit = np.take_along_axis(np.sort(keys, 1), np.maximum(count - 1, 0)[:, None], 1)
    return (keys <= limit) & (count > 0)[:, None]


def gather_left(keep: np.ndarray, width: int, *arrays: np.ndarray, fill: int = 0) -> list[np.ndarray]:
    """int32 [B,width] for each array [B,T]: its entries where keep [B,T] is True, moved to the left in their order."""
    rows, columns = np.nonzero(keep)
    counts = keep.sum(1)
    places = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    inside = places < width
    rows, columns, places = rows[inside], columns[inside], places[inside]
    moved = []
    for array in arrays:
        out = np.full((len(keep), width), fill, np.int32)
        out[rows, places] = array[rows, columns]
        moved.append(out)
    return moved


def length_mask(lengths: np.ndarray, width: int) -> np.ndarray:
    """int32 [B,width]: 1 in the first lengths [B] places."""
    return (np.arange(width) < np.asarray(lengths)[:, None]).astype(np.int32)


def share_of(lengths: np.ndarray, rate: float, least: int = 1) -> np.ndarray:
    """int [B]: rate x lengths, rounded, at least `least`."""
    return np.maximum(np.rint(np.asarray(lengths) * rate).astype(np.int64), least)


_MAKERS = {"sentence_ids": "the packings framed, stream, full_sentences and doc_sentences",
           "word_starts": "records of the layout tokens"}


def needed(batch: dict, key: str) -> np.ndarray:
    """An entry that not every batch has; the ValueError says where it comes from."""
    if key not in batch:
        raise ValueError(f"this noise needs {key}, and the batch has only {', '.join(batch)}; {_MAKERS[key]} give it")
    return batch[key]


def body_bounds(batch: dict, vocabulary) -> tuple[np.ndarray, np.ndarray]:
    """(first [B], end [B]): the tokens between a leading and a closing special token, padding left out."""
    ids, lengths = batch["input_ids"], batch["attention_mask"].sum(1)
    special = vocabulary.is_special(ids)
    last = special[np.arange(len(ids)), np.maximum(lengths - 1, 0)]
    first = np.minimum(special[:, 0], lengths)
    return first, np.maximum(lengths - last, first)

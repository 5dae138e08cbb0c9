"""Array operations shared by the noise functions; each processes all rows of a batch at once."""

import numpy as np


def choose_exactly(candidates: np.ndarray, count: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """bool [B,N]: chooses count [B] of the candidates [B,N] of each row, or all; all subsets are equally likely."""
    count = np.minimum(count, candidates.sum(1))
    keys = np.where(candidates, rng.random(candidates.shape), 2.0)
    limit = np.take_along_axis(np.sort(keys, 1), np.maximum(count - 1, 0)[:, None], 1)
    return (keys <= limit) & (count > 0)[:, None]


def gather_left(keep: np.ndarray, width: int, *arrays: np.ndarray, fill: int = 0) -> list[np.ndarray]:
    """int32 [B,width] for each array [B,T]: its entries where keep [B,T] is True, moved to the left, in order."""
    rows, columns = np.nonzero(keep)
    counts = keep.sum(1)
    targets = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    inside = targets < width
    rows, columns, targets = rows[inside], columns[inside], targets[inside]
    moved = []
    for array in arrays:
        out = np.full((len(keep), width), fill, np.int32)
        out[rows, targets] = array[rows, columns]
        moved.append(out)
    return moved


def length_mask(lengths: np.ndarray, width: int) -> np.ndarray:
    """int32 [B,width]: 1 in the first lengths [B] columns of each row."""
    return (np.arange(width) < np.asarray(lengths)[:, None]).astype(np.int32)


def share_of(lengths: np.ndarray, rate: float, least: int = 1) -> np.ndarray:
    """int [B]: rate x lengths, rounded, and at least `least`."""
    return np.maximum(np.rint(np.asarray(lengths) * rate).astype(np.int64), least)


_MAKERS = {"sentence_ids": "the packings framed, stream, full_sentences and doc_sentences",
           "word_starts": "records of the layout tokens"}


def require(batch: dict, key: str) -> np.ndarray:
    """Returns an optional entry of a batch. Raises ValueError, naming what provides it, if it is missing."""
    if key not in batch:
        raise ValueError(f"this noise needs {key}, and the batch has only {', '.join(batch)}; "
                         f"{_MAKERS[key]} provide it")
    return batch[key]


def body_bounds(batch: dict, vocabulary) -> tuple[np.ndarray, np.ndarray]:
    """(first [B], end [B]): the bounds of the tokens between a leading and a closing special token, without padding."""
    ids, lengths = batch["input_ids"], batch["attention_mask"].sum(1)
    special = vocabulary.is_special(ids)
    last = special[np.arange(len(ids)), np.maximum(lengths - 1, 0)]
    first = np.minimum(special[:, 0], lengths)
    return first, np.maximum(lengths - last, first)

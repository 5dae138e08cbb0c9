"""The best rows of a large table, in blocks, without a second copy of it."""

from collections.abc import Callable, Collection

import numpy as np

BLOCK_ROWS = 1 << 14


def norms_of(vectors: np.ndarray) -> np.ndarray:
    """Euclidean norms of the rows, float32 `[V]`; 1 for a row of zeros, so that its cosine with anything is 0."""
    norms = np.empty(len(vectors), np.float32)
    for start in range(0, len(vectors), BLOCK_ROWS):
        norms[start:start + BLOCK_ROWS] = np.linalg.norm(vectors[start:start + BLOCK_ROWS], axis=1)
    return np.where(norms == 0, np.float32(1), norms)


def scores_of(score: Callable[[np.ndarray, np.ndarray], np.ndarray], vectors: np.ndarray, norms: np.ndarray
              ) -> np.ndarray:
    """`score(rows, their norms)` of all rows, float32 `[V]`."""
    scores = np.empty(len(vectors), np.float32)
    for start in range(0, len(vectors), BLOCK_ROWS):
        stop = start + BLOCK_ROWS
        scores[start:stop] = score(vectors[start:stop], norms[start:stop])
    return scores


def best(scores: np.ndarray, count: int, excluded: Collection[int] = ()) -> np.ndarray:
    """The indices of the `count` highest scores `[..., V]`, highest first, equal ones in their order: `[..., count]`.

    excluded: indices that are left out; the result is shorter then if too few are left.
    """
    count = min(count + len(excluded), scores.shape[-1])
    if count <= 0:
        return np.empty((*scores.shape[:-1], 0), np.int64)
    found = np.sort(np.argpartition(-scores, count - 1, axis=-1)[..., :count], axis=-1)
    order = np.argsort(-np.take_along_axis(scores, found, -1), axis=-1, kind="stable")
    found = np.take_along_axis(found, order, -1)
    if not len(excluded):
        return found
    return found[~np.isin(found, list(excluded))][:count - len(excluded)]

"""Exact search in NumPy: needs no further package, and is the reference for the other indexes."""

import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from tfplm.embed.search.index.vector_index import IndexSettings, Metric, VectorIndex, best, scores_of, unit_rows

_ROWS = 16384  # the number of vectors compared at once, which bounds the memory


class ExactIndex(VectorIndex):
    """All vectors in one array, all of which are compared: H x N multiplications per query. See also Faiss' flat."""

    kind = "exact"

    def __init__(self, dimension: int, settings: IndexSettings | None = None):
        super().__init__(dimension, settings)
        self._ids, self._vectors, self._count = np.zeros(0, np.int64), np.zeros((0, dimension), np.float32), 0

    def add(self, ids, vectors: np.ndarray) -> None:
        ids, vectors = self._checked(ids, vectors)
        end = self._count + len(ids)
        if end > len(self._ids):
            room = max(end, len(self._ids) * 3 // 2)
            self._ids, self._vectors = (_grown(array, self._count, room) for array in (self._ids, self._vectors))
        self._ids[self._count:end], self._vectors[self._count:end] = ids, vectors
        self._count = end

    def remove(self, ids) -> int:
        kept = ~np.isin(self._ids[:self._count], np.asarray(ids, np.int64))
        before, self._count = self._count, int(kept.sum())
        if self._count < before:
            self._ids, self._vectors = self._ids[:before][kept], self._vectors[:before][kept]
        return before - self._count

    def search(self, vectors: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        k, queries = self._width(k), self._prepared(vectors)
        metric = "l2" if self.settings.metric == "l2" else "inner_product"  # already normalized
        blocks = [slice(start, min(start + _ROWS, self._count)) for start in range(0, self._count, _ROWS)]
        return exact_search(((self._ids[block], self._vectors[block]) for block in blocks), queries, k, metric)

    def ids(self) -> np.ndarray:
        return self._ids[:self._count].copy()

    def __len__(self) -> int:
        return self._count

    @property
    def memory(self) -> int:
        return self._ids.nbytes + self._vectors.nbytes

    def save(self, folder) -> None:
        np.save(Path(folder, "ids.npy"), self._ids[:self._count])
        np.save(Path(folder, "vectors.npy"), self._vectors[:self._count])
        about = {"kind": self.kind, "dimension": self.dimension, "settings": vars(self.settings)}
        Path(folder, "index.json").write_text(json.dumps(about), encoding="utf-8")

    @classmethod
    def load(cls, folder) -> "ExactIndex":
        try:
            about = json.loads(Path(folder, "index.json").read_text(encoding="utf-8"))
            index = cls(about["dimension"], IndexSettings(**about["settings"]))
            index._ids = np.load(Path(folder, "ids.npy"), allow_pickle=False)
            index._vectors = np.load(Path(folder, "vectors.npy"), allow_pickle=False)
        except (OSError, KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{folder} has no readable vectors ({error})") from error
        index._count = len(index._ids)
        if index._vectors.shape != (index._count, index.dimension):
            raise ValueError(f"{folder}: {index._count} ids and vectors of shape {index._vectors.shape}, expected "
                             f"({index._count}, {index.dimension})")
        return index


def exact_search(blocks: Iterable[tuple[np.ndarray, np.ndarray]], queries: np.ndarray, k: int, metric: Metric
                 ) -> tuple[np.ndarray, np.ndarray]:
    """The k nearest of `(ids [n], vectors [n,H])` given in blocks; returns the same as `VectorIndex.search`."""
    queries = unit_rows(queries) if metric == "cosine" else queries
    scores = np.zeros((len(queries), 0), np.float32)
    found = np.zeros((len(queries), 0), np.int64)
    for ids, vectors in blocks:
        fresh = scores_of(queries, vectors, metric)
        merged = np.concatenate([found, np.broadcast_to(ids, fresh.shape)], 1)
        scores, found = best(np.concatenate([scores, fresh], 1), merged, k)
    return scores, found


def _grown(array: np.ndarray, used: int, room: int) -> np.ndarray:
    grown = np.empty((room, *array.shape[1:]), array.dtype)
    grown[:used] = array[:used]
    return grown

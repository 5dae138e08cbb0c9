"""Recall and speed of approximate indexes compared with exact search."""

import dataclasses
import time
from pathlib import Path

import numpy as np

from tfplm.embed.search.index.exact import exact_search
from tfplm.embed.search.index.vector_index import Metric, VectorIndex, best, scores_of
from tfplm.embed.search.records.records import Records

_SAME = 1e-6  # the rounding tolerance of the scores of vectors of length 1


@dataclasses.dataclass(frozen=True)
class RecallReport:
    """The recall of an index.

    - recall: the share of the exact k nearest that were found, 0 to 1, averaged over the queries;
    - worst: the lowest recall of a query;
    - milliseconds, exact_milliseconds: per query, if all queries are searched together;
    - memory: estimated, in bytes.
    """

    kind: str
    k: int
    vectors: int
    queries: int
    recall: float
    worst: float
    milliseconds: float
    exact_milliseconds: float
    memory: int

    def __str__(self) -> str:
        return (f"{self.kind}: recall@{self.k} {self.recall:.4f} (worst query {self.worst:.2f}), "
                f"{self.milliseconds:.3f} ms per query, exact search {self.exact_milliseconds:.3f} ms; "
                f"{self.vectors:,} vectors, {self.memory / 2**20:,.1f} MiB, {self.queries:,} queries")


def recall_of(found: np.ndarray, expected: np.ndarray, alike: np.ndarray | None = None) -> np.ndarray:
    """float `[Q]`: the share of the expected ids `[Q,k]`, without -1, that are among the found ids `[Q,n]`.

    alike: bool `[Q,n]`, True for found ids that are as near as the k-th expected one and therefore count as well.
    """
    alike = np.zeros(found.shape, bool) if alike is None else alike
    shares = [min(((np.isin(left, right[right >= 0]) | ties) & (left >= 0)).sum() / (right >= 0).sum(), 1.0)
              if (right >= 0).any() else 1.0 for left, right, ties in zip(found, expected, alike)]
    return np.array(shares, float)


def least_scores(scores: np.ndarray, queries: np.ndarray, metric: Metric) -> np.ndarray:
    """`[Q]`: the k-th of the exact scores `[Q,k]` minus the rounding tolerance; a hit with this score is as near."""
    size = 1 if metric == "cosine" else np.maximum(1, (np.asarray(queries, np.float32) ** 2).sum(-1))
    return scores[:, -1] - _SAME * size if scores.shape[1] else np.full(len(scores), np.inf)


def recall_report(index: VectorIndex, exact: VectorIndex, queries: np.ndarray, k: int = 10) -> RecallReport:
    """Searches an index and an exact one with the same vectors for the k nearest of queries `[Q,H]`.

    Raises ValueError without queries, or if the numbers of vectors differ.
    """
    require_queries(queries)
    if len(index) != len(exact):
        raise ValueError(f"the index has {len(index)} vectors and the exact one {len(exact)}: expected the same ones")
    (_, found), seconds = _timed(index.search, queries, k)
    (scores, expected), exact_seconds = _timed(exact.search, queries, k)
    alike = _alike(exact, queries, found, least_scores(scores, queries, exact.settings.metric))
    return report(index, recall_of(found, expected, alike), (seconds, exact_seconds), k)


def require_queries(queries: np.ndarray) -> None:
    """Raises ValueError if there are no queries."""
    if not len(queries):
        raise ValueError("a recall report needs queries, found none; give some")


def report(index: VectorIndex, recalls: np.ndarray, seconds: tuple[float, float], k: int) -> RecallReport:
    """The report from the recall of each query `[Q]` and the total seconds of both searches."""
    each = 1000 / len(recalls)
    return RecallReport(index.kind, k, len(index), len(recalls), float(recalls.mean()), float(recalls.min()),
                        seconds[0] * each, seconds[1] * each, index.memory)


def _alike(exact: VectorIndex, queries: np.ndarray, found: np.ndarray, least: np.ndarray) -> np.ndarray:
    """bool `[Q,k]`: True if the exact score of a hit is at least `least`."""
    width = found.shape[1]
    while True:  # until all further ones are further away
        width *= 2
        scores, ids = exact.search(queries, max(width, 1))
        if width >= len(exact) or (scores[:, -1] < least).all():
            break
    return np.stack([np.isin(row, there[near >= limit]) for row, there, near, limit in zip(found, ids, scores, least)])


def _timed(function, *arguments):
    start = time.perf_counter()
    return function(*arguments), time.perf_counter() - start


def nearest(index: VectorIndex, records: Records, vectors: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Exact scores float32 `[Q,n]` and slots int64 `[Q,n]` of the nearest, n <= k, best first; -1 fills short rows."""
    if index.exact_scores:
        return index.search(vectors, k)
    _, slots = index.search(vectors, k * index.candidates)
    known = records.vectors(np.unique(slots[slots >= 0]))
    scores = np.full(slots.shape, -np.inf, np.float32)
    for row, candidates in enumerate(slots):
        exist = np.array([int(slot) in known for slot in candidates], bool)
        if exist.any():
            found = np.stack([known[int(slot)] for slot in candidates[exist]])
            scores[row, exist] = scores_of(vectors[row:row + 1], found, index.settings.metric)[0]
    slots = np.where(np.isfinite(scores), slots, -1)
    return best(scores, slots, min(k, slots.shape[1]))


def measure(index: VectorIndex, records: Records, queries: np.ndarray, k: int) -> RecallReport:
    """Compares `nearest` with exact search over all records, read page by page. Raises ValueError without queries."""
    require_queries(queries)
    metric: Metric = index.settings.metric
    start = time.perf_counter()
    scores, found = nearest(index, records, queries, k)
    middle = time.perf_counter()
    exact_scores, expected = exact_search(records.pages(), queries, k, metric)
    seconds = middle - start, time.perf_counter() - middle
    alike = scores >= least_scores(exact_scores, queries, metric)[:, None]  # exact scores, with any kind of index
    return report(index, recall_of(found, expected, alike), seconds, k)


def sample_queries(records: Records, count: int, folder: Path) -> np.ndarray:
    """The vectors `[Q,H]` of a random sample of the records. Raises ValueError if there are no records."""
    slots = np.random.default_rng(0).permutation(records.slots())[:count]
    if not len(slots):
        raise ValueError(f"{folder} has no records to measure the recall with: add some")
    return np.stack(list(records.vectors(slots).values()))

"""How much of what exact search finds an approximate index finds as well, and in what time."""

import dataclasses
import time
from pathlib import Path

import numpy as np

from tfplm.embed.search.index.exact import exact_search
from tfplm.embed.search.index.vector_index import Metric, VectorIndex, best, scores_of
from tfplm.embed.search.records.records import Records

_SAME = 1e-6  # of scores of vectors of length 1, that are the same but for rounding


@dataclasses.dataclass(frozen=True)
class RecallReport:
    """recall: the share of the exact k nearest that were found, 0 to 1, mean over the queries; worst: of one query.

    milliseconds, exact_milliseconds: a query, when all are asked together. memory: bytes, estimated.
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
                f"{self.milliseconds:.3f} ms a query, exact search {self.exact_milliseconds:.3f} ms; "
                f"{self.vectors:,} vectors, {self.memory / 2**20:,.1f} MiB, {self.queries:,} queries")


def recall_of(found: np.ndarray, expected: np.ndarray, alike: np.ndarray | None = None) -> np.ndarray:
    """ids `[Q,n]` and `[Q,k]` -> float `[Q]`: the share of the expected ones, -1 aside, that were found.

    alike: bool `[Q,n]`, found ones that are as near as the k-th expected one, and count as well: ties have no order.
    """
    alike = np.zeros(found.shape, bool) if alike is None else alike
    shares = [min(((np.isin(left, right[right >= 0]) | ties) & (left >= 0)).sum() / (right >= 0).sum(), 1.0)
              if (right >= 0).any() else 1.0 for left, right, ties in zip(found, expected, alike)]
    return np.array(shares, float)


def least_scores(scores: np.ndarray, queries: np.ndarray, metric: Metric) -> np.ndarray:
    """The k-th of the exact scores `[Q,k]`, less what float32 may differ by: `[Q]`, from which on a hit is as near."""
    size = 1 if metric == "cosine" else np.maximum(1, (np.asarray(queries, np.float32) ** 2).sum(-1))
    return scores[:, -1] - _SAME * size if scores.shape[1] else np.full(len(scores), np.inf)


def recall_report(index: VectorIndex, exact: VectorIndex, queries: np.ndarray, k: int = 10) -> RecallReport:
    """Asks both indexes, which hold the same vectors, for the nearest k of queries `[Q,H]`.

    ValueError where there is no query, or the indexes have other numbers of vectors.
    """
    need_queries(queries)
    if len(index) != len(exact):
        raise ValueError(f"the index has {len(index)} vectors and the exact one {len(exact)}: expected the same ones")
    (_, found), seconds = _timed(index.search, queries, k)
    (scores, expected), exact_seconds = _timed(exact.search, queries, k)
    alike = _alike(exact, queries, found, least_scores(scores, queries, exact.settings.metric))
    return report(index, recall_of(found, expected, alike), (seconds, exact_seconds), k)


def need_queries(queries: np.ndarray) -> None:
    """ValueError where there is none."""
    if not len(queries):
        raise ValueError("a recall report needs queries, found none")


def report(index: VectorIndex, recalls: np.ndarray, seconds: tuple[float, float], k: int) -> RecallReport:
    """The report of the recall of each query, `[Q]`, in the seconds of both indexes."""
    each = 1000 / len(recalls)
    return RecallReport(index.kind, k, len(index), len(recalls), float(recalls.mean()), float(recalls.min()),
                        seconds[0] * each, seconds[1] * each, index.memory)


def _alike(exact: VectorIndex, queries: np.ndarray, found: np.ndarray, least: np.ndarray) -> np.ndarray:
    """bool `[Q,k]`: whether the exact score of what was found is at least that."""
    width = found.shape[1]
    while True:  # until further ones are further away
        width *= 2
        scores, ids = exact.search(queries, max(width, 1))
        if width >= len(exact) or (scores[:, -1] < least).all():
            break
    return np.stack([np.isin(row, there[near >= limit]) for row, there, near, limit in zip(found, ids, scores, least)])


def _timed(function, *arguments):
    begin = time.perf_counter()
    return function(*arguments), time.perf_counter() - begin


_CANDIDATES = {"sq": 3, "ivf_pq": 16, "lsh": 32, "milvus": 3}  # times k, of the kinds whose own scores are coarse


def nearest(index: VectorIndex, records: Records, vectors: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores float32 `[Q,n]` and slots int64 `[Q,n]`, best first, -1 where there are fewer than n <= k."""
    if index.exact_scores:
        return index.search(vectors, k)
    _, slots = index.search(vectors, k * _CANDIDATES[index.kind])
    known = records.vectors(np.unique(slots[slots >= 0]))
    scores = np.full(slots.shape, -np.inf, np.float32)
    for row, numbers in enumerate(slots):
        there = np.array([int(slot) in known for slot in numbers], bool)
        if there.any():
            found = np.stack([known[int(slot)] for slot in numbers[there]])
            scores[row, there] = scores_of(vectors[row:row + 1], found, index.settings.metric)[0]
    slots = np.where(np.isfinite(scores), slots, -1)
    return best(scores, slots, min(k, slots.shape[1]))


def measure(index: VectorIndex, records: Records, queries: np.ndarray, k: int) -> RecallReport:
    """`nearest` beside exact search over all records, which are read page by page. ValueError where there is no query."""
    need_queries(queries)
    metric: Metric = index.settings.metric
    begin = time.perf_counter()
    scores, found = nearest(index, records, queries, k)
    middle = time.perf_counter()
    exact_scores, expected = exact_search(records.pages(), queries, k, metric)
    seconds = middle - begin, time.perf_counter() - middle
    alike = scores >= least_scores(exact_scores, queries, metric)[:, None]  # they are exact, whatever the index
    return report(index, recall_of(found, expected, alike), seconds, k)


def sample_queries(records: Records, count: int, folder: Path) -> np.ndarray:
    """Vectors of some records `[Q,H]`. ValueError where there is none."""
    slots = np.random.default_rng(0).permutation(records.slots())[:count]
    if not len(slots):
        raise ValueError(f"{folder} has no records to measure the recall with")
    return np.stack(list(records.vectors(slots).values()))

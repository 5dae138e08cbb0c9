"""Nearest records: candidates from the vector index, scored exactly by the vectors in the records."""

import time
from pathlib import Path

import numpy as np

from tfplm.embed.search.exact_index import exact_search
from tfplm.embed.search.recall import RecallReport, least_scores, need_queries, recall_of, report
from tfplm.embed.search.records import Records
from tfplm.embed.search.vector_index import Metric, VectorIndex, best, scores_of

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

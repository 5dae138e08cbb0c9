"""How much of what exact search finds an approximate index finds as well, and in what time."""

import dataclasses
import time

import numpy as np

from tfplm.embed.search.vector_index import VectorIndex


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


def recall_of(found: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """ids `[Q,k]` and `[Q,k]` -> float `[Q]`: the share of the expected ones, -1 aside, that were found."""
    shares = [np.isin(right[right >= 0], left).mean() if (right >= 0).any() else 1.0
              for left, right in zip(found, expected)]
    return np.array(shares, float)


def recall_report(index: VectorIndex, exact: VectorIndex, queries: np.ndarray, k: int = 10) -> RecallReport:
    """Asks both indexes, which hold the same vectors, for the nearest k of queries `[Q,H]`.

    ValueError where there is no query, or the indexes have other numbers of vectors.
    """
    if not len(queries):
        raise ValueError("a recall report needs queries, found none")
    if len(index) != len(exact):
        raise ValueError(f"the index has {len(index)} vectors and the exact one {len(exact)}: expected the same ones")
    (_, found), seconds = _timed(index.search, queries, k)
    (_, expected), exact_seconds = _timed(exact.search, queries, k)
    return report(index, found, expected, (seconds, exact_seconds), k)


def report(index: VectorIndex, found: np.ndarray, expected: np.ndarray, seconds: tuple[float, float], k: int
           ) -> RecallReport:
    """The report of ids found `[Q,k]` and expected `[Q,k]`, in the seconds of both."""
    recalls, each = recall_of(found, expected), 1000 / len(found)
    return RecallReport(index.kind, k, len(index), len(found), float(recalls.mean()), float(recalls.min()),
                        seconds[0] * each, seconds[1] * each, index.memory)


def _timed(function, *arguments):
    begin = time.perf_counter()
    return function(*arguments), time.perf_counter() - begin

"""What every vector index can do, and the maths that they share."""

import abc
import dataclasses
import os
from typing import Literal

import numpy as np

from tfplm.embed.encoder.vectors import normalize_rows

Metric = Literal["cosine", "inner_product", "l2"]


@dataclasses.dataclass(frozen=True)
class IndexSettings:
    """How vectors are compared, and the sizes of the approximate kinds; None: by the number of vectors.

    metric: "cosine" (vectors are normalised by the index), "inner_product", or "l2".
    lists, probes: IVF (Sivic and Zisserman 2003): cells, and how many of them a search looks into.
    code_bytes: IVF-PQ (Jegou et al. 2011): bytes that a vector becomes.
    links, build_effort, search_effort: HNSW (Malkov and Yashunin 2016): M, efConstruction, efSearch.
    hash_bits: LSH (Charikar 2002): random projections, a bit each.
    """

    metric: Metric = "cosine"
    lists: int | None = None
    probes: int | None = None
    code_bytes: int | None = None
    links: int = 32
    build_effort: int = 120
    search_effort: int = 96
    hash_bits: int | None = None
    seed: int = 0

    def __post_init__(self):
        if self.metric not in ("cosine", "inner_product", "l2"):
            raise ValueError(f"metric is {self.metric!r}, expected 'cosine', 'inner_product' or 'l2'")
        for name in ("lists", "probes", "code_bytes", "links", "build_effort", "search_effort", "hash_bits"):
            if (value := getattr(self, name)) is not None and value < 1:
                raise ValueError(f"{name} is {value}, expected 1 or more")


class VectorIndex(abc.ABC):
    """Vectors under int64 ids, and the nearest of them.

    Scores are larger for the nearer: cosine, inner product, or minus the squared distance (l2). An id is added once;
    to change its vector, remove it first.

    Attributes:
        kind: "exact", "flat", "ivf", "ivf_pq", "hnsw", "lsh", "sq" or "milvus".
        dimension: numbers of a vector. settings: `IndexSettings`.
    """

    kind = ""
    exact_scores = True  # False: the scores are of compressed vectors
    shared = False  # True: the vectors lie at a server, which several processes use

    def __init__(self, dimension: int, settings: IndexSettings | None = None):
        if dimension < 1:
            raise ValueError(f"dimension is {dimension}, expected 1 or more")
        self.dimension, self.settings = dimension, settings or IndexSettings()

    @property
    def trained(self) -> bool:
        """Whether `train` has been called, or is not needed."""
        return True

    def sample_size(self, total: int) -> int:
        """How many of `total` vectors `train` wants to see."""
        return 0

    def train(self, sample: np.ndarray, total: int | None = None) -> None:  # noqa: B027 (most kinds learn nothing)
        """Learns cells and codes from vectors `[N,H]` like those to come, of which there will be `total`."""

    @abc.abstractmethod
    def add(self, ids, vectors: np.ndarray) -> None:
        """ids: int64 `[N]`, new ones; vectors: float32 `[N,H]`. What is not trained is trained on them."""

    @abc.abstractmethod
    def remove(self, ids) -> int:
        """Takes ids out, those that are not there are passed over; returns how many were there."""

    @abc.abstractmethod
    def search(self, vectors: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """The nearest `k` of each of the vectors `[Q,H]`: scores float32 `[Q,n]` and ids int64 `[Q,n]`, best first.

        n is k, or the size of the index if that is less. Where an approximate kind finds fewer, the rest has id -1
        and score -inf.
        """

    @abc.abstractmethod
    def ids(self) -> np.ndarray:
        """int64 `[N]`, in no order."""

    @abc.abstractmethod
    def __len__(self) -> int:
        """Number of vectors."""

    @property
    @abc.abstractmethod
    def memory(self) -> int:
        """Bytes that the vectors take in this process, estimated."""

    @abc.abstractmethod
    def save(self, folder: str | os.PathLike) -> None:
        """Writes files into an existing folder."""

    @classmethod
    @abc.abstractmethod
    def load(cls, folder: str | os.PathLike) -> "VectorIndex":
        """Reads what `save` wrote. ValueError where that is not to be read."""

    def close(self) -> None:  # noqa: B027 (most kinds hold nothing open)
        """Ends the connection to a server."""

    def _prepared(self, vectors: np.ndarray) -> np.ndarray:
        """Checked, float32, in one piece, normalised for the cosine."""
        vectors = np.ascontiguousarray(vectors, np.float32)
        if vectors.ndim != 2 or vectors.shape[1] != self.dimension:
            raise ValueError(f"this index is for vectors [N,{self.dimension}], found an array of shape {vectors.shape}")
        return normalised(vectors) if self.settings.metric == "cosine" else vectors

    def _numbered(self, ids, vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        ids, vectors = np.ascontiguousarray(ids, np.int64), self._prepared(vectors)
        if ids.shape != (len(vectors),):
            raise ValueError(f"{len(vectors)} vectors need ids of shape [{len(vectors)}], found {ids.shape}")
        return ids, vectors

    def _width(self, k: int) -> int:
        """Hits of a query."""
        if k < 1:
            raise ValueError(f"k is {k}, expected 1 or more")
        return min(k, len(self))


def normalised(vectors: np.ndarray) -> np.ndarray:
    """float32 `[...,H]` of length 1; zeros stay zeros."""
    return normalize_rows(np.asarray(vectors, np.float32))


def scores_of(queries: np.ndarray, vectors: np.ndarray, metric: Metric) -> np.ndarray:
    """`[Q,H]` and `[N,H]` -> `[Q,N]`, or `[...,H]` and `[...,n,H]` -> `[...,n]`; larger is nearer."""
    if metric == "cosine":
        queries, vectors = normalised(queries), normalised(vectors)
    products = queries @ vectors.T if vectors.ndim == 2 else np.einsum("...h,...nh->...n", queries, vectors)
    if metric != "l2":
        return products
    squares = (vectors * vectors).sum(-1)
    return np.minimum(2 * products - squares - (queries * queries).sum(-1, keepdims=True), 0)


def best(scores: np.ndarray, ids: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The k largest of scores `[Q,N]` with their ids `[Q,N]`, best first (ordered by id where equal)."""
    if k < scores.shape[1]:
        kept = np.argpartition(-scores, k - 1, axis=1)[:, :k]
        scores, ids = np.take_along_axis(scores, kept, 1), np.take_along_axis(ids, kept, 1)
    order = np.lexsort((ids, -scores), axis=1)
    return np.take_along_axis(scores, order, 1), np.take_along_axis(ids, order, 1)

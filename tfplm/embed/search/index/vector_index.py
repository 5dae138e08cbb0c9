"""The interface of vector indexes and the arithmetic that they share."""

import abc
import dataclasses
import os
from typing import Literal

import numpy as np

from tfplm.embed.encoder.vectors import normalize_rows

Metric = Literal["cosine", "inner_product", "l2"]


@dataclasses.dataclass(frozen=True)
class IndexSettings:
    """The metric and the sizes of the approximate kinds; None chooses a size by the number of vectors.

    metric: "cosine" (vectors are normalized by the index), "inner_product", or "l2".
    lists, probes: IVF (Sivic and Zisserman 2003): the number of cells, and of those that a search visits; Faiss' nlist
        and nprobe.
    code_bytes, code_bits: product quantization (Jegou et al. 2011): the number of parts of a vector and the bits of each;
        Faiss' m and nbits. With 8 bits a compressed vector has `code_bytes` bytes.
    refine_bytes: IVFADC+R (Jegou et al. 2011b): the bytes of the second code; default: as many as of the first.
    training_vectors: the number of vectors from which cells and codes are learned; default: 64 for each cell. Faiss by
        itself uses all that it is given, up to 256 for each cell.
    links, build_effort, search_effort: HNSW (Malkov and Yashunin 2016): M, efConstruction, efSearch.
    hash_bits: LSH (Charikar 2002): the number of random projections, one bit each.
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
    code_bits: int = 8
    refine_bytes: int | None = None
    training_vectors: int | None = None

    def __post_init__(self):
        if self.metric not in ("cosine", "inner_product", "l2"):
            raise ValueError(f"metric is {self.metric!r}, expected 'cosine', 'inner_product' or 'l2'")
        for name in ("lists", "probes", "code_bytes", "links", "build_effort", "search_effort", "hash_bits", "refine_bytes",
                     "training_vectors"):
            if (value := getattr(self, name)) is not None and value < 1:
                raise ValueError(f"{name} is {value}, expected 1 or more")
        if not 1 <= self.code_bits <= 16:
            raise ValueError(f"code_bits is {self.code_bits}, expected 1 to 16: 8, as usual, gives one byte for each part")


class VectorIndex(abc.ABC):
    """Vectors with int64 ids, and nearest-neighbour search among them.

    A larger score is nearer: cosine, inner product, or negative squared distance (l2). An id may be added once; to
    change its vector, remove it first.

    Attributes:
        kind: "exact", "milvus", or a kind of `FaissIndex`.
        dimension: the number of components of a vector. settings: `IndexSettings`.
        probes, search_effort: those of the settings, until `tune` changes them.
    """

    kind = ""
    exact_scores = True  # False: the scores are those of compressed vectors
    candidates = 1  # for each hit, to find the best by their exact scores
    removes = True  # False: `remove` raises ValueError, and the index must be made again
    shared = False  # True: the vectors are stored in a server, which several processes use

    def __init__(self, dimension: int, settings: IndexSettings | None = None):
        if dimension < 1:
            raise ValueError(f"dimension is {dimension}, expected 1 or more")
        self.dimension, self.settings = dimension, settings or IndexSettings()
        self.probes, self.search_effort = self.settings.probes, self.settings.search_effort

    def tune(self, probes: int | None = None, search_effort: int | None = None) -> None:
        """Changes how much of the index later searches visit; None: no change. Raises ValueError for less than 1."""
        for name, value in (("probes", probes), ("search_effort", search_effort)):
            if value is not None and value < 1:
                raise ValueError(f"{name} is {value}, expected 1 or more")
        self.probes, self.search_effort = probes or self.probes, search_effort or self.search_effort

    @property
    def trained(self) -> bool:
        """True if `train` has been called or is not needed."""
        return True

    def sample_size(self, total: int) -> int:
        """The number of vectors, out of `total`, that `train` needs."""
        return 0

    def train(self, sample: np.ndarray, total: int | None = None) -> None:  # noqa: B027 (most kinds learn nothing)
        """Learns cells and codes from sample vectors `[N,H]`; `total` is the expected number of vectors."""

    @abc.abstractmethod
    def add(self, ids, vectors: np.ndarray) -> None:
        """Adds new ids, int64 `[N]`, with vectors, float32 `[N,H]`. An untrained index is trained on them first."""

    @abc.abstractmethod
    def remove(self, ids) -> int:
        """Removes ids and returns the number of those that existed; unknown ids are ignored."""

    @abc.abstractmethod
    def search(self, vectors: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """The `k` nearest of each query `[Q,H]`: scores float32 `[Q,n]` and ids int64 `[Q,n]`, best first.

        n is k, or the size of the index if that is less. If an approximate kind finds fewer, the rest has id -1 and
        score -inf.
        """

    @abc.abstractmethod
    def ids(self) -> np.ndarray:
        """All ids, int64 `[N]`, in any order."""

    @abc.abstractmethod
    def __len__(self) -> int:
        """The number of vectors."""

    @property
    @abc.abstractmethod
    def memory(self) -> int:
        """The estimated memory of the vectors in this process, in bytes."""

    @abc.abstractmethod
    def save(self, folder: str | os.PathLike) -> None:
        """Writes files into an existing folder."""

    @classmethod
    @abc.abstractmethod
    def load(cls, folder: str | os.PathLike) -> "VectorIndex":
        """Loads the files written by `save`. Raises ValueError if they cannot be read."""

    def close(self) -> None:  # noqa: B027 (most kinds have nothing to close)
        """Closes the connection to a server."""

    def _prepared(self, vectors: np.ndarray) -> np.ndarray:
        """Checks vectors and returns them as contiguous float32, normalized for the cosine."""
        vectors = np.ascontiguousarray(vectors, np.float32)
        if vectors.ndim != 2 or vectors.shape[1] != self.dimension:
            raise ValueError(f"this index is for vectors [N,{self.dimension}], found an array of shape {vectors.shape}")
        return unit_rows(vectors) if self.settings.metric == "cosine" else vectors

    def _checked(self, ids, vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        ids, vectors = np.ascontiguousarray(ids, np.int64), self._prepared(vectors)
        if ids.shape != (len(vectors),):
            raise ValueError(f"{len(vectors)} vectors need ids of shape [{len(vectors)}], found {ids.shape}")
        return ids, vectors

    def _width(self, k: int) -> int:
        """The number of hits per query."""
        if k < 1:
            raise ValueError(f"k is {k}, expected 1 or more")
        return min(k, len(self))


def unit_rows(vectors: np.ndarray) -> np.ndarray:
    """float32 `[...,H]` with length 1; zero vectors stay zero."""
    return normalize_rows(np.asarray(vectors, np.float32))


def scores_of(queries: np.ndarray, vectors: np.ndarray, metric: Metric) -> np.ndarray:
    """Scores `[Q,N]` of `[Q,H]` and `[N,H]`, or `[...,n]` of `[...,H]` and `[...,n,H]`; larger is nearer."""
    if metric == "cosine":
        queries, vectors = unit_rows(queries), unit_rows(vectors)
    products = queries @ vectors.T if vectors.ndim == 2 else np.einsum("...h,...nh->...n", queries, vectors)
    if metric != "l2":
        return products
    squares = (vectors * vectors).sum(-1)
    return np.minimum(2 * products - squares - (queries * queries).sum(-1, keepdims=True), 0)


def best(scores: np.ndarray, ids: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The k largest of scores `[Q,N]` with their ids `[Q,N]`, best first (equal scores in the order of ids)."""
    if k < scores.shape[1]:
        kept = np.argpartition(-scores, k - 1, axis=1)[:, :k]
        scores, ids = np.take_along_axis(scores, kept, 1), np.take_along_axis(ids, kept, 1)
    order = np.lexsort((ids, -scores), axis=1)
    return np.take_along_axis(scores, order, 1), np.take_along_axis(ids, order, 1)

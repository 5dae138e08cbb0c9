"""The indexes of Faiss (Johnson et al. 2017; Douze et al. 2024) as `VectorIndex`."""

import json
import math
import os
from pathlib import Path

import numpy as np

from tfplm.embed.search.index.vector_index import IndexSettings, VectorIndex

KINDS = ("flat", "ivf", "ivf_pq", "hnsw", "lsh", "sq")
SAMPLE_PER_LIST = 64  # training vectors per cell of IVF
_CODES = 256  # centroids for each part of a product-quantized vector
_DEAD = 0.5  # the share of removed nodes above which a graph is rebuilt


def faiss_module():
    """Imports the `faiss` package. Raises ImportError, with the install command, if it is missing."""
    try:
        import faiss
    except ImportError as error:
        raise ImportError("this kind of index needs Faiss: pip install -e '.[search]', or use kind 'exact'") from error
    return faiss


def lists_for(total: int) -> int:
    """The number of IVF cells for `total` vectors: 2 sqrt(N)."""
    return max(1, round(2 * math.sqrt(total)))


def code_bytes_for(dimension: int) -> int:
    """The number of bytes of a product-quantized vector: one for every 4 numbers, 1/16 of float32."""
    return -(-dimension // 4)


def hash_bits_for(dimension: int) -> int:
    """The number of bits of LSH: 4 for every number, 1/8 of float32; a multiple of 8."""
    return max(64, -(-dimension // 2) * 8)


class FaissIndex(VectorIndex):
    """An index of one of Faiss' kinds.

    ========  ============================================  ===============  =============================
    kind      method                                        bytes            compared with flat
    ========  ============================================  ===============  =============================
    flat      compares every vector                         4 H              exact
    sq        the same, 8 bits per number                   H                nearly exact, also linear
    lsh       the same, signs of random projections         H / 2            coarse; rescore its hits
    ivf       only the cells nearest to the query           4 H              fast, recall set by `probes`
    ivf_pq    the same, vectors as codes                    H / 4            smallest; rescore its hits
    hnsw      a graph of neighbours                         4 H + 8 links    fastest, slow to build
    ========  ============================================  ===============  =============================

    Nodes cannot be removed from a graph: searches in hnsw skip removed ones, and the graph is rebuilt when half of it
    has been removed (or by `compact`).
    """

    def __init__(self, kind: str, dimension: int, settings: IndexSettings | None = None):
        super().__init__(dimension, settings)
        if kind not in KINDS:
            raise ValueError(f"kind is {kind!r}, expected one of {', '.join(KINDS)}")
        self.kind, self._faiss = kind, faiss_module()
        self.exact_scores = kind in ("flat", "ivf", "hnsw")
        # product quantization splits vectors into equal parts: padding with zeros changes no product and no distance
        self._wide = dimension
        if kind == "ivf_pq":
            parts = self.settings.code_bytes or code_bytes_for(dimension)
            self._wide = -(-dimension // parts) * parts
        self._index = None if kind in ("ivf", "ivf_pq") else self._id_mapped_index()
        self._dead = np.zeros(0, np.int64)

    @property
    def trained(self) -> bool:
        return self._index is not None and self._index.is_trained

    def sample_size(self, total: int) -> int:
        if self.kind in ("ivf", "ivf_pq"):
            return max(SAMPLE_PER_LIST * (self.settings.lists or lists_for(total)), 40 * _CODES)
        return 20_000 if self.kind in ("sq", "lsh") else 0

    def train(self, sample: np.ndarray, total: int | None = None) -> None:
        """Learns cells and codes. For IVF, 64 vectors per cell are best. Raises ValueError for too few vectors."""
        if self.trained:
            return
        sample = self._widened(self._prepared(sample))
        fewest = _CODES if self.kind == "ivf_pq" else 1
        if len(sample) < fewest:
            raise ValueError(f"an index of kind {self.kind} needs at least {fewest} training vectors, found "
                             f"{len(sample)}: use kind 'flat'")
        if self._index is None:
            lists = self.settings.lists or lists_for(total or len(sample))
            self._index = self._inverted(min(lists, len(sample)))
        self._index.train(sample)

    def add(self, ids, vectors: np.ndarray) -> None:
        ids, vectors = self._checked(ids, vectors)
        if not len(ids):
            return
        if not self.trained:
            chosen = np.random.default_rng(self.settings.seed).permutation(len(vectors))[:self.sample_size(len(vectors))]
            self.train(vectors[np.sort(chosen)], len(vectors))
        if len(self._dead) and np.isin(ids, self._dead).any():
            self.compact()  # the graph still has nodes with these ids
        self._index.add_with_ids(self._widened(vectors), ids)

    def remove(self, ids) -> int:
        ids = np.unique(np.asarray(ids, np.int64))
        if self._index is None or not len(ids):
            return 0
        if self.kind != "hnsw":
            return int(self._index.remove_ids(ids))
        present = np.setdiff1d(np.intersect1d(ids, self._all_ids()), self._dead)
        self._dead = np.union1d(self._dead, present)
        if len(self._dead) > _DEAD * self._index.ntotal:
            self.compact()
        return len(present)

    def compact(self) -> None:
        """Rebuilds the graph of hnsw without the removed nodes; does nothing for other kinds."""
        if not len(self._dead):
            return
        old, ids = self._index, self._all_ids()
        kept = np.flatnonzero(~np.isin(ids, self._dead))
        vectors = self._faiss.downcast_index(old.index).storage.reconstruct_n(0, old.ntotal)
        self._index, self._dead = self._id_mapped_index(), np.zeros(0, np.int64)
        if len(kept):
            self._index.add_with_ids(np.ascontiguousarray(vectors[kept]), ids[kept])

    def search(self, vectors: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        k, queries = self._width(k), self._widened(self._prepared(vectors))
        if not k or not len(queries):
            return np.zeros((len(queries), k), np.float32), np.zeros((len(queries), k), np.int64)
        scores, ids = self._index.search(queries, k, params=self._parameters(k))
        if self.kind == "lsh" or self.settings.metric == "l2":
            scores = -scores
        scores[ids < 0] = -np.inf
        return scores, ids

    def ids(self) -> np.ndarray:
        return np.setdiff1d(self._all_ids(), self._dead) if len(self._dead) else self._all_ids()

    def __len__(self) -> int:
        return 0 if self._index is None else self._index.ntotal - len(self._dead)

    @property
    def memory(self) -> int:
        count = 0 if self._index is None else self._index.ntotal
        return count * bytes_per_vector(self.kind, self.dimension, self.settings)

    def save(self, folder: str | os.PathLike) -> None:
        about = {"kind": self.kind, "dimension": self.dimension, "settings": vars(self.settings),
                 "empty": self._index is None}
        if self._index is not None:
            self._faiss.write_index(self._index, str(Path(folder, "vectors.faiss")))
        np.save(Path(folder, "removed.npy"), self._dead)
        Path(folder, "index.json").write_text(json.dumps(about), encoding="utf-8")

    @classmethod
    def load(cls, folder: str | os.PathLike) -> "FaissIndex":
        try:
            about = json.loads(Path(folder, "index.json").read_text(encoding="utf-8"))
            index = cls(about["kind"], about["dimension"], IndexSettings(**about["settings"]))
            index._dead = np.load(Path(folder, "removed.npy"), allow_pickle=False)
            if not about["empty"]:
                index._index = index._faiss.read_index(str(Path(folder, "vectors.faiss")))
        except (OSError, KeyError, TypeError, ValueError, RuntimeError) as error:
            raise ValueError(f"{folder} has no readable vectors ({error})") from error
        if index._index is not None and index._index.d != index._wide:
            raise ValueError(f"{folder}: vectors of {index._index.d} numbers, expected {index._wide}")
        return index

    def _metric(self) -> int:
        return self._faiss.METRIC_L2 if self.settings.metric == "l2" else self._faiss.METRIC_INNER_PRODUCT

    def _id_mapped_index(self):
        """An empty index of a kind without cells, wrapped in one that maps positions to ids."""
        faiss, size, settings = self._faiss, self.dimension, self.settings
        if self.kind == "flat":
            inner = faiss.IndexFlat(size, self._metric())
        elif self.kind == "sq":
            inner = faiss.IndexScalarQuantizer(size, faiss.ScalarQuantizer.QT_8bit, self._metric())
        elif self.kind == "lsh":  # rotated; a bit is set if the number is above its median
            inner = faiss.IndexLSH(size, settings.hash_bits or hash_bits_for(size), True, True)
        else:
            inner = faiss.IndexHNSWFlat(size, settings.links, self._metric())
            inner.hnsw.efConstruction = settings.build_effort
        return faiss.IndexIDMap2(inner)

    def _inverted(self, lists: int):
        faiss, metric = self._faiss, self._metric()
        cells = faiss.IndexFlat(self._wide, metric)
        if self.kind == "ivf":
            index = faiss.IndexIVFFlat(cells, self._wide, lists, metric)
        else:
            parts = self.settings.code_bytes or code_bytes_for(self.dimension)
            index = faiss.IndexIVFPQ(cells, self._wide, lists, parts, 8, metric)
            index.pq.cp.seed, index.pq.cp.min_points_per_centroid = self.settings.seed + 1, 1
        index.cp.seed, index.cp.min_points_per_centroid = self.settings.seed + 1, 1
        index.cp.spherical = self.settings.metric == "cosine"
        return index

    def _parameters(self, k: int):
        faiss, settings = self._faiss, self.settings
        if self.kind == "hnsw":
            living = {"sel": faiss.IDSelectorNot(faiss.IDSelectorBatch(self._dead))} if len(self._dead) else {}
            return faiss.SearchParametersHNSW(efSearch=max(settings.search_effort, k), **living)
        if self.kind in ("ivf", "ivf_pq"):
            lists = self._index.nlist
            return faiss.SearchParametersIVF(nprobe=min(settings.probes or max(8, lists // 32), lists))
        return None

    def _all_ids(self) -> np.ndarray:
        """All ids, including removed nodes of a graph."""
        if self._index is None:
            return np.zeros(0, np.int64)
        if self.kind not in ("ivf", "ivf_pq"):
            return self._faiss.vector_to_array(self._index.id_map)
        cells = self._index.invlists
        parts = [self._faiss.rev_swig_ptr(cells.get_ids(cell), size).copy()
                 for cell in range(self._index.nlist) if (size := cells.list_size(cell))]
        return np.concatenate([np.zeros(0, np.int64), *parts])

    def _widened(self, vectors: np.ndarray) -> np.ndarray:
        missing = self._wide - vectors.shape[1]
        return np.pad(vectors, ((0, 0), (0, missing))) if missing > 0 else vectors


def bytes_per_vector(kind: str, dimension: int, settings: IndexSettings) -> int:
    """The estimated memory of a vector, including its id, in an index of this kind."""
    sizes = {
        "exact": 4 * dimension, "flat": 4 * dimension, "ivf": 4 * dimension, "sq": dimension,
        "hnsw": 4 * dimension + 4 * 2 * settings.links + 16,
        "ivf_pq": settings.code_bytes or code_bytes_for(dimension),
        "lsh": (settings.hash_bits or hash_bits_for(dimension)) // 8,
    }
    return sizes[kind] + 8

"""The indexes of Faiss (Johnson et al. 2017; Douze et al. 2024) as `VectorIndex`."""

import json
import os
from pathlib import Path

import numpy as np

from tfplm.embed.search.index.faiss_factory import (
    core_of,
    empty_index,
    faiss_module,
    is_mapped,
    keeps_vectors,
    reason,
    removes,
)
from tfplm.embed.search.index.faiss_kinds import (
    CANDIDATES,
    INVERTED,
    KINDS,
    QUANTIZED,
    bytes_per_vector,
    check_known,
    factory_string,
    fewest_vectors,
    lists_for,
    resolve,
    width_of,
)
from tfplm.embed.search.index.vector_index import IndexSettings, VectorIndex

SAMPLE_PER_LIST = 64  # training vectors per cell of IVF
_SAMPLE = 20_000  # training vectors of a kind without cells
_DEAD = 0.5  # the share of removed nodes above which a graph is rebuilt


class FaissIndex(VectorIndex):
    """An index of Faiss.

    ========  ============================================  ===============  =============================
    kind      method                                        bytes            compared with flat
    ========  ============================================  ===============  =============================
    flat      compares every vector                         4 H              exact
    sq        the same, 8 bits per number                   H                nearly exact, also linear
    pq        the same, parts of a vector as codes          H / 4            small; rescore its hits
    lsh       the same, signs of random projections         H / 2            coarse; rescore its hits
    ivf       only the cells nearest to the query           4 H              fast, recall set by `probes`
    ivf_sq    the same, 8 bits per number                   H                a quarter of the memory
    ivf_pq    the same, differences from cells as codes     H / 4            smallest; rescore its hits
    ivf_pqr   the same, with codes of what codes leave      H / 2            better scores
    hnsw      a graph of neighbours                         4 H + 8 links    fastest, slow to build
    ========  ============================================  ===============  =============================

    Other names of kinds are Faiss' classes (`IndexIVFPQ`), and other kinds the strings of its `index_factory`
    ("OPQ16,IVF1024,PQ16"); see `faiss_kinds`. In a string the numbers are Faiss' own: nothing is padded, and only the
    settings that it leaves open (`probes`, `build_effort`, `search_effort`, `seed`) are set.

    Nodes cannot be removed from a graph: searches in hnsw skip removed ones, and the graph is rebuilt when half of it
    has been removed (or by `compact`). From ivf_pqr, and from some strings, nothing can be removed (`removes`).

    Raises ValueError for a kind that Faiss cannot make for this dimension.
    """

    def __init__(self, kind: str, dimension: int, settings: IndexSettings | None = None):
        kind, settings = resolve(kind, settings or IndexSettings())
        super().__init__(dimension, settings)
        check_known(kind)
        self.kind, self._faiss = kind, faiss_module()
        self._wide, self._codes = width_of(kind, dimension, settings), 1 << settings.code_bits
        self._dead = np.zeros(0, np.int64)
        sketch = self._empty(1)  # tells what an index of this kind can do
        self._index = None if kind in INVERTED else sketch
        self._learns = not sketch.is_trained
        self._graph = is_mapped(sketch) and isinstance(self._faiss.downcast_index(sketch.index), self._faiss.IndexHNSWFlat)
        self.exact_scores = keeps_vectors(sketch)
        self.candidates = 1 if self.exact_scores else CANDIDATES.get(kind, 16)
        self.removes = self._graph or removes(sketch)

    @property
    def trained(self) -> bool:
        return self._index is not None and self._index.is_trained

    def sample_size(self, total: int) -> int:
        if not self._learns:
            return 0
        if self.settings.training_vectors is not None:
            return self.settings.training_vectors
        if self.kind in INVERTED:
            return max(SAMPLE_PER_LIST * (self.settings.lists or lists_for(total)), 40 * self._codes)
        if self.kind in KINDS:
            return max(_SAMPLE, 40 * self._codes) if self.kind in QUANTIZED else _SAMPLE
        return max(SAMPLE_PER_LIST * fewest_vectors(self.kind, self.settings), _SAMPLE)

    def train(self, sample: np.ndarray, total: int | None = None) -> None:
        """Learns cells and codes. For IVF, 64 vectors per cell are best. Raises ValueError for too few vectors."""
        if self.trained:
            return
        sample = self._widened(self._prepared(sample))
        fewest = self._codes if self.kind in QUANTIZED else 1
        if len(sample) < fewest:
            raise ValueError(f"an index of kind {self.kind} needs at least {fewest} training vectors, found "
                             f"{len(sample)}: use kind 'flat'")
        index = self._index
        if index is None:
            lists = self.settings.lists
            if lists is not None and lists > len(sample):
                raise ValueError(f"there are {len(sample):,} training vectors for {lists:,} cells, expected at least one "
                                 "for each: choose fewer cells (--lists), or more vectors (--training-vectors)")
            index = self._empty(lists or min(lists_for(total or len(sample)), len(sample)))
        try:
            index.train(sample)
        except RuntimeError as error:
            raise ValueError(f"{self.kind} cannot be trained on {len(sample):,} vectors ({reason(error)}): give it more "
                             "vectors (--training-vectors), or choose smaller numbers") from error
        self._index = index

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
        if self._graph:
            present = np.setdiff1d(np.intersect1d(ids, self._all_ids()), self._dead)
            self._dead = np.union1d(self._dead, present)
            if len(self._dead) > _DEAD * self._index.ntotal:
                self.compact()
            return len(present)
        if not self.removes:
            if not (count := int(np.isin(ids, self._all_ids()).sum())):
                return 0
            raise ValueError(f"an index of kind {self.kind} cannot remove vectors, and {count:,} were to be removed: make "
                             "it again without them, or choose a kind that can, such as ivf_pq")
        return int(self._index.remove_ids(ids))

    def compact(self) -> None:
        """Rebuilds the graph of hnsw without the removed nodes; does nothing for other kinds."""
        if not len(self._dead):
            return
        old, ids = self._index, self._all_ids()
        kept = np.flatnonzero(~np.isin(ids, self._dead))
        vectors = self._faiss.downcast_index(old.index).storage.reconstruct_n(0, old.ntotal)
        self._index, self._dead = self._empty(), np.zeros(0, np.int64)
        if len(kept):
            self._index.add_with_ids(np.ascontiguousarray(vectors[kept]), ids[kept])

    def search(self, vectors: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        k, queries = self._width(k), self._widened(self._prepared(vectors))
        if not k or not len(queries):
            return np.zeros((len(queries), k), np.float32), np.zeros((len(queries), k), np.int64)
        scores, ids = self._index.search(queries, k, params=self._parameters())
        if self._index.metric_type == self._faiss.METRIC_L2:
            of_signs = isinstance(core_of(self._index), self._faiss.IndexLSH)
            scores = 1 - scores / 2 if self.settings.metric == "cosine" and not of_signs else -scores
        scores[ids < 0] = -np.inf
        return scores, ids

    def tune(self, probes: int | None = None, search_effort: int | None = None) -> None:
        super().tune(probes, search_effort)
        if self._index is not None:
            self._set_effort(self._index)

    def ids(self) -> np.ndarray:
        return np.setdiff1d(self._all_ids(), self._dead) if len(self._dead) else self._all_ids()

    def __len__(self) -> int:
        return 0 if self._index is None else self._index.ntotal - len(self._dead)

    @property
    def memory(self) -> int:
        count = 0 if self._index is None else self._index.ntotal
        if self.kind in KINDS:
            return count * bytes_per_vector(self.kind, self.dimension, self.settings)
        return count * (getattr(core_of(self._index), "code_size", 4 * self.dimension) + 8)

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
        index.tune()
        return index

    def _empty(self, lists: int = 0):
        string = factory_string(self.kind, self.dimension, self.settings, lists)
        index = empty_index(string, self._wide, self.settings)
        self._set_effort(index)
        return index

    def _set_effort(self, index) -> None:
        core = core_of(index)
        if isinstance(core, self._faiss.IndexIVF):
            core.nprobe = min(self.probes or max(8, core.nlist // 32), core.nlist)
        if isinstance(core, self._faiss.IndexHNSW):
            core.hnsw.efSearch = self.search_effort

    def _parameters(self):
        faiss = self._faiss
        if not len(self._dead):
            return None
        return faiss.SearchParametersHNSW(efSearch=self.search_effort,
                                          sel=faiss.IDSelectorNot(faiss.IDSelectorBatch(self._dead)))

    def _all_ids(self) -> np.ndarray:
        """All ids, including removed nodes of a graph."""
        if self._index is None:
            return np.zeros(0, np.int64)
        if is_mapped(self._index):
            return self._faiss.vector_to_array(self._index.id_map)
        cells = core_of(self._index).invlists
        parts = [self._faiss.rev_swig_ptr(cells.get_ids(cell), size).copy()
                 for cell in range(cells.nlist) if (size := cells.list_size(cell))]
        return np.concatenate([np.zeros(0, np.int64), *parts])

    def _widened(self, vectors: np.ndarray) -> np.ndarray:
        missing = self._wide - vectors.shape[1]
        return np.pad(vectors, ((0, 0), (0, missing))) if missing > 0 else vectors

"""Vectors stored in Milvus (Wang et al. 2021): a server by its URL, or the embedded Milvus Lite by a file."""

import json
import os
import shutil
from pathlib import Path

import numpy as np

from tfplm.embed.search.index.milvus_connection import connect, disconnect, errors_not_logged, is_file
from tfplm.embed.search.index.vector_index import IndexSettings, VectorIndex

_KINDS = {"auto": "AUTOINDEX", "flat": "FLAT", "exact": "FLAT", "ivf": "IVF_FLAT", "ivf_pq": "IVF_PQ", "hnsw": "HNSW",
          "sq": "IVF_SQ8", "ivf_sq": "IVF_SQ8"}
_METRICS = {"cosine": "COSINE", "inner_product": "IP", "l2": "L2"}
_BYTES = 8 << 20  # of vectors in a message; servers accept up to 64 MB
MOST = 16384  # Milvus' limit of hits per query


class DamagedError(ValueError):
    """Milvus Lite cannot read the collection in its file, which must be rebuilt."""


class MilvusIndex(VectorIndex):
    """A Milvus collection with the fields `slot` (int64, the id) and `vector`, created if it does not exist.

    Adding an existing id replaces its vector, so an interrupted call can be repeated.

    Args:
        uri: `http://HOST:19530`, with the server's token in the variable MILVUS_TOKEN, or a file name ending in `.db`.
        collection: the name of the collection.
        there: the kind of the index in Milvus; "auto": Milvus chooses.
        opened: False for a collection that is cleared by `clear` before any other use; it may be in any state.

    Raises ImportError without pymilvus, ConnectionError if nothing answers, BlockingIOError if another process has the
    file open, and DamagedError if Milvus Lite cannot read it.
    """

    kind = "milvus"
    exact_scores = False
    candidates = 3
    shared = True

    def __init__(self, uri: str, collection: str, dimension: int, settings: IndexSettings | None = None,
                 there: str = "auto", opened: bool = True):
        super().__init__(dimension, settings)
        if there not in _KINDS:
            raise ValueError(f"Milvus has no index of kind {there!r}: choose one of {', '.join(_KINDS)}")
        # an absolute path, because the working directory may change
        self.uri = os.path.abspath(uri) if is_file(uri) else uri
        self.collection, self.there = collection, there
        self._client = connect(self.uri)
        try:
            if opened:
                self._open()
        except BaseException:
            self.close()
            raise

    def clear(self) -> None:
        """Removes all vectors from the collection."""
        self._client.drop_collection(self.collection)
        self._create()
        self._load()

    def add(self, ids, vectors: np.ndarray) -> None:
        ids, vectors = self._checked(ids, vectors)
        step = max(1, _BYTES // (4 * self.dimension))
        for start in range(0, len(ids), step):
            self._client.upsert(self.collection, [
                {"slot": int(slot), "vector": vector.tolist()}
                for slot, vector in zip(ids[start:start + step], vectors[start:start + step])])

    def remove(self, ids) -> int:
        ids, before = np.unique(np.asarray(ids, np.int64)).tolist(), len(self)
        for start in range(0, len(ids), 1000):
            self._client.delete(self.collection, ids=ids[start:start + 1000])
        return before - len(self)

    def search(self, vectors: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        return self._nearest(self._prepared(vectors), min(self._width(k), MOST))

    def _nearest(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        scores = np.full((len(queries), k), -np.inf, np.float32)
        ids = np.full((len(queries), k), -1, np.int64)
        if not k or not len(queries):
            return scores, ids
        for row, hits in enumerate(self._client.search(
                self.collection, data=queries.tolist(), limit=k, anns_field="vector", consistency_level="Strong",
                search_params={"metric_type": _METRICS[self.settings.metric], "params": self._effort(k)})):
            for rank, hit in enumerate(hits):
                ids[row, rank] = hit["slot"] if "slot" in hit else hit["id"]
                scores[row, rank] = -hit["distance"] if self.settings.metric == "l2" else hit["distance"]
        return scores, ids

    def ids(self) -> np.ndarray:
        found, after = [], -1
        while rows := self._client.query(self.collection, filter=f"slot > {after}", output_fields=["slot"], limit=MOST,
                                         consistency_level="Strong"):
            found += [row["slot"] for row in rows]
            after = max(row["slot"] for row in rows)
            if len(rows) < MOST:
                break
        return np.array(found, np.int64)

    def __len__(self) -> int:
        (row,) = self._client.query(self.collection, filter="", output_fields=["count(*)"], consistency_level="Strong")
        return int(row["count(*)"])

    @property
    def memory(self) -> int:
        """0: the vectors are not in this process."""
        return 0

    def save(self, folder: str | os.PathLike) -> None:
        """Writes the location of the vectors."""
        about = {"uri": self.uri, "collection": self.collection, "dimension": self.dimension,
                 "settings": vars(self.settings), "there": self.there}
        Path(folder, "milvus.json").write_text(json.dumps(about), encoding="utf-8")

    @classmethod
    def load(cls, folder: str | os.PathLike) -> "MilvusIndex":
        about = json.loads(Path(folder, "milvus.json").read_text(encoding="utf-8"))
        return cls(about["uri"], about["collection"], about["dimension"], IndexSettings(**about["settings"]),
                   about["there"])

    def close(self) -> None:
        """Closes the connection; other processes can then open a file."""
        if self._client is not None:
            client, self._client = self._client, None
            disconnect(client, self.uri)

    def _open(self) -> None:
        if not self._client.has_collection(self.collection):
            self._create()
        self._load()

    def _load(self) -> None:
        from pymilvus import MilvusException
        with errors_not_logged():
            try:
                self._client.load_collection(self.collection)
            except MilvusException as error:
                if not is_file(self.uri):
                    raise
                raise DamagedError(f"Milvus Lite cannot read {self.uri} ({error.message}), whose writer may have been "
                                   "killed; the next writer rebuilds it") from error

    def _create(self) -> None:
        from pymilvus import DataType
        if is_file(self.uri):  # Milvus Lite does not replace the folder of a partly created or dropped collection
            shutil.rmtree(Path(self.uri, "collections", self.collection), ignore_errors=True)
        schema = self._client.create_schema(auto_id=False, enable_dynamic_field=False)
        schema.add_field("slot", DataType.INT64, is_primary=True)
        schema.add_field("vector", DataType.FLOAT_VECTOR, dim=self.dimension)
        parameters = self._client.prepare_index_params()
        parameters.add_index("vector", index_type=_KINDS[self.there], metric_type=_METRICS[self.settings.metric],
                             params=self._structure())
        self._client.create_collection(self.collection, schema=schema, index_params=parameters,
                                       consistency_level="Strong")

    def _structure(self) -> dict:
        settings = self.settings
        lists = {"nlist": settings.lists or 1024}
        if self.there == "ivf_pq":
            parts = settings.code_bytes or next(n for n in range(-(-self.dimension // 4), 0, -1) if self.dimension % n == 0)
            return {**lists, "m": parts, "nbits": 8}
        if self.there == "hnsw":
            return {"M": settings.links, "efConstruction": settings.build_effort}
        return lists if self.there in ("ivf", "sq", "ivf_sq") else {}

    def _effort(self, k: int) -> dict:
        if self.there == "hnsw":
            return {"ef": max(self.search_effort, k)}
        if self.there in ("ivf", "ivf_pq", "sq", "ivf_sq"):
            return {"nprobe": self.probes or max(8, (self.settings.lists or 1024) // 32)}
        return {}

"""`SearchIndex`: texts with vectors in a folder, and nearest-neighbour search among them."""

import dataclasses
import itertools
import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from tfplm.embed.search.index.recall import RecallReport, measure, nearest, sample_queries
from tfplm.embed.search.manifest import SearchSettings
from tfplm.embed.search.records.records import Record
from tfplm.embed.search.records.row import Existing, Row, changes_of, rows_of
from tfplm.embed.search.store import Store, create_store, open_store

BATCH = 4096  # rows in a transaction


@dataclasses.dataclass(frozen=True)
class Hit:
    """A record found. score: cosine, inner product or negative squared distance; exact with every kind of index."""

    id: str
    text: str
    payload: dict
    score: float


class SearchIndex:
    """Semantic search over texts with payloads: an encoder, records in a database, and a vector index.

        with SearchIndex.create("faq", encoder) as index:
            index.add([("hours", "图书馆几点开门？", {"answer": "早上九点。"})])
        SearchIndex.open("faq").search("什么时候可以去图书馆？", k=3)         # [Hit(id="hours", ..., score=0.87), ...]

    A record and its vector are committed together, and the vector index is derived from the records. However a process
    ends, the next one finds every change that had returned, complete and with a consistent index. One process writes;
    any number of processes read and get the changes at their next search. An object may be used by several threads.

    Attributes:
        show_progress: shows a progress bar at a terminal while a large vector index is built; default: False.
    """

    def __init__(self, store: Store):
        """Use `create` or `open`."""
        self._store, self._thread = store, threading.RLock()

    @classmethod
    def create(cls, folder: str | os.PathLike, encoder, settings: SearchSettings | None = None) -> "SearchIndex":
        """Creates an empty index, open for writing. Raises FileExistsError if there is one already.

        encoder: a `SentenceEncoder`, or any object with `encode(texts) -> [N,H]`, which must then be passed to `open`.
        """
        return cls(create_store(Path(folder), encoder, settings or SearchSettings()))

    @classmethod
    def open(cls, folder: str | os.PathLike, encoder=None, *, writable: bool = False, records: str | None = None,
             milvus: str | None = None, trust: bool = False) -> "SearchIndex":
        """Opens an existing index, for reading or also for writing.

        Args:
            encoder: an encoder, or its folder if that has moved, or the URL of a server (`RemoteEncoder`); default: the
                one that the index was made with, loaded when needed.
            records: the URL of the database, if it is not in the folder.
            milvus: the URL of the Milvus server, or its file, if it is not in the folder.
            trust: use the databases, servers, files and models that the folder names, wherever they are. Otherwise those
                outside of it must be given by the arguments above: a folder from elsewhere could name a server that is
                sent your password, or a file that is changed.

        Raises FileNotFoundError, NotADirectoryError or ValueError for a folder that is not an index, ValueError for
        another encoder, PermissionError for a place outside of the folder that was not confirmed, and BlockingIOError if
        another process is writing.
        """
        return cls(open_store(Path(folder), encoder, writable, records, milvus, trust))

    @property
    def folder(self) -> Path:
        return self._store.folder

    @property
    def settings(self) -> SearchSettings:
        return self._store.manifest.settings

    @property
    def show_progress(self) -> bool:
        return self._store.cache.show_progress

    @show_progress.setter
    def show_progress(self, shown: bool) -> None:
        self._store.cache.show_progress = shown

    @property
    def dimension(self) -> int:
        """The number of components of a vector."""
        return self._store.manifest.dimension

    @property
    def kind(self) -> str:
        """The kind of the vector index, after bringing it up to date."""
        with self._thread:
            return self._store.cache.catch_up().kind

    @property
    def reason(self) -> str:
        """A sentence that explains the kind of the vector index."""
        with self._thread:
            self._store.cache.catch_up()
            return self._store.cache.reason

    def add(self, rows: Iterable, existing: Existing = "error", batch_size: int = BATCH) -> list[str]:
        """Adds rows: texts, `(id, text)` or `(id, text, payload)`; a row without an id gets one. Returns the ids.

        Each batch is one transaction. Unchanged texts are not encoded again.

        existing: the treatment of existing ids: "error" (ValueError), "replace", "skip", or "update", which is
        "replace" with a KeyError for unknown ids.
        """
        ids, rows = [], rows_of(rows)
        while batch := list(itertools.islice(rows, batch_size)):
            ids += self.add_batch(batch, existing)
        return ids

    def add_batch(self, rows: Sequence[Row], existing: Existing = "error", progress: tuple[str, int] | None = None
                  ) -> list[str]:
        """`add` in one transaction, which also records that `progress[1]` lines of source `progress[0]` were read."""
        self._store.require_writer()
        records = self._store.records
        with self._thread:
            known = records.by_id({row.id: None for row in rows if row.id is not None})
            changes = changes_of(rows, known, existing)
            vectors = self._store.vectors([row.text for row in changes.fresh], self.settings.prompt)
            with records.transaction():
                records.set_payloads(changes.payloads)
                written = records.write(changes.fresh, vectors, changes.replaced)
                if progress is not None:
                    records.set_progress(*progress)
            self._store.cache.after_commit()
        given = iter([name for name, row in zip(written, changes.fresh) if row.id is None])
        return [next(given) if name is None else name for name in changes.ids]

    def update(self, rows: Iterable) -> list[str]:
        """Replaces rows `(id, text, payload)`; None keeps the text or payload. Raises KeyError for unknown ids."""
        rows = list(rows_of(rows, partial=True))
        with self._thread:
            known = self._store.records.by_id({row.id: None for row in rows})
            whole = []
            for row in rows:
                old = known.get(row.id)
                text, payload = (old.text, old.payload) if old else ("", {})
                whole.append((row.id, text if row.text is None else row.text,
                              payload if row.payload is None else row.payload))
            return self.add(whole, "update")

    def delete(self, ids: Iterable[str]) -> int:
        """Deletes records and returns their number. Unknown ids are ignored."""
        self._store.require_writer()
        if isinstance(ids, str):
            raise TypeError(f"expected a list of ids, found one text: {ids!r}")
        records = self._store.records
        with self._thread:
            slots = [record.slot for record in records.by_id(dict.fromkeys(ids)).values()]
            with records.transaction():
                records.erase(slots)
            self._store.cache.after_commit()
        return len(slots)

    def search(self, queries: str | Sequence[str], k: int = 10, min_score: float | None = None
               ) -> list[Hit] | list[list[Hit]]:
        """Returns the k records nearest to a query, best first; for several queries, a list of such lists.

        If there are fewer than k records, returns all. min_score: drops hits with a lower score.
        """
        texts = [queries] if isinstance(queries, str) else list(queries)
        with self._thread:
            vectors = self._store.vectors(texts, self.settings.query_prompt)
        found = self.search_vectors(vectors, k)
        if min_score is not None:
            found = [[hit for hit in hits if hit.score >= min_score] for hits in found]
        return found[0] if isinstance(queries, str) else found

    def search_vectors(self, vectors: np.ndarray, k: int = 10) -> list[list[Hit]]:
        """`search` with the encoder's vectors `[Q,H]` instead of texts."""
        vectors = np.asarray(vectors, np.float32)
        with self._thread:
            for _ in range(3):  # repeated if a writer has just changed the records found
                scores, slots = nearest(self._store.cache.catch_up(), self._store.records, vectors, k)
                wanted = np.unique(slots[slots >= 0])
                records = self._store.records.by_slot(wanted)
                if len(records) == len(wanted):
                    break
        return [[_hit(records[int(slot)], score) for score, slot in zip(*row) if int(slot) in records]
                for row in zip(scores, slots)]

    def get(self, id: str) -> Record | None:
        """The record with this id, including its vector; None if there is none."""
        with self._thread:
            return self._store.records.by_id([id], vectors=True).get(id)

    def records(self) -> Iterator[Record]:
        """Iterates over all records without vectors, in the order of writing, page by page."""
        return self._store.records.records()

    def __len__(self) -> int:
        with self._thread:
            return self._store.records.state().count

    def __contains__(self, id: str) -> bool:
        return self.get(id) is not None

    def progress(self, name: str) -> int:
        """The number of lines of a source that have been read, as recorded by `add_batch`."""
        with self._thread:
            return self._store.records.progress(name)

    def tune(self, probes: int | None = None, search_effort: int | None = None) -> None:
        """Changes how much of the index the searches of this object visit: cells (Faiss' nprobe), nodes of a graph."""
        with self._thread:
            self._store.cache.tune(probes, search_effort)

    def rebuild(self, kind: str | None = None) -> str:
        """Rebuilds the vector index with the kind that suits the current number of records.

        kind: another kind, from now on. Returns the kind. Raises ValueError for one that compares by another metric.
        """
        self._store.require_writer()
        with self._thread:
            kind = None if kind is None else self._store.kind_of(kind)
            built = self._store.cache.build(kind).kind
            if kind is not None:
                self._store.set_kind(kind)
            return built

    def compact(self) -> None:
        """Frees the space of deleted records in the vector index, the log of removals and the database."""
        self._store.require_writer()
        with self._thread:
            self._store.cache.build()
            with self._store.records.transaction():
                self._store.records.forget_removals()
            self._store.records.vacuum()

    def recall(self, queries: Sequence[str] | None = None, k: int = 10, sample: int = 200) -> RecallReport:
        """Measures recall against exact search, for queries or for the vectors of a sample of the records."""
        with self._thread:
            index, records = self._store.cache.catch_up(), self._store.records
            if queries is None:
                vectors = sample_queries(records, sample, self.folder)
            else:
                vectors = self._store.vectors(list(queries), self.settings.query_prompt)
            return measure(index, records, vectors, k)

    def verify(self) -> list[str]:
        """Checks the consistency of the index; returns a sentence for each problem, an empty list if there is none."""
        with self._thread:
            known, slots = self._store.cache.catch_up().ids(), self._store.records.slots()
            missing, extra = len(np.setdiff1d(slots, known)), len(np.setdiff1d(known, slots))
            checks = [(missing, f"{missing} records are not in the vector index"),
                      (extra, f"{extra} vectors in the index have no record"),
                      (len(known) - len(np.unique(known)), "the vector index has some vectors twice"),
                      (len(self) - len(slots), f"the count is {len(self)} records, but there are {len(slots)}")]
            return [sentence for wrong, sentence in checks if wrong]

    def close(self) -> None:
        """Brings the vector index up to date, saves it if it has enough changes, and releases the writer's lock."""
        with self._thread:
            if self._store.closed:
                return
            try:
                if self._store.lock is not None:
                    self._store.cache.catch_up()
            finally:
                self._store.close()

    def __enter__(self) -> "SearchIndex":
        return self

    def __exit__(self, kind, error, trace) -> None:
        if kind is None:
            self.close()
        else:  # the records are safe; the next process brings the vector index up to date
            self._store.close()


def _hit(record: Record, score: float) -> Hit:
    return Hit(record.id, record.text, record.payload, float(score))

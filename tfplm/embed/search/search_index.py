"""`SearchIndex`: a folder of texts with vectors, that is asked for the nearest of them."""

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

BATCH = 4096  # rows of a transaction


@dataclasses.dataclass(frozen=True)
class Hit:
    """A record found. score: exact, whatever the index: cosine, inner product, or minus the squared distance."""

    id: str
    text: str
    payload: dict
    score: float


class SearchIndex:
    """Texts with payloads, found by the meaning of a query: an encoder, records in a database, a vector index.

        with SearchIndex.create("faq", encoder) as index:
            index.add([("hours", "图书馆几点开门？", {"answer": "早上九点。"})])
        SearchIndex.open("faq").search("什么时候可以去图书馆？", k=3)         # [Hit(id="hours", ..., score=0.87), ...]

    A record and its vector are committed together, and the files of the vector index are made from the records: however
    a process ends, the next one finds every change that had returned, whole, and an index that fits. One process
    writes, any number read, and see what is new at their next search. An object may be used by several threads.

    Attributes:
        show_progress: a bar at a terminal while a large vector index is built; default: no.
    """

    def __init__(self, store: Store):
        """Use `create` or `open`."""
        self._store, self._thread = store, threading.RLock()

    @classmethod
    def create(cls, folder: str | os.PathLike, encoder, settings: SearchSettings | None = None) -> "SearchIndex":
        """A new, empty index, open for writing. FileExistsError where there is one.

        encoder: a `SentenceEncoder`, or anything with `encode(texts) -> [N,H]`, which then has to be given to `open`.
        """
        return cls(create_store(Path(folder), encoder, settings or SearchSettings()))

    @classmethod
    def open(cls, folder: str | os.PathLike, encoder=None, *, writable: bool = False, records: str | None = None
             ) -> "SearchIndex":
        """An index that is there, for reading or for writing as well.

        Args:
            encoder: default: the one it was made with, loaded when it is needed; its folder, where that has moved.
            records: the URL of its database, where that has changed or needs a password.

        FileNotFoundError, NotADirectoryError or ValueError for another folder; ValueError for another encoder;
        BlockingIOError where another process writes.
        """
        return cls(open_store(Path(folder), encoder, writable, records))

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
        """Numbers of a vector."""
        return self._store.manifest.dimension

    @property
    def kind(self) -> str:
        """Of the vector index, which is brought up to date."""
        with self._thread:
            return self._store.cache.catch_up().kind

    @property
    def reason(self) -> str:
        """Why the vector index is of its kind, in a sentence."""
        with self._thread:
            self._store.cache.catch_up()
            return self._store.cache.reason

    def add(self, rows: Iterable, existing: Existing = "error", batch_size: int = BATCH) -> list[str]:
        """Adds rows: a text, `(id, text)`, `(id, text, payload)`; a row without an id gets one. Returns their ids.

        Each batch is one transaction. existing: what is done about ids that are there: "error" (ValueError), "replace",
        "skip", or "update", which is "replace" with a KeyError for ids that are not there. What is unchanged is not
        encoded again.
        """
        ids, rows = [], rows_of(rows)
        while batch := list(itertools.islice(rows, batch_size)):
            ids += self.add_batch(batch, existing)
        return ids

    def add_batch(self, rows: Sequence[Row], existing: Existing = "error", progress: tuple[str, int] | None = None
                  ) -> list[str]:
        """`add` of one transaction, which also notes that so many lines (progress[1]) of a source (progress[0]) are read."""
        self._store.need_writer()
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
            self._store.cache.committed()
        given = iter([name for name, row in zip(written, changes.fresh) if row.id is None])
        return [next(given) if name is None else name for name in changes.ids]

    def update(self, rows: Iterable) -> list[str]:
        """Replaces rows `(id, text, payload)`; a text or payload of None stays as it is. KeyError for unknown ids."""
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
        """Takes records out; returns how many there were. Unknown ids are passed over."""
        self._store.need_writer()
        if isinstance(ids, str):
            raise TypeError(f"expected a list of ids, found one text: {ids!r}")
        records = self._store.records
        with self._thread:
            slots = [record.slot for record in records.by_id(dict.fromkeys(ids)).values()]
            with records.transaction():
                records.erase(slots)
            self._store.cache.committed()
        return len(slots)

    def search(self, queries: str | Sequence[str], k: int = 10, min_score: float | None = None
               ) -> list[Hit] | list[list[Hit]]:
        """The k records nearest to a query, best first; a list of such lists for several queries.

        Where there are fewer records, all of them. min_score: only hits with at least that score.
        """
        texts = [queries] if isinstance(queries, str) else list(queries)
        with self._thread:
            vectors = self._store.vectors(texts, self.settings.query_prompt)
        found = self.search_vectors(vectors, k)
        if min_score is not None:
            found = [[hit for hit in hits if hit.score >= min_score] for hits in found]
        return found[0] if isinstance(queries, str) else found

    def search_vectors(self, vectors: np.ndarray, k: int = 10) -> list[list[Hit]]:
        """`search` for vectors `[Q,H]` of the encoder."""
        vectors = np.asarray(vectors, np.float32)
        with self._thread:
            for _ in range(3):  # again where a writer has just changed what was found
                scores, slots = nearest(self._store.cache.catch_up(), self._store.records, vectors, k)
                wanted = np.unique(slots[slots >= 0])
                records = self._store.records.by_slot(wanted)
                if len(records) == len(wanted):
                    break
        return [[_hit(records[int(slot)], score) for score, slot in zip(*row) if int(slot) in records]
                for row in zip(scores, slots)]

    def get(self, id: str) -> Record | None:
        """The record of an id, with its vector; None where there is none."""
        with self._thread:
            return self._store.records.by_id([id], vectors=True).get(id)

    def records(self) -> Iterator[Record]:
        """All records without their vectors, in the order in which they were written, page by page."""
        return self._store.records.records()

    def __len__(self) -> int:
        with self._thread:
            return self._store.records.state().count

    def __contains__(self, id: str) -> bool:
        return self.get(id) is not None

    def progress(self, name: str) -> int:
        """How many lines of a source were read, as `add_batch` has noted."""
        with self._thread:
            return self._store.records.progress(name)

    def rebuild(self, kind: str | None = None) -> str:
        """Makes the vector index anew, of the kind that suits what there is now, or of another one from now on.

        Returns the kind.
        """
        self._store.need_writer()
        with self._thread:
            built = self._store.cache.build(kind).kind
            if kind is not None:
                self._store.set_kind(kind)
            return built

    def compact(self) -> None:
        """Gives back the room of what was deleted: in the vector index, in the log of removals, in the database."""
        self._store.need_writer()
        with self._thread:
            self._store.cache.build()
            with self._store.records.transaction():
                self._store.records.forget_removals()
            self._store.records.vacuum()

    def recall(self, queries: Sequence[str] | None = None, k: int = 10, sample: int = 200) -> RecallReport:
        """How much of exact search this index finds: for queries, or for the vectors of a sample of the records."""
        with self._thread:
            index, records = self._store.cache.catch_up(), self._store.records
            if queries is None:
                vectors = sample_queries(records, sample, self.folder)
            else:
                vectors = self._store.vectors(list(queries), self.settings.query_prompt)
            return measure(index, records, vectors, k)

    def verify(self) -> list[str]:
        """What does not fit together, in sentences; an empty list where all is well."""
        with self._thread:
            known, slots = self._store.cache.catch_up().ids(), self._store.records.slots()
            lost, strange = len(np.setdiff1d(slots, known)), len(np.setdiff1d(known, slots))
            checks = [(lost, f"{lost} records are not in the vector index"),
                      (strange, f"{strange} vectors in the index have no record"),
                      (len(known) - len(np.unique(known)), "the vector index has some vectors twice"),
                      (len(self) - len(slots), f"{len(self)} records are noted, and {len(slots)} are there")]
            return [sentence for wrong, sentence in checks if wrong]

    def close(self) -> None:
        """Brings the vector index up to date, saves it where that is worth it, and lets the next writer in."""
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
        else:  # the records are safe, and the next one brings the vector index up to date
            self._store.close()


def _hit(record: Record, score: float) -> Hit:
    return Hit(record.id, record.text, record.payload, float(score))

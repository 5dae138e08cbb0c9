"""The vector index of a store, which follows its records: kept in memory, saved to files, never ahead of them."""

import logging
import secrets
from pathlib import Path

import numpy as np
from tqdm.auto import tqdm

from tfplm.embed.search.index.kinds import Choice, choose_kind, load_index, make_index
from tfplm.embed.search.index.milvus_index import Damaged, MilvusIndex
from tfplm.embed.search.index.milvus_reader import MilvusReader
from tfplm.embed.search.index.vector_index import VectorIndex
from tfplm.embed.search.manifest import Manifest
from tfplm.embed.search.records.records import Records, State
from tfplm.embed.search.saved_indexes import SavedIndexes

log = logging.getLogger(__name__)
_SAVED_ROWS, _SAVED_SHARE = 1000, 0.05  # changes from which on saving the index is worth it
_MANY = 50_000  # vectors, from which on building shows a bar
_OTHER_KIND, _TRAINED = 1.5, 4  # growth from which on an index is made anew


class IndexCache:
    """`records` say what there is; the index is made of them, and can always be made again.

    A record's slot is its id in the index. Slots are given out in ascending order and never twice, removals are logged
    under ascending numbers, so (last slot, last removal) says exactly which records an index knows, and what it lacks.
    They are saved with its files (`SavedIndexes`).

    At Milvus the vectors live on where a process ends, and others read them meanwhile. There the writer follows behind
    every change (`committed`), and readers make up for what it has not brought there yet (`MilvusReader`).

    Attributes:
        manifest: may be set. show_progress: a bar while an index is built, at a terminal.
        index: None before the first `catch_up`. reason: why it is of its kind, in a sentence.
    """

    def __init__(self, folder: Path, manifest: Manifest, records: Records, writable: bool):
        self.manifest = manifest
        self._records, self._writable, self._folder = records, writable, folder.absolute()
        self._saved = SavedIndexes(folder, manifest.store)
        self._milvus = manifest.settings.milvus
        self.index: VectorIndex | None = None
        self.reason, self.show_progress = "", False
        self._slot = self._removal = self._built_for = self._unsaved = 0
        self._built = ""  # another name for each time that an index is made anew

    def catch_up(self) -> VectorIndex:
        """The index as of now: what was added and removed since is brought in.

        BlockingIOError for a writer where another process has the file of Milvus Lite open.
        """
        if self._milvus is not None and not self._writable and self._reads_milvus():
            return self.index
        try:
            for _ in range(3):  # again where a writer has emptied the log of removals in between
                state = self._records.state()
                if self.index is None or state.forgotten > self._removal:
                    state = self._load()
                if self.index is None or self._outgrown(state):
                    break
                if self._follow(state):
                    self._explain(state)
                    return self.index
            return self.build()
        except BaseException:  # an index that knows half of a page would come to know it twice
            self.let_go()
            raise

    def committed(self) -> None:
        """To be called behind each change of the records."""
        if self._milvus is None:
            return
        try:
            self.catch_up()
        except Exception as error:  # the change is made: to fail would say that it is not
            log.warning("the vectors at Milvus do not follow yet (%s): the next change tries again", error)

    def build(self, kind: str | None = None) -> VectorIndex:
        """Makes the index anew; saved, where this process writes."""
        self.let_go()
        state = self._records.state()
        try:
            index = self._empty(kind or self._kind, state.count)
            if not index.trained and state.count:
                index.train(self._sample(index.sample_size(state.count)), state.count)
            with tqdm(desc=f"index {index.kind}", total=state.count, unit="vector", unit_scale=True, dynamic_ncols=True,
                      leave=False, disable=None if self.show_progress and state.count >= _MANY else True) as bar:
                for slots, vectors in self._records.pages(0, state.last_slot):
                    index.add(slots, vectors)
                    bar.update(len(slots))
            self._built, self._built_for = secrets.token_hex(8), state.count
            self._slot, self._removal = state.last_slot, state.last_removal
            self.save()
        except BaseException:  # half of an index is none
            self.let_go()
            raise
        return index

    def save(self) -> None:
        """Writes the index to the folder, where this process writes."""
        if not self._writable or self.index is None:
            return
        self._saved.save(self.index, {
            "last_slot": self._slot, "last_removal": self._removal, "count": len(self.index), "built": self._built,
            "built_for": self._built_for, "reason": self.reason})
        self._unsaved = 0

    def close(self) -> None:
        """Saves what is worth it."""
        try:
            if self._writable and self.index is not None and self._worth_saving():
                self.save()
        finally:
            self.let_go()

    def let_go(self) -> None:
        """Closes the index; the next `catch_up` reads or makes it again."""
        index, self.index = self.index, None
        if index is not None:
            index.close()

    def _load(self) -> State:
        """The newest files that are of this store; none where there are none, or they cannot be read."""
        self.let_go()
        for path, known in self._saved.newest_first() if self._milvus == self.manifest.settings.milvus else ():
            try:
                state = self._records.state()  # after the file, which never is ahead
                if known["last_slot"] > state.last_slot or (
                        not state.forgotten <= known["last_removal"] <= state.last_removal):
                    continue
                index = load_index(path) if self._milvus is None else self._at_milvus(self._kind)
                if not index.shared and len(index) != known["count"]:
                    raise ValueError(f"{len(index)} vectors, expected {known['count']}")
            except (ValueError, KeyError, FileNotFoundError, ImportError) as error:
                if isinstance(error, ImportError) and self.manifest.settings.kind != "auto":
                    raise
                self._saved.leave_aside(path, error)
                continue
            self.index, self.reason, self._built_for = index, known["reason"], known["built_for"]
            self._slot, self._removal, self._unsaved = known["last_slot"], known["last_removal"], 0
            self._built = known.get("built", "")
            return state
        return self._records.state()

    def _follow(self, state: State) -> bool:
        """Brings the index to that state; False where the log of removals does not say any more how."""
        if state.last_removal > self._removal:
            gone = self._records.removed(self._removal, state.last_removal)
            if len(gone) < state.last_removal - self._removal:
                return False
            self.index.remove(gone)
            self._removal, self._unsaved = state.last_removal, self._unsaved + len(gone)
        if state.last_slot > self._slot:
            for slots, vectors in self._records.pages(self._slot, state.last_slot):
                self.index.add(slots, vectors)
                self._slot, self._unsaved = int(slots[-1]), self._unsaved + len(slots)
            self._slot = state.last_slot
        if self._writable:
            if len(self.index) != state.count:
                log.warning("the index has %d vectors of %d records: it is made anew", len(self.index), state.count)
                self.build()
            elif self._worth_saving():
                self.save()
        return True

    def _worth_saving(self) -> bool:
        """At a server the vectors are saved already: only where we are in the records is not."""
        return self._unsaved > (0 if self.index.shared else max(_SAVED_ROWS, _SAVED_SHARE * len(self.index)))

    def _outgrown(self, state: State) -> bool:
        if not self._writable or self.index.shared:
            return False
        kind = self._choose(self._kind, state.count).kind
        learned = self.index.sample_size(state.count) > 0
        return state.count > (self._built_for or 1) * (_OTHER_KIND if kind != self.index.kind else _TRAINED) and (
            kind != self.index.kind or learned)

    def _explain(self, state: State) -> None:
        """The reason by today's numbers, where it would be chosen again today."""
        choice = self._choose(self._kind, state.count)
        if choice.kind == self.index.kind:
            self.reason = choice.reason

    @property
    def _kind(self) -> str:
        """What was asked for, of Faiss or of Milvus."""
        settings = self.manifest.settings
        return settings.kind if self._milvus == settings.milvus else "auto"

    def _empty(self, kind: str, count: int) -> VectorIndex:
        if self._milvus is None:
            choice = self._choose(kind, count)
            self.reason = choice.reason
            self.index = make_index(choice.kind, self.manifest.dimension, self.manifest.settings.index)
            return self.index
        self.index = self._at_milvus(kind, opened=False)
        self._saved.clear()  # before it is emptied: no file may say that these vectors are there
        self.index.clear()
        return self.index

    def _at_milvus(self, kind: str, make: type[MilvusIndex] = MilvusIndex, **keywords) -> MilvusIndex:
        """The collection; make: whose keywords those are."""
        settings = self.manifest.settings
        self.reason = f"the vectors are kept by Milvus at {self._milvus}"
        uri = self._milvus if "://" in self._milvus else str(self._folder / self._milvus)
        collection = f"{settings.table}_{self.manifest.store}"
        return make(uri, collection, self.manifest.dimension, settings.index, kind, **keywords)

    def _reads_milvus(self) -> bool:
        """Opens the collection for reading; False where its file is open in another process, or damaged."""
        if self.index is None:
            try:
                self.index = self._at_milvus(self._kind, MilvusReader, records=self._records, saved=self._saved.newest)
            except (BlockingIOError, Damaged) as error:
                log.warning("%s. Meanwhile the vectors are read from the records", error)
                self._milvus = None
        return self.index is not None

    def _choose(self, kind: str, count: int) -> Choice:
        settings = self.manifest.settings
        return choose_kind(kind, count, self.manifest.dimension, settings.index, settings.memory)

    def _sample(self, size: int) -> np.ndarray:
        slots = self._records.slots()
        chosen = np.random.default_rng(self.manifest.settings.index.seed).permutation(len(slots))[:size]
        return np.stack(list(self._records.vectors(np.sort(slots[chosen])).values()))

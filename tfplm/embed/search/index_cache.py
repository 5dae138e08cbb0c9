"""The vector index of a store, kept in memory and in files, and updated from the records."""

import logging
import secrets
from pathlib import Path

import numpy as np
from tqdm.auto import tqdm

from tfplm.embed.search.index.kinds import Choice, choose_kind, load_index, make_index
from tfplm.embed.search.index.milvus_index import DamagedError, MilvusIndex
from tfplm.embed.search.index.milvus_reader import MilvusReader
from tfplm.embed.search.index.vector_index import VectorIndex
from tfplm.embed.search.manifest import Manifest
from tfplm.embed.search.records.records import Records, State
from tfplm.embed.search.saved_indexes import SavedIndexes, check_files

log = logging.getLogger(__name__)
_SAVED_ROWS, _SAVED_SHARE = 1000, 0.05  # the number and share of changes that are worth saving the index
_MANY = 50_000  # the number of vectors from which building shows a progress bar
_OTHER_KIND, _TRAINED = 1.5, 4  # the growth after which an index is rebuilt


class IndexCache:
    """A vector index derived from the records, which can always be rebuilt from them.

    A record's slot is its id in the index. Slots are assigned in ascending order and never reused, and removals are
    logged under ascending numbers, so (last slot, last removal) states exactly which records an index contains and
    which it lacks. The pair is saved with the index files (`SavedIndexes`), which are never ahead of the records.

    With Milvus, the vectors outlive the process and are read by others meanwhile. The writer therefore updates Milvus
    after every change (`after_commit`), and readers compensate for pending updates (`MilvusReader`).

    Attributes:
        manifest: may be replaced. show_progress: shows a progress bar at a terminal while an index is built.
        index: None before the first `catch_up`. reason: a sentence that explains the kind of the index.
    """

    def __init__(self, folder: Path, manifest: Manifest, records: Records, writable: bool):
        self.manifest = manifest
        self._records, self._writable, self._folder = records, writable, folder.absolute()
        self._saved = SavedIndexes(folder, manifest.store)
        self._milvus = manifest.settings.milvus
        self.index: VectorIndex | None = None
        self.reason, self.show_progress = "", False
        self._slot = self._removal = self._built_for = self._unsaved = 0
        self._built = ""  # a random name of each build
        self._effort: tuple[int | None, int | None] = (None, None)

    def tune(self, probes: int | None, search_effort: int | None) -> None:
        """`VectorIndex.tune` for this index, and for those that take its place."""
        self.catch_up().tune(probes, search_effort)
        self._effort = (probes or self._effort[0], search_effort or self._effort[1])

    def catch_up(self) -> VectorIndex:
        """Applies all additions and removals since the last call, and returns the index.

        Raises BlockingIOError in a writer if another process has the file of Milvus Lite open.
        """
        index = self._caught_up()
        if any(self._effort):
            index.tune(*self._effort)
        return index

    def _caught_up(self) -> VectorIndex:
        if self._milvus is not None and not self._writable and self._reads_milvus():
            return self.index
        try:
            for _ in range(3):  # repeated if a writer has cleared the log of removals in between
                state = self._records.state()
                if self.index is None or state.forgotten > self._removal or (
                        not self._writable and self._cannot_remove(state)):
                    state = self._load()
                if self.index is None or self._outgrown(state) or self._cannot_remove(state):
                    break
                if self._apply_changes(state):
                    self._explain(state)
                    return self.index
            return self.build()
        except BaseException:  # an index with half of a page would get that half twice
            self.release()
            raise

    def after_commit(self) -> None:
        """Must be called after each change of the records."""
        if self._milvus is None:
            return
        try:
            self.catch_up()
        except Exception as error:  # no failure: the change itself has been committed
            log.warning("the vectors in Milvus are not up to date (%s); the next change tries again", error)

    def build(self, kind: str | None = None) -> VectorIndex:
        """Rebuilds the index, and saves it if this process is the writer."""
        self.release()
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
        except BaseException:  # a partial index is useless
            self.release()
            raise
        return index

    def save(self) -> None:
        """Writes the index to the folder if this process is the writer."""
        if not self._writable or self.index is None:
            return
        self._saved.save(self.index, {
            "last_slot": self._slot, "last_removal": self._removal, "count": len(self.index), "built": self._built,
            "built_for": self._built_for, "reason": self.reason})
        self._unsaved = 0

    def close(self) -> None:
        """Saves the index if it has enough unsaved changes, and releases it."""
        try:
            if self._writable and self.index is not None and self._worth_saving():
                self.save()
        finally:
            self.release()

    def release(self) -> None:
        """Closes the index; the next `catch_up` loads or rebuilds it."""
        index, self.index = self.index, None
        if index is not None:
            index.close()

    def _load(self) -> State:
        """Loads the newest readable files of this store; leaves `index` None if there are none."""
        self.release()
        for path, known in self._saved.newest_first() if self._milvus == self.manifest.settings.milvus else ():
            try:
                state = self._records.state()  # after the file, which is never ahead
                if known["last_slot"] > state.last_slot or (
                        not state.forgotten <= known["last_removal"] <= state.last_removal):
                    continue
                check_files(path, known)
                index = load_index(path) if self._milvus is None else self._milvus_index(self._kind)
                if not index.shared and len(index) != known["count"]:
                    raise ValueError(f"{len(index)} vectors, expected {known['count']}")
            except (ValueError, KeyError, TypeError, FileNotFoundError, ImportError, MemoryError) as error:
                if isinstance(error, ImportError) and self.manifest.settings.kind != "auto":
                    raise
                self._saved.skip(path, error)
                continue
            self.index, self.reason, self._built_for = index, known["reason"], known["built_for"]
            self._slot, self._removal, self._unsaved = known["last_slot"], known["last_removal"], 0
            self._built = known.get("built", "")
            return state
        return self._records.state()

    def _apply_changes(self, state: State) -> bool:
        """Brings the index to the given state; returns False if the log of removals no longer has all of them."""
        if state.last_removal > self._removal:
            removed = self._records.removed(self._removal, state.last_removal)
            if len(removed) < state.last_removal - self._removal:
                return False
            self.index.remove(removed)
            self._removal, self._unsaved = state.last_removal, self._unsaved + len(removed)
        if state.last_slot > self._slot:
            for slots, vectors in self._records.pages(self._slot, state.last_slot):
                self.index.add(slots, vectors)
                self._slot, self._unsaved = int(slots[-1]), self._unsaved + len(slots)
            self._slot = state.last_slot
        if self._writable:
            if len(self.index) != state.count:
                log.warning("the index has %d vectors, expected %d, one for each record; rebuilding it",
                            len(self.index), state.count)
                self.build()
            elif self._worth_saving():
                self.save()
        return True

    def _cannot_remove(self, state: State) -> bool:
        """Returns True if records were removed, but the index cannot remove vectors: it must be loaded or built again."""
        return self.index is not None and not self.index.removes and state.last_removal > self._removal

    def _worth_saving(self) -> bool:
        """Returns True if enough has changed. With a server, only the position in the records needs saving."""
        return self._unsaved > (0 if self.index.shared else max(_SAVED_ROWS, _SAVED_SHARE * len(self.index)))

    def _outgrown(self, state: State) -> bool:
        if not self._writable or self.index.shared:
            return False
        kind = self._choose(self._kind, state.count).kind
        learned = self.index.sample_size(state.count) > 0
        return state.count > (self._built_for or 1) * (_OTHER_KIND if kind != self.index.kind else _TRAINED) and (
            kind != self.index.kind or learned)

    def _explain(self, state: State) -> None:
        """Updates the reason with the current numbers if the kind is still the recommended one."""
        choice = self._choose(self._kind, state.count)
        if choice.kind == self.index.kind:
            self.reason = choice.reason

    @property
    def _kind(self) -> str:
        """The requested kind, of Faiss or of Milvus."""
        settings = self.manifest.settings
        return settings.kind if self._milvus == settings.milvus else "auto"

    def _empty(self, kind: str, count: int) -> VectorIndex:
        if self._milvus is None:
            choice = self._choose(kind, count)
            self.reason = choice.reason
            self.index = make_index(choice.kind, self.manifest.dimension, self.manifest.settings.index)
            return self.index
        self.index = self._milvus_index(kind, opened=False)
        self._saved.clear()  # first, so that no file claims that the vectors exist
        self.index.clear()
        return self.index

    def _milvus_index(self, kind: str, make: type[MilvusIndex] = MilvusIndex, **keywords) -> MilvusIndex:
        """Opens the collection as an instance of `make`, with its keyword arguments."""
        settings = self.manifest.settings
        self.reason = f"the vectors are kept by Milvus at {self._milvus}"
        uri = self._milvus if "://" in self._milvus else str(self._folder / self._milvus)
        collection = f"{settings.table}_{self.manifest.store}"
        return make(uri, collection, self.manifest.dimension, settings.index, kind, **keywords)

    def _reads_milvus(self) -> bool:
        """Opens the collection for reading; returns False if its file is damaged or open in another process."""
        if self.index is None:
            try:
                self.index = self._milvus_index(self._kind, MilvusReader, records=self._records,
                                                saved=self._saved.newest)
            except (BlockingIOError, DamagedError) as error:
                log.warning("%s. Until then, the vectors are read from the records", error)
                self._milvus = None
        return self.index is not None

    def _choose(self, kind: str, count: int) -> Choice:
        settings = self.manifest.settings
        return choose_kind(kind, count, self.manifest.dimension, settings.index, settings.memory)

    def _sample(self, size: int) -> np.ndarray:
        slots = self._records.slots()
        chosen = np.random.default_rng(self.manifest.settings.index.seed).permutation(len(slots))[:size]
        return np.stack(list(self._records.vectors(np.sort(slots[chosen])).values()))

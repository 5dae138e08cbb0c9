"""The vector index of a store, which follows its records: kept in memory, saved to files, never ahead of them."""

import contextlib
import json
import logging
import os
import re
import shutil
from pathlib import Path

import numpy as np
from tqdm.auto import tqdm

from tfplm.embed.search.kinds import Choice, choose_kind, load_index, make_index
from tfplm.embed.search.manifest import Manifest, write_json
from tfplm.embed.search.records import Records, State
from tfplm.embed.search.vector_index import VectorIndex

log = logging.getLogger(__name__)
_FOLDER = re.compile(r"vectors-(\d+)")
_SAVED_ROWS, _SAVED_SHARE = 1000, 0.05  # changes from which on saving the index is worth it
_MANY = 50_000  # vectors, from which on building shows a bar
_OTHER_KIND, _TRAINED = 1.5, 4  # growth from which on an index is made anew


class IndexCache:
    """`records` say what there is; the index is made of them, and can always be made again.

    A record's slot is its id in the index. Slots are given out in ascending order and never twice, removals are logged
    under ascending numbers, so (last slot, last removal) says exactly which records an index knows, and what it lacks.
    Files lie in folders `vectors-NUMBER`, written beside and renamed when whole: the one with the highest number counts.

    Attributes:
        manifest: may be set. show_progress: a bar while an index is built, at a terminal.
        index: None before the first `catch_up`. reason: why it is of its kind, in a sentence.
    """

    def __init__(self, folder: Path, manifest: Manifest, records: Records, writable: bool):
        self.manifest = manifest
        self._folder, self._records, self._writable = folder, records, writable
        self.index: VectorIndex | None = None
        self.reason, self.show_progress = "", False
        self._slot = self._removal = self._built_for = self._unsaved = self._number = 0

    def catch_up(self) -> VectorIndex:
        """The index as of now: what was added and removed since is brought in."""
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
            self.index = None
            raise

    def build(self, kind: str | None = None) -> VectorIndex:
        """Makes the index anew; saved, where this process writes."""
        state, settings = self._records.state(), self.manifest.settings
        index = self._empty(kind or settings.kind, state.count)
        if index.shared and not self._writable:  # what is there is the writer's
            self.index = index
            return index
        if not index.trained and state.count:
            index.train(self._sample(index.sample_size(state.count)), state.count)
        with tqdm(desc=f"index {index.kind}", total=state.count, unit="vector", unit_scale=True, dynamic_ncols=True,
                  leave=False, disable=None if self.show_progress and state.count >= _MANY else True) as bar:
            for slots, vectors in self._records.pages(0, state.last_slot):
                index.add(slots, vectors)
                bar.update(len(slots))
        self.index, self._built_for = index, state.count
        self._slot, self._removal = state.last_slot, state.last_removal
        self.save()
        return index

    def save(self) -> None:
        """Writes the index to a folder of its own; the older ones go."""
        if not self._writable or self.index is None:
            return
        self._number = max([0, *(number for number, _ in self._saved())]) + 1
        beside = self._folder / f"vectors-{self._number}.partial"
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir()
        self.index.save(beside)
        write_json(beside / "state.json", {
            "store": self.manifest.store, "last_slot": self._slot, "last_removal": self._removal,
            "count": len(self.index), "built_for": self._built_for, "reason": self.reason})
        for path in beside.iterdir():
            _to_disk(path)
        os.replace(beside, self._folder / f"vectors-{self._number}")
        self._unsaved = 0
        for number, path in self._saved():
            if number < self._number:
                shutil.rmtree(path, ignore_errors=True)

    def close(self) -> None:
        """Saves what is worth it."""
        if self._writable and self.index is not None and self._worth_saving():
            self.save()
        if self.index is not None:
            self.index.close()

    def _load(self) -> State:
        """The newest files that are of this store; none where there are none, or they cannot be read."""
        self.index, tried = None, set()
        while untried := [saved for saved in self._saved() if saved not in tried]:
            _, path = saved = max(untried)
            tried.add(saved)  # a writer that saves takes the older ones away: what is new then is tried as well
            try:
                known = json.loads((path / "state.json").read_text(encoding="utf-8"))
                state = self._records.state()  # after the file, which never is ahead
                if known["store"] != self.manifest.store or known["last_slot"] > state.last_slot or (
                        not state.forgotten <= known["last_removal"] <= state.last_removal):
                    continue
                index = load_index(path)
                if len(index) != known["count"] and not index.shared:
                    raise ValueError(f"{len(index)} vectors, expected {known['count']}")
            except (ValueError, KeyError, FileNotFoundError, ImportError) as error:
                if isinstance(error, ImportError) and self.manifest.settings.kind != "auto":
                    raise
                if path.exists():
                    log.warning("%s is left aside (%s): the index is made anew from the records", path, error)
                continue
            self.index, self.reason, self._built_for = index, known["reason"], known["built_for"]
            self._slot, self._removal, self._unsaved = known["last_slot"], known["last_removal"], 0
            return state
        return self._records.state()

    def _follow(self, state: State) -> bool:
        """Brings the index to that state; False where the log of removals does not say any more how."""
        if self.index.shared and not self._writable:
            return True
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
        kind = self._choose(self.manifest.settings.kind, state.count).kind
        learned = self.index.sample_size(state.count) > 0
        return state.count > (self._built_for or 1) * (_OTHER_KIND if kind != self.index.kind else _TRAINED) and (
            kind != self.index.kind or learned)

    def _explain(self, state: State) -> None:
        """The reason by today's numbers, where it would be chosen again today."""
        choice = self._choose(self.manifest.settings.kind, state.count)
        if choice.kind == self.index.kind:
            self.reason = choice.reason

    def _empty(self, kind: str, count: int) -> VectorIndex:
        settings = self.manifest.settings
        if settings.milvus is None:
            choice = self._choose(kind, count)
            self.reason = choice.reason
            return make_index(choice.kind, self.manifest.dimension, settings.index)
        from tfplm.embed.search.milvus_index import MilvusIndex
        self.reason = f"the vectors are kept by Milvus at {settings.milvus}"
        uri = settings.milvus if "://" in settings.milvus else str(self._folder / settings.milvus)
        index = MilvusIndex(uri, f"{settings.table}_{self.manifest.store}", self.manifest.dimension, settings.index, kind)
        if self._writable:
            for _, path in self._saved():  # no file may go on to say that these vectors are there
                shutil.rmtree(path)
            index.clear()
        return index

    def _choose(self, kind: str, count: int) -> Choice:
        settings = self.manifest.settings
        return choose_kind(kind, count, self.manifest.dimension, settings.index, settings.memory)

    def _sample(self, size: int) -> np.ndarray:
        slots = self._records.slots()
        chosen = np.random.default_rng(self.manifest.settings.index.seed).permutation(len(slots))[:size]
        return np.stack(list(self._records.vectors(np.sort(slots[chosen])).values()))

    def _saved(self) -> list[tuple[int, Path]]:
        return [(int(match[1]), path) for path in self._folder.iterdir() if (match := _FOLDER.fullmatch(path.name))]


def _to_disk(path: Path) -> None:
    with contextlib.suppress(OSError), open(path, "rb+") as file:  # not every file system can
        os.fsync(file.fileno())

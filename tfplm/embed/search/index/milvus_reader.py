"""A Milvus collection for readers, consistent with the records while a writer updates it or after it was killed."""

import logging
from collections.abc import Callable
from typing import TypeVar

import numpy as np

from tfplm.embed.search.index.exact import exact_search
from tfplm.embed.search.index.milvus_connection import errors_not_logged
from tfplm.embed.search.index.milvus_index import MOST, MilvusIndex
from tfplm.embed.search.index.vector_index import best
from tfplm.embed.search.records.records import Records

log = logging.getLogger(__name__)
Found = TypeVar("Found")


class MilvusReader(MilvusIndex):
    """A `MilvusIndex` whose results always agree with the records.

    Vectors reach Milvus after their records are committed, and the writer saves the last slot and removal that are
    complete. Vectors after that slot are searched in the records, and later removals are dropped from the hits. While
    the collection is being built, there is no saved state, and all records are searched.

    Args:
        records: the records of the index. saved: returns the newest state.json, None if there is none.
    """

    def __init__(self, *arguments, records: Records, saved: Callable[[], dict | None]):
        self._records, self._saved, self._warned = records, saved, False
        super().__init__(*arguments)

    def search(self, vectors: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns up to 2 k columns, k from Milvus and k from the records.

        Their scores cannot be compared, because those of some Milvus indexes are coarse.
        """
        queries, k = self._prepared(vectors), self._width(k)
        slot, found = self._read_collection(lambda removed: self._nearest(queries, min(k + len(removed), MOST)))
        scores, ids = exact_search(self._records.pages(slot), queries, k, self.settings.metric)
        if found is not None:
            (near, slots), removed = found
            usable = (slots <= slot) & ~np.isin(slots, removed)
            scores = np.concatenate([scores, np.where(usable, near, -np.inf)], 1)
            ids = np.concatenate([ids, np.where(usable, slots, -1)], 1)
        return best(scores, ids, min(2 * k, scores.shape[1]))

    def ids(self) -> np.ndarray:
        slot, found = self._read_collection(lambda removed: MilvusIndex.ids(self))
        later = self._records.slots(slot)
        if found is None:
            return later
        slots, removed = found
        return np.concatenate([np.setdiff1d(slots[slots <= slot], removed), later])

    def __len__(self) -> int:
        return self._records.state().count

    def _open(self) -> None:
        """Opens the collection; only the writer creates it."""
        if self._client.has_collection(self.collection):
            self._load()

    def _read_collection(self, read: Callable[[np.ndarray], Found]) -> tuple[int, tuple[Found, np.ndarray] | None]:
        """(last complete slot, (result of `read`, slots removed since)); (0, None) if the collection is unusable.

        read: is called with the removed slots, and again if the collection was rebuilt in between.
        """
        for _ in range(3):
            if (known := self._saved()) is None:
                break
            try:
                with errors_not_logged():
                    if (removed := self._removed_since(known)) is None:
                        continue
                    found = read(removed)
            except Exception:  # expected if the collection is being replaced, or is gone
                if self._same_build(known) and self._client.has_collection(self.collection):
                    raise
                continue
            if self._same_build(known):
                return known["last_slot"], (found, removed)
        if not self._warned:
            log.warning("the vectors in Milvus cannot be used: a writer is building them, or was killed; until one has "
                        "finished, every search reads all records")
            self._warned = True
        return 0, None

    def _removed_since(self, known: dict) -> np.ndarray | None:
        """The slots removed since the saved state; None if the collection does not match the saved state."""
        state = self._records.state()
        removed = self._records.removed(known["last_removal"], state.last_removal)
        if known["last_slot"] > state.last_slot or len(removed) != state.last_removal - known["last_removal"] or (
                len(removed) > MOST // 2):  # more than a search can skip
            return None
        same = known["last_slot"] == state.last_slot and not len(removed)
        return None if same and MilvusIndex.__len__(self) != state.count else removed

    def _same_build(self, known: dict) -> bool:
        now = self._saved()
        return now is not None and now.get("built") == known.get("built")

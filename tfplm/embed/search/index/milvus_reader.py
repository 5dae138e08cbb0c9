"""A collection at Milvus as its readers see it, beside a writer that is busy with it, or was killed."""

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
    """`MilvusIndex` that agrees with the records at every moment.

    Vectors reach Milvus after their records are committed. A writer saves up to which slot and removal they have: what
    is behind that slot is compared in the records, what was removed since is left out. While the collection is built,
    nothing is saved, and all records are compared.

    Args:
        records: of the index. saved: the newest state.json, None where there is none.
    """

    def __init__(self, *arguments, records: Records, saved: Callable[[], dict | None]):
        self._records, self._saved, self._warned = records, saved, False
        super().__init__(*arguments)

    def search(self, vectors: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Up to 2 k columns, k of Milvus and k of the records: their scores cannot be compared, as some of Milvus'
        indexes have coarse ones."""
        queries, k = self._prepared(vectors), self._width(k)
        slot, found = self._there(lambda gone: self._nearest(queries, min(k + len(gone), MOST)))
        scores, ids = exact_search(self._records.pages(slot), queries, k, self.settings.metric)
        if found is not None:
            (near, there), gone = found
            usable = (there <= slot) & ~np.isin(there, gone)
            scores = np.concatenate([scores, np.where(usable, near, -np.inf)], 1)
            ids = np.concatenate([ids, np.where(usable, there, -1)], 1)
        return best(scores, ids, min(2 * k, scores.shape[1]))

    def ids(self) -> np.ndarray:
        slot, found = self._there(lambda gone: MilvusIndex.ids(self))
        behind = self._records.slots(slot)
        if found is None:
            return behind
        there, gone = found
        return np.concatenate([np.setdiff1d(there[there <= slot], gone), behind])

    def __len__(self) -> int:
        return self._records.state().count

    def _open(self) -> None:
        """Makes nothing: that is the writer's."""
        if self._client.has_collection(self.collection):
            self._load()

    def _there(self, read: Callable[[np.ndarray], Found]) -> tuple[int, tuple[Found, np.ndarray] | None]:
        """(slot, (what `read` finds at Milvus, slots that were removed since)); (0, None) where it cannot be used.

        read: is given the removed ones. It is asked again where the collection was built in between.
        """
        for _ in range(3):
            if (known := self._saved()) is None:
                break
            try:
                with errors_not_logged():
                    if (gone := self._removed_since(known)) is None:
                        continue
                    found = read(gone)
            except Exception:  # of a collection that is just being replaced, or is gone
                if self._same_build(known) and self._client.has_collection(self.collection):
                    raise
                continue
            if self._same_build(known):
                return known["last_slot"], (found, gone)
        if not self._warned:
            log.warning("the vectors at Milvus cannot be used as they are: a writer builds them, or was killed; until one "
                        "has finished, every search reads all records")
            self._warned = True
        return 0, None

    def _removed_since(self, known: dict) -> np.ndarray | None:
        """None where what Milvus has is not what is known to be there."""
        state = self._records.state()
        gone = self._records.removed(known["last_removal"], state.last_removal)
        if known["last_slot"] > state.last_slot or len(gone) != state.last_removal - known["last_removal"] or (
                len(gone) > MOST // 2):  # more than a search there can pass over
            return None
        same = known["last_slot"] == state.last_slot and not len(gone)
        return None if same and MilvusIndex.__len__(self) != state.count else gone

    def _same_build(self, known: dict) -> bool:
        now = self._saved()
        return now is not None and now.get("built") == known.get("built")

"""Vector indexes in the folder of a store: each whole in a folder of its own, of which the newest counts."""

import contextlib
import json
import logging
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from tfplm.embed.search.index.vector_index import VectorIndex
from tfplm.embed.search.manifest import write_json

log = logging.getLogger(__name__)
_FOLDER = re.compile(r"vectors-(\d+)")


class SavedIndexes:
    """Folders `vectors-NUMBER` with the files of an index and `state.json`, which says what records it knows; written
    beside and renamed when whole. store: the name of the store whose they are."""

    def __init__(self, folder: Path, store: str):
        self._folder, self._store = folder.absolute(), store  # it is read later, maybe from another working directory

    def newest_first(self) -> Iterator[tuple[Path, dict]]:
        """(folder, what state.json says) of this store's; those that a writer adds meanwhile as well, for it takes away
        the older ones."""
        tried = set()
        while untried := [saved for saved in self._all() if saved not in tried]:
            _, path = saved = max(untried)
            tried.add(saved)
            try:
                known = json.loads((path / "state.json").read_text(encoding="utf-8"))
                if known["store"] == self._store:
                    yield path, known
            except (ValueError, KeyError, TypeError, FileNotFoundError) as error:
                self.leave_aside(path, error)

    def newest(self) -> dict | None:
        """What the newest state.json says."""
        return next((known for _, known in self.newest_first()), None)

    def leave_aside(self, path: Path, error: Exception) -> None:
        """Says so, unless a writer has taken it away."""
        if path.exists():
            log.warning("%s is left aside (%s): the index is made anew from the records", path, error)

    def save(self, index: VectorIndex, known: dict) -> None:
        """Writes a folder; the older ones go. A shared index is elsewhere: only what it knows is written."""
        number = max([0, *(number for number, _ in self._all())]) + 1
        beside = self._folder / f"vectors-{number}.partial"
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir()
        if not index.shared:
            index.save(beside)
        write_json(beside / "state.json", {"store": self._store, **known})
        for path in beside.iterdir():
            _to_disk(path)
        os.replace(beside, self._folder / f"vectors-{number}")
        for older, path in self._all():
            if older < number:
                shutil.rmtree(path, ignore_errors=True)

    def clear(self) -> None:
        """Takes them all away."""
        for _, path in self._all():
            shutil.rmtree(path)

    def _all(self) -> list[tuple[int, Path]]:
        return [(int(match[1]), path) for path in self._folder.iterdir() if (match := _FOLDER.fullmatch(path.name))]


def _to_disk(path: Path) -> None:
    with contextlib.suppress(OSError), open(path, "rb+") as file:  # not every file system can
        os.fsync(file.fileno())

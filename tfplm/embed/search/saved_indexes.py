"""Vector indexes saved in the folder of a store, each in a separate subfolder; the newest one is valid."""

import contextlib
import errno
import json
import logging
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from google_crc32c import extend
from google_crc32c import value as crc32c

from tfplm.core.config import read_json
from tfplm.embed.search.index.vector_index import VectorIndex
from tfplm.embed.search.manifest import write_json

log = logging.getLogger(__name__)
_FOLDER = re.compile(r"vectors-(\d+)")


class SavedIndexes:
    """Subfolders `vectors-NUMBER` with the files of an index and `state.json`, which states the records it contains, and the
    checksums of the files and of itself: damaged files could give wrong scores, or make a library take all memory.

    Each is written under a temporary name and renamed when complete. store: the name of the store.
    """

    def __init__(self, folder: Path, store: str):
        self._folder, self._store = folder.absolute(), store  # absolute, because the working directory may change

    def newest_first(self) -> Iterator[tuple[Path, dict]]:
        """(folder, content of state.json) of this store's indexes, newest first.

        Includes those that a writer adds meanwhile, because it removes the older ones.
        """
        tried = set()
        while untried := [saved for saved in self._all() if saved not in tried]:
            _, path = saved = max(untried)
            tried.add(saved)
            try:
                known = read_json(path / "state.json")
                if known["store"] == self._store:
                    yield path, _checked(known)
            except (ValueError, KeyError, TypeError, RecursionError, FileNotFoundError) as error:
                self.skip(path, error)

    def newest(self) -> dict | None:
        """The content of the newest state.json."""
        return next((known for _, known in self.newest_first()), None)

    def skip(self, path: Path, error: Exception) -> None:
        """Logs a warning about an unreadable index, unless a writer has removed it."""
        if path.exists():
            log.warning("%s cannot be used (%s): the index is rebuilt from the records", path, error)

    def save(self, index: VectorIndex, known: dict) -> None:
        """Writes an index and removes older ones. Of a shared index, which is stored elsewhere, only the state.

        Raises OSError, with the sizes, where the disk has no room for it; the older ones stay.
        """
        number = max([0, *(number for number, _ in self._all())]) + 1
        temporary = self._folder / f"vectors-{number}.partial"
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir()
        try:
            self._write(temporary, index, known)
        except (OSError, RuntimeError) as error:  # RuntimeError: of Faiss
            shutil.rmtree(temporary, ignore_errors=True)
            free = shutil.disk_usage(self._folder).free
            if free < index.memory or getattr(error, "errno", 0) == errno.ENOSPC:
                raise OSError(errno.ENOSPC, f"no room for the vectors: they take about {index.memory:,} bytes, and {free:,} "
                              "are free; free some, and run the same again", str(self._folder)) from error
            raise
        os.replace(temporary, self._folder / f"vectors-{number}")
        for older, path in self._all():
            if older < number:
                shutil.rmtree(path, ignore_errors=True)

    def _write(self, folder: Path, index: VectorIndex, known: dict) -> None:
        if not index.shared:
            index.save(folder)
        files = {path.name: _checksum(path) for path in sorted(folder.iterdir())}
        known = {"store": self._store, **known, "files": files}
        write_json(folder / "state.json", {**known, "checksum": _checksum_of(known)})
        for path in folder.iterdir():
            _sync(path)

    def clear(self) -> None:
        """Removes all saved indexes."""
        for _, path in self._all():
            shutil.rmtree(path)

    def _all(self) -> list[tuple[int, Path]]:
        return [(int(match[1]), path) for path in self._folder.iterdir() if (match := _FOLDER.fullmatch(path.name))]


def _checked(known: dict) -> dict:
    """The content of a state.json whose checksum is right; the files are checked by `check_files`."""
    if known.pop("checksum", None) != _checksum_of(known):
        raise ValueError("state.json has no checksum, or was altered")
    return known


def check_files(path: Path, known: dict) -> None:
    """ValueError where the files of an index are not those that were saved."""
    for name, checksum in known["files"].items():
        if _checksum(path / name) != checksum:
            raise ValueError(f"{name} was altered")


def _checksum_of(values: dict) -> int:
    return crc32c(json.dumps(values, sort_keys=True).encode())


def _checksum(path: Path) -> int:
    """CRC-32C of a file."""
    checksum = 0
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            checksum = extend(checksum, block)
    return checksum


def _sync(path: Path) -> None:
    with contextlib.suppress(OSError), open(path, "rb+") as file:  # not supported by every file system
        os.fsync(file.fileno())

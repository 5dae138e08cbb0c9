"""A search index's folder, opened: manifest, records, lock, vector index and encoder."""

import contextlib
import dataclasses
import os
import secrets
import sqlite3
from pathlib import Path

import numpy as np

from tfplm.embed.search.index.faiss import KINDS, faiss_module
from tfplm.embed.search.index_cache import IndexCache
from tfplm.embed.search.manifest import FILE, WHITENING, Manifest, SearchSettings, encode, origin_of, probe
from tfplm.embed.search.records.dialect import sqlite_file
from tfplm.embed.search.records.records import Records


class WriterLock:
    """A lock that ends with its process, however that ends, on every system: SQLite's own, on an empty database.

    Raises BlockingIOError where another process, or another object of this one, has it.
    """

    def __init__(self, folder: str | os.PathLike):
        self._connection = sqlite3.connect(Path(folder, "writer.lock"), timeout=0, isolation_level=None,
                                           check_same_thread=False)
        try:
            self._connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            self._connection.close()
            if "locked" not in str(error):
                raise
            raise BlockingIOError(f"{folder}: another process is writing to this index; wait until it has finished, or "
                                  "open the index for reading, which any number may do") from None

    def release(self) -> None:
        self._connection.close()


class Store:
    """Made by `create_store` and `open_store`. `lock` is None where it is open for reading only."""

    def __init__(self, folder: Path, manifest: Manifest, records: Records, lock: WriterLock | None, encoder=None):
        self.folder, self.manifest, self.records, self.lock, self._encoder = folder, manifest, records, lock, encoder
        self.closed = False
        self.cache = IndexCache(folder, manifest, records, writable=lock is not None)

    @property
    def encoder(self):
        """Loaded at the first use, and checked against what the index was made with."""
        if self._encoder is None:
            encoder = self.manifest.load_encoder(self.folder)
            self.manifest.check(encoder, self.folder)
            self._encoder = encoder
        return self._encoder

    def vectors(self, texts: list[str], prompt: str | None) -> np.ndarray:
        """float32 `[N,H]`. TypeError for what is no text, ValueError for vectors with numbers that are none."""
        for text in texts:
            if not isinstance(text, str):
                raise TypeError(f"expected texts, found {text!r:.60}")
        if not texts:
            return np.zeros((0, self.manifest.dimension), np.float32)
        vectors = encode(self.encoder, texts, prompt)
        if vectors.shape != (len(texts), self.manifest.dimension):
            raise ValueError(f"the encoder made an array of shape {vectors.shape} of {len(texts)} texts, expected "
                             f"{(len(texts), self.manifest.dimension)}")
        if not np.isfinite(vectors).all():
            number = int(np.flatnonzero(~np.isfinite(vectors).all(-1))[0])
            raise ValueError(f"the vector of {texts[number]!r:.60} has numbers that are not finite")
        return vectors

    def set_kind(self, kind: str) -> None:
        settings = dataclasses.replace(self.manifest.settings, kind=kind)
        self.manifest = self.cache.manifest = dataclasses.replace(self.manifest, settings=settings)
        self.manifest.save(self.folder)

    def need_writer(self) -> None:
        if self.lock is None:
            raise PermissionError(f"{self.folder} is open for reading: SearchIndex.open(..., writable=True)")

    def close(self) -> None:
        self.closed = True
        try:
            self.cache.close()
        finally:
            self.records.close()
            if self.lock is not None:
                self.lock.release()


def create_store(folder: Path, encoder, settings: SearchSettings) -> Store:
    """A new, empty one. What a kill leaves behind before the manifest is written, which is last, is taken over."""
    if (folder / FILE).exists():
        raise FileExistsError(f"{folder} is a search index already: open it with SearchIndex.open(..., writable=True), or "
                              "remove it")
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(f"{folder} is a file; expected a folder for the search index")
    if settings.kind in KINDS and settings.milvus is None:
        faiss_module()  # before any work is done
    folder.mkdir(parents=True, exist_ok=True)
    whitening = getattr(encoder, "whitening", None)
    manifest = Manifest(secrets.token_hex(8), settings, probe(encoder, settings.prompt).tolist(), origin_of(encoder),
                        whitening is not None)
    with contextlib.ExitStack() as undo:  # what is open, which an error closes: a database's lock ends with its connection
        lock = WriterLock(folder)
        undo.callback(lock.release)
        records = _open_records(manifest.records_url(folder), settings.table, writable=True)
        undo.callback(records.close)
        if not records.exists():
            records.create(manifest.store)
        elif records.state().last_slot:
            raise FileExistsError(f"the {records} has the records of another index: give another table")
        manifest = dataclasses.replace(manifest, store=records.state().store)
        if whitening is not None:
            whitening.save(folder / WHITENING)
        store = Store(folder, manifest, records, lock, encoder)
        undo.callback(store.cache.let_go)
        if settings.milvus is not None:
            store.cache.catch_up()  # a server that does not answer is found out now
        manifest.save(folder)
        undo.pop_all()
    return store


def open_store(folder: Path, encoder=None, writable: bool = False, records_url: str | None = None) -> Store:
    """One that is there."""
    manifest = Manifest.load(folder)
    if isinstance(encoder, str | os.PathLike):
        encoder = manifest.load_encoder(folder, encoder)
    if encoder is not None:
        manifest.check(encoder, folder)
    url = records_url or manifest.records_url(folder)
    if (file := sqlite_file(url)) is not None and not file.is_file():  # SQLite would make it
        raise FileNotFoundError(f"{folder} has no {file.name}: its records are gone; make the index again")
    with contextlib.ExitStack() as undo:
        lock = WriterLock(folder) if writable else None
        if lock is not None:
            undo.callback(lock.release)
        records = _open_records(url, manifest.settings.table, writable)
        undo.callback(records.close)
        if not records.exists() or records.state().store != manifest.store:
            raise ValueError(f"the {records} does not have the records of {folder}: give the right database (records)")
        store = Store(folder, manifest, records, lock, encoder)
        undo.callback(store.cache.let_go)
        if writable and manifest.settings.milvus is not None:
            store.cache.catch_up()  # the same, and readers get what a killed writer left undone
        undo.pop_all()
    return store


def _open_records(url: str, table: str, writable: bool) -> Records:
    records = Records(url, table)
    try:
        if writable and not records.lock():
            raise BlockingIOError(f"another process is writing to the {records}; wait until it has finished, or open the "
                                  "index for reading")
    except BaseException:
        records.close()
        raise
    return records

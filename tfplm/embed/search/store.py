"""The opened folder of a search index: manifest, records, lock, vector index and encoder."""

import contextlib
import dataclasses
import os
import secrets
from pathlib import Path

import numpy as np

from tfplm.core.outputs import WriterLock, known_files
from tfplm.embed.search.index.kinds import check_kind
from tfplm.embed.search.index_cache import IndexCache
from tfplm.embed.search.manifest import FILE, WHITENING, Manifest, SearchSettings, encode, origin_of, probe
from tfplm.embed.search.places import require_own_files, require_own_records, require_own_vectors
from tfplm.embed.search.records.dialect import sqlite_file
from tfplm.embed.search.records.records import Records


def writer_lock(folder: Path) -> WriterLock:
    """The lock of an index that is written; raises BlockingIOError if another process holds it."""
    return WriterLock(folder, what="this index",
                      instead="open the index for reading, which any number of processes can do")


class Store:
    """An open search index, from `create_store` or `open_store`. `lock` is None if it is open for reading only.

    own_encoder: the encoder was loaded here, and is closed with the store.
    """

    own_encoder = False

    def __init__(self, folder: Path, manifest: Manifest, records: Records, lock: WriterLock | None, encoder=None,
                 trust: bool = False):
        self.trust = trust
        self.folder, self.manifest, self.records, self.lock, self._encoder = folder, manifest, records, lock, encoder
        self.closed = False
        self.cache = IndexCache(folder, manifest, records, writable=lock is not None)

    @property
    def encoder(self):
        """The encoder, loaded at first use and checked against the one that the index was made with."""
        if self._encoder is None:
            origin = self.manifest.encoder
            encoder = self.manifest.load_encoder(self.folder, origin["source"] if self.trust and origin else None)
            try:
                self.manifest.check(encoder, self.folder)
            except BaseException:
                _close(encoder)
                raise
            self._encoder, self.own_encoder = encoder, True
        return self._encoder

    def vectors(self, texts: list[str], prompt: str | None) -> np.ndarray:
        """Encodes texts as float32 `[N,H]`. Raises TypeError for a non-string, ValueError for NaN or infinity."""
        for text in texts:
            if not isinstance(text, str):
                raise TypeError(f"expected texts, found {text!r:.60}")
        if not texts:
            return np.zeros((0, self.manifest.dimension), np.float32)
        vectors = encode(self.encoder, texts, prompt)
        if vectors.shape != (len(texts), self.manifest.dimension):
            raise ValueError(f"the encoder returned an array of shape {vectors.shape} for {len(texts)} texts, expected "
                             f"{(len(texts), self.manifest.dimension)}")
        if not np.isfinite(vectors).all():
            index = int(np.flatnonzero(~np.isfinite(vectors).all(-1))[0])
            raise ValueError(f"the vector of {texts[index]!r:.60} has numbers that are not finite; check the encoder")
        return vectors

    def kind_of(self, kind: str) -> str:
        """The kind by its own name, if this index can have it. Raises ValueError for one that compares by another metric."""
        settings = self.manifest.settings
        wanted = dataclasses.replace(settings, kind=kind)
        if wanted.index != settings.index:
            raise ValueError(f"kind is {kind!r}, which compares by {wanted.index.metric}, but the metric of {self.folder} "
                             f"is {settings.index.metric}: choose the kind {wanted.kind!r}, or make a new index")
        if settings.milvus is None:
            check_kind(wanted.kind, self.manifest.dimension, settings.index)
        return wanted.kind

    def set_kind(self, kind: str) -> None:
        settings = dataclasses.replace(self.manifest.settings, kind=kind)
        self.manifest = self.cache.manifest = dataclasses.replace(self.manifest, settings=settings)
        self.manifest.save(self.folder)

    def require_writer(self) -> None:
        if self.lock is None:
            raise PermissionError(f"{self.folder} is open for reading: use SearchIndex.open(..., writable=True)")

    def close(self) -> None:
        self.closed = True
        try:
            self.cache.close()
        finally:
            self.records.close()
            if self.lock is not None:
                self.lock.release()
            if self.own_encoder:
                _close(self._encoder)


def create_store(folder: Path, encoder, settings: SearchSettings) -> Store:
    """Creates an empty store. Reuses the files of a creation killed before the manifest, the last file, was written."""
    if (folder / FILE).exists():
        raise FileExistsError(f"{folder} is already a search index: open it with SearchIndex.open(..., writable=True), "
                              "or remove it")
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(f"{folder} is a file; expected a folder for the search index")
    known_files(folder, ("writer.lock", "records.sqlite*"))
    whitening = getattr(encoder, "whitening", None)
    manifest = Manifest(secrets.token_hex(8), settings, probe(encoder, settings.prompt).tolist(), origin_of(encoder),
                        whitening is not None)
    if settings.milvus is None:
        check_kind(settings.kind, manifest.dimension, settings.index)
    folder.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as undo:  # closed after an error: a database's lock ends with its connection
        lock = writer_lock(folder)
        undo.callback(lock.release)
        records = _open_records(manifest.records_url(folder), settings.table, writable=True)
        undo.callback(records.close)
        if not records.exists():
            records.create(manifest.store)
        elif records.state().last_slot:
            raise FileExistsError(f"the {records} has the records of another index: give another name for the table")
        manifest = dataclasses.replace(manifest, store=records.state().store)
        if whitening is not None:
            whitening.save(folder / WHITENING)
        store = Store(folder, manifest, records, lock, encoder)
        undo.callback(store.cache.release)
        if settings.milvus is not None:
            store.cache.catch_up()  # detects a server that does not answer
        manifest.save(folder)
        undo.pop_all()
    return store


def open_store(folder: Path, encoder=None, writable: bool = False, records_url: str | None = None,
               milvus: str | None = None, trust: bool = False) -> Store:
    """Opens an existing index; places outside of its folder must be given, or trusted. Raises PermissionError for others."""
    manifest = Manifest.load(folder)
    same = records_url in (None, manifest.settings.records)  # a relative file is one of the folder
    url = manifest.records_url(folder) if same else str(records_url)
    if not trust:
        require_own_files(folder)
        if records_url is None:
            require_own_records(folder, url)
        if milvus is None and manifest.settings.milvus is not None:
            require_own_vectors(folder, manifest.settings.milvus)
    if milvus is not None:
        if manifest.settings.milvus is None:
            raise ValueError(f"milvus is {milvus!r}, but {folder} keeps its vectors in files: leave it out, or make a "
                             "new index")
        manifest = dataclasses.replace(manifest, settings=dataclasses.replace(manifest.settings, milvus=milvus))
    with contextlib.ExitStack() as undo:
        if own := isinstance(encoder, str | os.PathLike):
            encoder = manifest.load_encoder(folder, encoder)
            undo.callback(_close, encoder)
        if encoder is not None:
            manifest.check(encoder, folder)
        store = _open(folder, manifest, url, writable, encoder, trust)
        store.own_encoder = own
        undo.pop_all()
    return store


def _open(folder: Path, manifest: Manifest, url: str, writable: bool, encoder, trust: bool) -> Store:
    if (file := sqlite_file(url)) is not None and not file.is_file():  # SQLite would create it
        raise FileNotFoundError(f"{folder} has no {file.name}: its records are missing; make the index again")
    with contextlib.ExitStack() as undo:
        lock = writer_lock(folder) if writable else None
        if lock is not None:
            undo.callback(lock.release)
        records = _open_records(url, manifest.settings.table, writable)
        undo.callback(records.close)
        if not records.exists() or records.state().store != manifest.store:
            raise ValueError(f"the {records} does not have the records of {folder}: give the right database (records=, "
                             "--records)")
        store = Store(folder, manifest, records, lock, encoder, trust)
        undo.callback(store.cache.release)
        if writable and manifest.settings.milvus is not None:
            store.cache.catch_up()  # detects a dead server, and finishes for readers what a killed writer left undone
        undo.pop_all()
    return store


def _close(encoder) -> None:
    """Ends the connection of an encoder that is a server."""
    if hasattr(encoder, "close"):
        encoder.close()


def _open_records(url: str, table: str, writable: bool) -> Records:
    records = Records(url, table, not writable)
    try:
        if writable and not records.lock():
            raise BlockingIOError(f"another process is writing to the {records}; wait until it has finished, or open the "
                                  "index for reading")
    except BaseException:
        records.close()
        raise
    return records

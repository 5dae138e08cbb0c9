"""Exports that are made once: a cache beside each model, for the backends."""

import contextlib
import dataclasses
import hashlib
import logging
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import tfplm
from tfplm.core.config import read_json, write_json
from tfplm.core.files import replacing
from tfplm.core.outputs import WriterLock, fingerprint
from tfplm.models.portable.formats import format_of, open_session, write
from tfplm.models.portable.portable import Portable
from tfplm.models.portable.session import Session, shared_threads

log = logging.getLogger(__name__)
FOLDER = ".tfplm"  # in the folder of a model
_MADE = "made.json"
_PATIENCE = 600.0  # seconds to wait for another process that makes the same export


@dataclasses.dataclass(frozen=True)
class Backend:
    """A program that runs a saved model in place of TensorFlow: `backend.open(key, make)`.

    Attributes:
        name: of the format, see `formats.FORMATS`.
        precision: of the format; int8 is dynamic.
        source: the folder or file of the model.
        changes: what was changed of it when it was loaded, such as fields of its configuration.
    """

    name: str
    precision: str
    source: Path
    changes: str = ""

    def open(self, key: str, make: Callable[[], Portable]) -> Session:
        """A session of what `make` returns, which is called only if there is no export of it yet, or if the files of
        the model have changed since.

        key: everything that it depends on beside these files.
        """
        return open_session(cached(self, key, make), self.name, shared_threads())


def backend_of(name: str, precision: str | None, source: str | os.PathLike, dtype: str | None = None, **changes
               ) -> Backend | None:
    """The backend with this name; None for "tensorflow". changes: see `Backend`.

    Raises ValueError for an unknown name or precision, and for a dtype, which is TensorFlow's, and ImportError for a
    missing package.
    """
    if name == "tensorflow":
        if precision not in (None, "float32"):
            raise ValueError(f"the precision is {precision!r} with the backend tensorflow; expected one with the backend "
                             "onnx or openvino: choose one of them, or a dtype in place of the precision")
        return None
    if name not in BACKENDS:
        raise ValueError(f"the backend is {name!r}; expected one of tensorflow, {', '.join(BACKENDS)}: choose one of them")
    if dtype not in (None, "auto", "float32"):
        raise ValueError(f"the dtype is {dtype!r} with the backend {name}; expected float32, from which the backend makes "
                         "its own precision: leave the dtype out, and set the precision")
    found = format_of(name, precision or "float32")
    found.load((*found.packages, *found.runtime))
    return Backend(name, precision or "float32", Path(source), repr(sorted(changes.items())))


BACKENDS = ("onnx", "openvino")


def cached(backend: Backend, key: str, make: Callable[[], Portable]) -> Path:
    """The folder with the export, see `Backend.open`."""
    key = f"{key} {backend.changes}"
    made = {"fingerprint": fingerprint([backend.source]), "version": tfplm.__version__, "key": key}
    place = _place(backend.source)
    digest = hashlib.blake2b(key.encode(), digest_size=6).hexdigest()
    folder = place / f"{backend.name}-{backend.precision}-{digest}"
    if _is_made(folder, made):
        return folder
    with _locked(place, lambda: _is_made(folder, made)) as waiting:
        if waiting:
            log.info("exporting %s for %s (%s) to %s", backend.source, backend.name, backend.precision, folder)
            shutil.rmtree(folder, ignore_errors=True)
            with replacing(folder) as temporary:
                temporary.mkdir()
                write(make(), temporary, backend.name, backend.precision)
                write_json(temporary / _MADE, made)
    return folder


def _is_made(folder: Path, made: dict) -> bool:
    try:
        return read_json(folder / _MADE) == made
    except (OSError, ValueError):
        return False


def _place(source: Path) -> Path:
    """The folder of exports: beside the model, or in the user's cache if that cannot be written."""
    beside = (source if source.is_dir() else source.parent) / FOLDER
    with contextlib.suppress(OSError):
        beside.mkdir(exist_ok=True)
        if os.access(beside, os.W_OK):
            return beside
    name = hashlib.blake2b(os.fsencode(source.absolute()), digest_size=8).hexdigest()
    place = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "tfplm", "exports", name).expanduser()
    place.mkdir(parents=True, exist_ok=True)
    return place


@contextlib.contextmanager
def _locked(place: Path, is_made: Callable[[], bool]):
    """Holds the lock of the exports, and yields True; yields False if another process has made it in the meantime."""
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            lock = WriterLock(place, ".lock", "the exports of this model", "remove its file, if no process runs")
            break
        except BlockingIOError:
            if time.monotonic() > end:
                raise
            time.sleep(0.2)
    try:
        yield not is_made()
    finally:
        lock.release(remove=True)

"""The policy for everything that a command writes, one for all commands.

- What does not exist, or is an empty folder, is written.
- What an earlier command of the same kind wrote is resumed if it is unfinished, and kept if it is finished;
  `--overwrite` writes it again.
- Folders with other files are never written into.
- One process at a time writes to a folder or file.
"""

import contextlib
import hashlib
import logging
import os
import re
import shlex
import shutil
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

log = logging.getLogger(__name__)
LOCK = ".writer.lock"
_SAFE = re.compile(r"[\w@%+=:,./-]+")  # unlike `shlex.quote`, letters of all scripts
_BLOCK, _BLOCKS = 1 << 20, 64  # of a large file, blocks at equal distances are read
# the files of a folder that determine the model or the tokenizer in it
_OF_MODELS = ("*.safetensors", "*.bin", "*.ckpt*", "*.keras", "*config.json", "vocab*", "merges.txt", "*.model",
              "tokenizer.json")


class WriterLock:
    """A lock that ends with its process, however that ends, on every system: SQLite's lock on an empty database.

    It works between machines if their common file system has locks; without them, a warning is logged.

    Raises BlockingIOError if another process, or another object of this process, holds it, and PermissionError if the
    folder cannot be written.

    Args:
        folder: folder of the lock's file.
        name: name of this file.
        what, instead: for the message, what is written to, and what to do instead of waiting.
    """

    def __init__(self, folder: str | os.PathLike, name: str = "writer.lock", what: str = "it",
                 instead: str = "use another output"):
        self.path = Path(folder, name)
        while True:
            self._connection = sqlite3.connect(self.path, timeout=0, isolation_level=None, check_same_thread=False)
            try:
                self._connection.execute("BEGIN EXCLUSIVE")
            except sqlite3.OperationalError as error:
                self._connection.close()
                if "database is locked" in str(error):
                    raise BlockingIOError(f"{folder}: another process is writing to {what}; wait until it has finished, "
                                          f"or {instead}") from None
                if "unable to open" in str(error) or "readonly" in str(error):
                    raise PermissionError(f"{folder} cannot be written ({error}): check its permissions, or {instead}"
                                          ) from None
                log.warning("%s: its file system has no locks (%s); make sure that no other process writes there", folder,
                            error)
                return
            if self.path.exists():  # else another process has removed it at its end, and a third one can make it again
                return
            self._connection.close()

    def release(self, remove: bool = False) -> None:
        """Ends the lock. remove: also deletes its file."""
        if remove:
            with contextlib.suppress(OSError):  # of systems on which an open file cannot be removed
                self.path.unlink()
        self._connection.close()


def command(*words: str | os.PathLike) -> str:
    """The words as a command line that can be pasted into a shell; every command that is printed is made here."""
    texts = [os.fspath(word) for word in words]
    return " ".join(text if _SAFE.fullmatch(text) else shlex.quote(text) for text in texts)


def date_of(path: str | os.PathLike) -> str:
    """When a file was written, such as `28 Nov 08:22`."""
    return date(os.stat(path).st_mtime)


def date(seconds: float) -> str:
    """A time of `time.time()` such as `28 Nov 08:22`, with the year if it is not this one."""
    when, now = time.localtime(seconds), time.localtime()
    return time.strftime("%d %b %H:%M" if when.tm_year == now.tm_year else "%d %b %Y %H:%M", when).lstrip("0")


def known_files(folder: str | os.PathLike, ours: Sequence[str]) -> list[Path]:
    """The files by which the folder is known as that of an earlier command; empty for a missing or empty folder.

    Args:
        ours: patterns of their names.

    Raises NotADirectoryError for a file, and FileExistsError for a folder with other files only.
    """
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(f"{folder} is a file; expected a folder to write: use another --output")
    # SQLite keeps a journal beside the lock, which stays after a kill
    names = [path.name for path in folder.iterdir() if not path.name.startswith(LOCK)] if folder.is_dir() else []
    found = [path for pattern in ours for path in sorted(folder.glob(pattern))]
    if names and not found:
        listed = ", ".join(sorted(names)[:4]) + (", ..." if len(names) > 4 else "")
        raise FileExistsError(f"{folder} has other files ({listed}); expected an empty or new folder, or one that this "
                              "command wrote, as nothing is written among other files: use another --output")
    return found


@contextlib.contextmanager
def writing_folder(folder: str | os.PathLike, ours: Sequence[str], overwrite: bool = False) -> Iterator[Path]:
    """The context of a command that writes a folder in one go: checks and locks it.

    Raises FileExistsError if it has been written before, unless `overwrite`, and the errors of `known_files`.
    """
    folder = Path(folder).expanduser()
    if (found := known_files(folder, ours)) and not overwrite:
        raise FileExistsError(f"{folder} was written before ({date_of(found[0])}); expected a new folder: add "
                              "--overwrite to write it again, or use another one")
    with locked(folder):
        yield folder


def check_file(path: str | os.PathLike, overwrite: bool = False) -> Path:
    """The path of a file that may be written.

    Raises FileExistsError if it exists, unless `overwrite`, and IsADirectoryError for a folder.
    """
    path = Path(path).expanduser()
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder; expected a file to write: use another --output")
    if path.exists() and not overwrite:
        raise FileExistsError(f"{path} was written before ({date_of(path)}); expected a new file: add --overwrite to "
                              "write it again, or use another --output")
    return path


@contextlib.contextmanager
def writing_file(path: str | os.PathLike, overwrite: bool = False) -> Iterator[Path]:
    """The context of a command that writes a file: checks it, see `check_file`, and locks it."""
    path = check_file(path, overwrite)
    with locked(path.parent, f".{path.name}.lock"):
        yield path


@contextlib.contextmanager
def locked(folder: str | os.PathLike, name: str = LOCK) -> Iterator[None]:
    """Creates the folder and holds its `WriterLock`; after an error, a folder without any file is removed."""
    folder = Path(folder)
    new = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    lock = WriterLock(folder, name)
    try:
        yield
    finally:
        lock.release(remove=True)
        if new:
            with contextlib.suppress(OSError):  # it has files
                folder.rmdir()


def remove_parts(folder: Path, patterns: Iterable[str]) -> None:
    """Deletes the files and folders with these names."""
    for path in [path for pattern in patterns for path in folder.glob(pattern)]:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def fingerprint(names: Iterable[str | os.PathLike]) -> str:
    """A digest of the contents of files and TensorFlow checkpoints; of folders, of the models and tokenizers in them.

    What does not exist, such as a name on a hub, counts by its name. Of a file of more than 64 MB, 64 blocks are read.
    """
    digest = hashlib.blake2b(digest_size=16)
    for name in names:
        path = Path(name).expanduser()
        folder, patterns = (path, _OF_MODELS) if path.is_dir() else (path.parent, (path.name, f"{path.name}.index",
                                                                                   f"{path.name}.data-*"))
        files = sorted({file for pattern in patterns for file in folder.glob(pattern) if file.is_file()})
        digest.update(b"" if files else os.fsencode(name))
        for file in files:
            _add_file(digest, file)
    return digest.hexdigest()


def _add_file(digest, path: Path) -> None:
    size = path.stat().st_size
    digest.update(size.to_bytes(8, "little"))
    with open(path, "rb") as file:
        step = max(_BLOCK, size // _BLOCKS)
        for start in range(0, size, step):
            file.seek(start)
            digest.update(file.read(_BLOCK))

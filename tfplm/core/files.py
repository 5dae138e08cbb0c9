"""Atomic writing of files and folders."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def replacing(path: str | os.PathLike, sync: bool = False) -> Iterator[Path]:
    """`with replacing(path) as temporary: ...` writes to a temporary path, which replaces `path` at the end.

    After an error, the temporary file or folder is removed and `path` is unchanged; one left by a killed process is
    overwritten. A folder can only replace an empty folder or create a new one.

    Args:
        sync: flushes the file to disk before it is renamed.
    """
    path = Path(path)
    temporary = path.with_name(path.name + ".part")
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove(temporary)
    try:
        yield temporary
        if sync:
            with open(temporary, "rb+") as file:
                os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        _remove(temporary)
        raise


def write_text(path: str | os.PathLike, text: str) -> None:
    """Atomically writes UTF-8 text with line feeds."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)

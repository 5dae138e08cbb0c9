"""Files and folders that are there whole or not at all."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def replacing(path: str | os.PathLike, sync: bool = False) -> Iterator[Path]:
    """`with replacing(path) as beside: ...` writes a file or folder beside, which takes its place at the end.

    After an error what was written is removed, and `path` is as it was; what a killed process left is overwritten. A
    folder takes the place of none or of an empty one.

    Args:
        sync: the file is on the disk, not only in the system's memory, before it is renamed.
    """
    path = Path(path)
    beside = path.with_name(path.name + ".part")
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove(beside)
    try:
        yield beside
        if sync:
            with open(beside, "rb+") as file:
                os.fsync(file.fileno())
        os.replace(beside, path)
    except BaseException:
        _remove(beside)
        raise


def write_text(path: str | os.PathLike, text: str) -> None:
    """UTF-8 with line feeds, by `replacing`."""
    with replacing(path) as beside:
        beside.write_text(text, encoding="utf-8", newline="\n")


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)

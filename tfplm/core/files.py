"""Atomic writing of files and folders, and errors that name the file."""

import contextlib
import errno
import os
import shutil
import struct
from collections.abc import Iterator
from pathlib import Path

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_DISK_FULL = "the disk is full, or a size limit was reached"


@contextlib.contextmanager
def replacing(path: str | os.PathLike, sync: bool = False, needed: int | None = None) -> Iterator[Path]:
    """`with replacing(path) as temporary: ...` writes to a temporary path, which replaces `path` at the end.

    After an error, the temporary file or folder is removed and `path` is unchanged; one left by a killed process is
    overwritten. A folder can only replace an empty folder or create a new one. Raises OSError, with the path, if the
    disk is full.

    Args:
        sync: flushes the file to disk before it is renamed.
        needed: bytes to be written, for the message about a full disk.
    """
    path = Path(path)
    temporary = path.with_name(path.name + ".part")
    with naming_the_space(path, needed):
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
    data = text.encode()
    with replacing(path, needed=len(data)) as temporary:
        temporary.write_bytes(data)


@contextlib.contextmanager
def naming_the_space(path: str | os.PathLike, needed: int | None = None) -> Iterator[None]:
    """Adds the path, the free space and the needed bytes to the error of a full disk, which names none of them."""
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL or str(error.strerror).startswith(_DISK_FULL):
            raise
        raise full_disk(path, needed, error.errno) from None


def full_disk(path: str | os.PathLike, needed: int | None = None, number: int = errno.ENOSPC) -> OSError:
    """The error for a disk that is too full for a file of `needed` bytes."""
    folder = next((one for one in Path(path).absolute().parents if one.is_dir()), Path("/"))
    free = shutil.disk_usage(folder).free
    wanted = "" if needed is None else f"it needs {size_text(needed)}, "
    return OSError(number, f"{_DISK_FULL}: {wanted}{size_text(free)} are free; free some "
                           "space, or write to another folder", str(path))


def size_text(count: int) -> str:
    """A number of bytes with a unit: 3 bytes, 1.2 kB, 4.5 MB, 6.7 GB."""
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} bytes"


@contextlib.contextmanager
def new_folder(path: str | os.PathLike) -> Iterator[Path]:
    """Creates a folder, and removes it after an error if it was not there before and is empty."""
    path = Path(path)
    existed = path.exists()
    path.mkdir(parents=True, exist_ok=True)
    try:
        yield path
    except BaseException:
        if not existed:
            with contextlib.suppress(OSError):
                path.rmdir()
        raise


@contextlib.contextmanager
def naming_the_file(path: str | os.PathLike) -> Iterator[None]:
    """Converts what reading a damaged file can raise to a ValueError that names the file."""
    try:
        yield
    except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, NotImplementedError, RecursionError,
            MemoryError, struct.error) as error:
        if isinstance(error, ValueError) and str(path) in str(error):
            raise
        raise ValueError(f"{path} cannot be read ({type(error).__name__}: {str(error)[:300]}): the file is truncated, "
                         "damaged or of another format; fetch or make it again") from None


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)

"""Lines of text from paths, globs, folders, gzip files and standard input."""

import codecs
import glob
import gzip
import io
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tfplm.core.suggest import nearest

LONGEST_LINE = 1 << 20  # characters read at once from one line, which bounds the memory for any file
_HEAD = 1 << 16  # the number of bytes inspected to distinguish text from binary files


def find_files(source: str) -> list[str]:
    """The files matched by a path, a folder (all files below it except hidden ones) or a glob, sorted.

    Raises FileNotFoundError with the nearest names, and ValueError for a folder without files.
    """
    path = Path(source).expanduser()
    if path.is_file() or path.is_fifo():
        return [str(path)]
    if path.is_dir():
        files = sorted(str(p) for p in path.rglob("*") if p.is_file()
                       and not any(part.startswith(".") for part in p.relative_to(path).parts))
        if not files:
            raise ValueError(f"{source}: the folder has no files; a corpus is expected there")
        return files
    if files := sorted(f for f in glob.glob(str(path), recursive=True) if Path(f).is_file()):
        return files
    raise FileNotFoundError(_not_found(source, path))


def _not_found(source: str, path: Path) -> str:
    if glob.has_magic(source):
        return f"no file matches {source}"
    folder = path.parent
    while not folder.is_dir():
        folder, path = folder.parent, folder
    near = nearest(path.name, [p.name for p in folder.iterdir()], n=3, cutoff=0.4)
    hint = "the nearest: " + ", ".join(str(folder / name) for name in near) if near else f"looked in {folder}"
    return f"there is no file or folder {source}; {hint}"


def open_bytes(name: str) -> io.BufferedReader:
    """Opens a file, or standard input for `-`, as bytes; gzip is detected by content, not by name."""
    raw: Any = sys.stdin.buffer if name == "-" else open(name, "rb", buffering=0)  # noqa: SIM115 (the caller closes it)
    file = io.BufferedReader(raw, _HEAD)
    if file.peek(2)[:2] == b"\x1f\x8b":
        return io.BufferedReader(gzip.GzipFile(fileobj=file))
    return file


def _peek(file: io.BufferedReader, name: str) -> bytes:
    try:
        return file.peek(_HEAD)
    except (EOFError, OSError, zlib.error) as error:
        raise ValueError(f"{name}: not a whole gzip file ({error}); fetch it again") from None


def _check_text(head: bytes, name: str, encoding: str) -> None:
    if head[:2] in (b"\xff\xfe", b"\xfe\xff") and encoding.lower().replace("-", "") in ("utf8", "utf8sig"):
        raise ValueError(f"{name}: the text is UTF-16, UTF-8 is expected; give --encoding utf-16")
    if b"\0" in head and "16" not in encoding and "32" not in encoding:
        raise ValueError(f"{name}: a binary file (it has zero bytes); a text file is expected")


def _is_gbk(data: bytes) -> bool:
    """Returns True if the bytes, decoded as GB18030, are mostly Chinese; a cut character at either end is ignored."""
    for start in (0, 1):
        for end in range(len(data), max(len(data) - 4, start), -1):
            try:
                text = data[start:end].decode("gb18030")
            except UnicodeDecodeError:
                continue
            foreign = [c for c in text if ord(c) > 127]
            common = sum("\u4e00" <= c <= "\u9fff" or c in "，。！？；：、“”‘’《》（）…—\u3000" for c in foreign)
            return bool(foreign) and common >= 0.8 * len(foreign)
    return False


def _decoding_error(error: UnicodeDecodeError, name: str, encoding: str) -> ValueError:
    found = f"{name}: not {encoding} text (byte 0x{error.object[error.start]:02x})"
    after, around = (error.object[max(0, error.start - before):error.start + 2048] for before in (0, 2048))
    if "gb" not in encoding.lower() and (_is_gbk(after) or _is_gbk(around)):
        return ValueError(f"{found}; it looks like GBK: give --encoding gb18030")
    return ValueError(f"{found}; give the right --encoding (latin-1, big5, shift_jis, ...), or a text file")


def size_of(sources: list[str]) -> int | None:
    """The total size in bytes of all files; None if unknown in advance (gzip, standard input, other sources)."""
    try:
        files = [file for source in sources for file in find_files(source)]
    except FileNotFoundError:
        return None
    return None if any(file.endswith(".gz") for file in files) else sum(Path(file).stat().st_size for file in files)


def is_file(name: str) -> bool:
    """Returns True if a user's argument names a file; False also for a text too long to be a file name."""
    try:
        return Path(name).is_file()
    except (OSError, ValueError):
        return False


def read_lines(name: str, encoding: str = "utf-8", longest: int = LONGEST_LINE) -> Iterator[str]:
    """Yields the lines of a file without line ends (LF, CRLF, CR) and without a byte-order mark.

    A line longer than `longest` characters is yielded in pieces (-1: never split). Raises ValueError for binary files,
    broken gzip files and text in another encoding; GBK is recognised, and the message suggests `--encoding gb18030`.
    """
    try:
        codecs.lookup(encoding)
        decoder = "utf-8-sig" if encoding.lower().replace("-", "") == "utf8" else encoding
        with open_bytes(name) as file:
            _check_text(_peek(file, name), name, encoding)
            text = io.TextIOWrapper(file, encoding=decoder, newline=None)
            while line := text.readline(longest):
                yield line.rstrip("\n")
    except UnicodeDecodeError as error:
        raise _decoding_error(error, name, encoding) from None
    except LookupError:
        raise ValueError(f"there is no encoding {encoding!r}; use one such as utf-8, gb18030, big5, latin-1") from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"{name}: not a whole gzip file ({error}); fetch it again") from None

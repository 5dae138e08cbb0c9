"""TFRecord files, plain or gzip, without TensorFlow: processes that write them start quickly and use little memory.

A record is: length uint64, its checksum uint32, data, its checksum uint32, all little-endian; the checksums are masked
CRC-32C. The format is that of `tf.io.TFRecordWriter` and `tf.data.TFRecordDataset`.
"""

import gzip
import os
import struct
import zlib
from collections.abc import Iterable, Iterator
from io import BufferedIOBase

from google_crc32c import value as crc32c

MAX_RECORD = 1 << 28  # bytes; a compressed file of a few KB could otherwise request all memory
_CHUNK = 1 << 20


def _masked(data: bytes) -> bytes:
    crc = crc32c(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def write_records(path: str | os.PathLike, records: Iterable[bytes], compress: bool = True) -> int:
    """Writes a temporary file next to `path` and renames it when complete; returns its size in bytes.

    The same records give the same bytes. After an OSError, such as a full disk, no file is left. Raises ValueError for a
    record of more than MAX_RECORD bytes.
    """
    temporary = f"{path}.{os.getpid()}.part"
    try:
        with open(temporary, "wb") as raw:
            file = gzip.GzipFile("", "wb", compresslevel=6, fileobj=raw, mtime=0) if compress else raw
            for record in records:
                if len(record) > MAX_RECORD:
                    raise ValueError(f"a record for {path} has {len(record)} bytes, expected at most {MAX_RECORD}: divide "
                                     "the document")
                length = struct.pack("<Q", len(record))
                file.write(length + _masked(length) + record + _masked(record))
            if compress:
                file.close()
            raw.flush()
            os.fsync(raw.fileno())
            size = raw.tell()
        os.replace(temporary, path)
        return size
    except BaseException:
        if os.path.exists(temporary):
            os.remove(temporary)
        raise


def read_records(path: str | os.PathLike) -> Iterator[bytes]:
    """Reads the records of a file; gzip is detected by content. Raises ValueError for a damaged or truncated file."""
    with open(path, "rb") as raw:
        file = gzip.GzipFile(fileobj=raw) if raw.peek(2)[:2] == b"\x1f\x8b" else raw
        number = 0
        try:
            while head := file.read(12):
                number += 1
                length = struct.unpack("<Q", head[:8])[0] if len(head) == 12 else 0
                if len(head) < 12 or _masked(head[:8]) != head[8:]:
                    raise ValueError("the length is damaged; is it a TFRecord file?")
                if length > MAX_RECORD:
                    raise ValueError(f"a record of {length} bytes, expected at most {MAX_RECORD}")
                data, crc = _read(file, length), file.read(4)
                if len(data) < length or len(crc) < 4:
                    raise ValueError("the file ends inside this record")
                if _masked(data) != crc:
                    raise ValueError("wrong checksum")
                yield data
        except (ValueError, EOFError, zlib.error, gzip.BadGzipFile, struct.error) as error:
            raise ValueError(f"{path}, record {number}: {error}; make the file again") from None


def _read(file: BufferedIOBase, length: int) -> bytes:
    """At most `length` bytes; the memory grows only with what the file really has."""
    parts, left = [], length
    while left and (part := file.read(min(left, _CHUNK))):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)

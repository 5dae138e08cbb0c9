"""Incremental writers of vector files: `.npy`, which NumPy can map into memory, and Parquet."""

import io
import json
import os
from pathlib import Path

import numpy as np

STATE = ".partial.json"


class NpyWriter:
    """Writes a `.npy` file `[N,H]` without knowing N in advance. The file has a temporary name until `close`.

    The header has a fixed length (NumPy leaves room for N to grow), so the vectors are written directly after it, and
    those written before a kill are not lost: with the same `origin` (a description of the vectors), a later writer
    resumes after the first `rows` of them.
    """

    def __init__(self, path: str | os.PathLike, dimension: int, origin: dict | None = None):
        self.path, self.dimension = Path(path), dimension
        self._partial, self._state = (self.path.with_name(self.path.name + end) for end in (".partial", STATE))
        self._header = len(_header(0, dimension))
        self.rows = self._resumable(origin)
        # "r+b" keeps the contents
        self._file = open(self._partial, "r+b" if self.rows else "wb")  # noqa: SIM115 (close and abandon close it)
        self._file.write(_header(self.rows, dimension))
        self._file.truncate(self._header + 4 * dimension * self.rows)
        self._file.seek(0, os.SEEK_END)
        self._state.write_text(json.dumps(origin), encoding="utf-8")

    def _resumable(self, origin: dict | None) -> int:
        if origin is None or not self._partial.is_file() or not self._state.is_file():
            return 0
        try:
            if json.loads(self._state.read_text(encoding="utf-8")) != origin:
                return 0
        except json.JSONDecodeError:
            return 0
        return max(0, self._partial.stat().st_size - self._header) // (4 * self.dimension)

    def write(self, vectors: np.ndarray, texts: list[str] | None = None) -> None:
        """Appends vectors `[n,H]`."""
        self._file.write(np.ascontiguousarray(vectors, np.float32).data)
        self._file.flush()
        self.rows += len(vectors)

    def close(self) -> None:
        """Writes N into the header and renames the file."""
        self._file.seek(0)
        self._file.write(_header(self.rows, self.dimension))
        self._file.close()
        os.replace(self._partial, self.path)
        self._state.unlink()

    def abandon(self) -> None:
        """After an error: keeps the partial file for a later run to resume."""
        self._file.close()


def _header(rows: int, dimension: int) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": "<f4", "fortran_order": False, "shape": (rows, dimension)})
    return buffer.getvalue()


class ParquetWriter:
    """Writes a Parquet file with the columns `text` (string) and `vector` (list of H float32), one row group per call.

    The file has a temporary name until `close`.
    """

    rows = 0

    def __init__(self, path: str | os.PathLike, dimension: int, origin: dict | None = None):
        try:
            import pyarrow
            from pyarrow import parquet
        except ImportError as error:
            raise ImportError("Parquet files need pyarrow: pip install -e '.[parquet]', or write .npy") from error
        self.path, self._arrow = Path(path), pyarrow
        self._partial = self.path.with_name(self.path.name + ".partial")
        self._schema = pyarrow.schema([("text", pyarrow.string()),
                                       ("vector", pyarrow.list_(pyarrow.float32(), dimension))])
        self._file = parquet.ParquetWriter(self._partial, self._schema)

    def write(self, vectors: np.ndarray, texts: list[str]) -> None:
        """Appends vectors `[n,H]` and their n texts."""
        flat = self._arrow.array(np.ascontiguousarray(vectors, np.float32).reshape(-1))
        column = self._arrow.FixedSizeListArray.from_arrays(flat, vectors.shape[1])
        self._file.write_table(self._arrow.table([self._arrow.array(texts, self._arrow.string()), column],
                                                 schema=self._schema))
        self.rows += len(vectors)

    def close(self) -> None:
        self._file.close()
        os.replace(self._partial, self.path)

    def abandon(self) -> None:
        """After an error: removes the file, because a Parquet file without its end is useless."""
        self._file.close()
        self._partial.unlink(missing_ok=True)


def writer_of(path: str | os.PathLike) -> type[NpyWriter] | type[ParquetWriter]:
    """The writer for a file name. Raises ValueError unless it ends in `.npy` or `.parquet`."""
    writers = {".npy": NpyWriter, ".parquet": ParquetWriter}
    suffix = Path(path).suffix.lower()
    if suffix not in writers:
        raise ValueError(f"{path}: vectors are written as .npy or .parquet; choose one of these")
    return writers[suffix]

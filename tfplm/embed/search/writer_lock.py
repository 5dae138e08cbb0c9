"""One writer at a time in a folder."""

import os
import sqlite3
from pathlib import Path


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

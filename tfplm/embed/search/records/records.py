"""Records in a database: id, text, payload and vector in one row, so that they are committed together."""

import contextlib
import errno
import json
import re
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from tfplm.embed.search.records.dialect import Dialect, dialect_of, without_password

PAGE = 4096  # the number of rows read at once
_MARKS = 500  # the maximum number of values in an IN (...)
_TABLE = re.compile(r"[a-z][a-z0-9_]{0,39}")


class Record(NamedTuple):
    """A record. slot: the id of this version of the record in the vector index, never reused.

    payload: JSON values. vector: float32 `[H]`, None unless requested.
    """

    slot: int
    id: str
    text: str
    payload: dict
    vector: np.ndarray | None = None


class State(NamedTuple):
    """The state of a store.

    - store: its random name;
    - last_slot: the last slot assigned;
    - last_removal: the number of the last removal;
    - forgotten: the number of the last removal that was cleared from the log;
    - count: the number of records.
    """

    store: str
    last_slot: int
    last_removal: int
    forgotten: int
    count: int


class Records:
    """The tables of a store.

    They are TABLE (the records), TABLE_removed (the log of removed slots, in order, from which indexes are updated),
    TABLE_state (one row) and TABLE_progress (the number of lines read of each file).

    Every change is one transaction, including the state. There is one connection; not thread-safe.
    """

    def __init__(self, url: str, table: str = "tfplm", read_only: bool = False):
        """read_only: an SQLite file is not changed, not even its journal mode."""
        if not _TABLE.fullmatch(table):
            raise ValueError(f"the table name is {table!r}, expected up to 40 of a-z, 0-9 and _, a letter first")
        self.url, self.table = url, table
        self._dialect: Dialect = dialect_of(url)
        self._connection = self._dialect.connect(url, read_only)
        self._locked = False

    def __str__(self) -> str:
        return f"table {self.table} of {without_password(self.url)}"

    def exists(self) -> bool:
        """Returns True if all tables have been created."""
        try:
            return bool(self._rows(f"SELECT store FROM {self.table}_state"))
        except Exception as error:
            if self._dialect.no_table(error):
                return False
            raise

    def create(self, store: str) -> None:
        """Creates empty tables. Raises FileExistsError if they exist."""
        if self.exists():
            raise FileExistsError(f"the {self} exists already: choose another name")
        d, table = self._dialect, self.table
        for name, columns in (
                (table, f"slot BIGINT PRIMARY KEY, id {d.key} NOT NULL UNIQUE, text {d.text} NOT NULL, "
                        f"payload {d.text} NOT NULL, vector {d.blob} NOT NULL"),
                (f"{table}_removed", "number BIGINT PRIMARY KEY, slot BIGINT NOT NULL"),
                (f"{table}_progress", f"name {d.key} NOT NULL UNIQUE, lines_read BIGINT NOT NULL"),
                (f"{table}_state", "store VARCHAR(40) NOT NULL, last_slot BIGINT NOT NULL, last_removal BIGINT NOT NULL, "
                                   "forgotten BIGINT NOT NULL, records BIGINT NOT NULL")):
            if d.name == "sqlite":
                columns = columns.replace("slot BIGINT PRIMARY KEY", "slot INTEGER PRIMARY KEY")  # SQLite's row id
            self._run(f"CREATE TABLE IF NOT EXISTS {name} ({columns}){d.table_options}")
        self._run(f"INSERT INTO {table}_state VALUES (?, 0, 0, 0, 0)", [store])  # last: `exists` reads this row

    def lock(self) -> bool:
        """Locks the store for writing until the connection ends; returns False if another connection holds the lock."""
        if self._dialect.lock is None:
            return True
        self._locked = bool(self._rows(self._dialect.lock, [f"tfplm {self.table}"])[0][0])
        return self._locked

    def state(self) -> State:
        (row,) = self._rows(f"SELECT store, last_slot, last_removal, forgotten, records FROM {self.table}_state")
        return State(*row)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """A database transaction."""
        self._run("BEGIN IMMEDIATE" if self._dialect.name == "sqlite" else "BEGIN")
        try:
            yield
            self._run("COMMIT")
        except BaseException:
            with contextlib.suppress(Exception):  # the first error is the one to report
                self._run("ROLLBACK")
            raise

    def write(self, rows: Sequence[tuple[str | None, str, dict]], vectors: np.ndarray, replaced: Iterable[int] = ()
              ) -> list[str]:
        """Within a transaction: erases the slots `replaced`, and appends rows with their vectors `[N,H]`.

        rows: (id or None, text, payload). Returns the ids; a row without one gets "#SLOT", with a slot for which this
        id is unused.
        """
        self.erase(replaced)
        if not rows:
            return []
        slots = self._free([row[0] for row in rows])
        ids = [f"#{slot}" if row[0] is None else row[0] for slot, row in zip(slots, rows)]
        values = [(slot, name, text, json.dumps(payload, ensure_ascii=False), vector.tobytes())
                  for slot, name, (_, text, payload), vector in zip(slots, ids, rows, np.asarray(vectors, "<f4"))]
        self._many(f"INSERT INTO {self.table} (slot, id, text, payload, vector) VALUES (?, ?, ?, ?, ?)", values)
        self._run(f"UPDATE {self.table}_state SET last_slot = ?, records = records + ?", [slots[-1], len(rows)])
        return ids

    def set_payloads(self, payloads: dict[int, dict]) -> None:
        """Within a transaction: sets the payloads of slots. Vectors and indexes do not change."""
        self._many(f"UPDATE {self.table} SET payload = ? WHERE slot = ?",
                   [(json.dumps(payload, ensure_ascii=False), slot) for slot, payload in payloads.items()])

    def erase(self, slots: Iterable[int]) -> None:
        """Within a transaction: deletes existing records and logs their removal."""
        slots = [int(slot) for slot in slots]
        if not slots:
            return
        number = self.state().last_removal
        for part in _parts(slots):
            self._run(f"DELETE FROM {self.table} WHERE slot IN ({_marks(part)})", part)
        self._many(f"INSERT INTO {self.table}_removed VALUES (?, ?)",
                   [(number + 1 + i, slot) for i, slot in enumerate(slots)])
        self._run(f"UPDATE {self.table}_state SET last_removal = last_removal + ?, records = records - ?",
                  [len(slots), len(slots)])

    def removed(self, after: int, last: int) -> np.ndarray:
        """int64: the slots of the removals (after, last]; fewer if some have been cleared from the log."""
        rows = self._rows(f"SELECT slot FROM {self.table}_removed WHERE number > ? AND number <= ?", [after, last])
        return np.array([row[0] for row in rows], np.int64)

    def forget_removals(self) -> None:
        """Within a transaction: clears the log of removals. Older indexes must then be rebuilt."""
        self._run(f"DELETE FROM {self.table}_removed")
        self._run(f"UPDATE {self.table}_state SET forgotten = last_removal")

    def by_id(self, ids: Iterable[str], vectors: bool = False) -> dict[str, Record]:
        """Maps those ids that exist to their records."""
        return {record.id: record for record in self._where("id", list(ids), vectors)}

    def by_slot(self, slots: Iterable[int]) -> dict[int, Record]:
        """Maps those slots that exist to their records, without vectors."""
        return {record.slot: record for record in self._where("slot", [int(slot) for slot in slots], False)}

    def vectors(self, slots: Iterable[int]) -> dict[int, np.ndarray]:
        """Maps those slots that exist to their vectors."""
        return {row[0]: _vector(row[1]) for part in _parts([int(slot) for slot in slots])
                for row in self._rows(f"SELECT slot, vector FROM {self.table} WHERE slot IN ({_marks(part)})", part)}

    def pages(self, after: int = 0, last: int | None = None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """(slots int64 `[n]`, vectors float32 `[n,H]`) for the slots in (after, last], in order, page by page."""
        while rows := self._page("slot, vector", after, last):
            after = rows[-1][0]
            yield np.array([row[0] for row in rows], np.int64), np.stack([_vector(row[1]) for row in rows])

    def slots(self, after: int = 0) -> np.ndarray:
        """int64: all slots above `after`, ascending."""
        parts = [np.zeros(0, np.int64)]
        while rows := self._page("slot", after, None):
            parts.append(np.array([row[0] for row in rows], np.int64))
            after = rows[-1][0]
        return np.concatenate(parts)

    def records(self) -> Iterator[Record]:
        """All records in the order of their slots, without vectors."""
        after = 0
        while rows := self._page("slot, id, text, payload", after, None):
            after = rows[-1][0]
            yield from (_record(row) for row in rows)

    def progress(self, name: str) -> int:
        """The number of lines of a file that have been added."""
        rows = self._rows(f"SELECT lines_read FROM {self.table}_progress WHERE name = ?", [name])
        return rows[0][0] if rows else 0

    def set_progress(self, name: str, lines: int) -> None:
        """Within a transaction: sets the number of lines read of a file."""
        self._run(f"DELETE FROM {self.table}_progress WHERE name = ?", [name])
        self._run(f"INSERT INTO {self.table}_progress VALUES (?, ?)", [name, lines])

    def vacuum(self) -> None:
        """Returns the space of deleted records to the disk in SQLite. Servers do so by themselves."""
        if self._dialect.name == "sqlite":
            self._run("VACUUM")
            self._run("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Releases the lock and closes the connection."""
        if self._locked:
            with contextlib.suppress(Exception):  # if the server is gone, so is the lock
                self._rows(self._dialect.unlock)
        self._connection.close()

    def _free(self, ids: list[str | None]) -> list[int]:
        """Slots after the last one for rows with these ids; those for which "#SLOT" is a used id are skipped if any
        id is None."""
        slots, start, given = [], self.state().last_slot + 1, set(ids)
        while missing := len(ids) - len(slots):
            names = {f"#{slot}": slot for slot in range(start, start + missing)}
            taken = given | self.by_id(names).keys() if None in given else set()
            slots += [slot for name, slot in names.items() if name not in taken]
            start += missing
        return slots

    def _where(self, column: str, values: list, vectors: bool) -> Iterator[Record]:
        columns = "slot, id, text, payload" + (", vector" if vectors else "")
        for part in _parts(values):
            rows = self._rows(f"SELECT {columns} FROM {self.table} WHERE {column} IN ({_marks(part)})", part)
            yield from (_record(row) for row in rows)

    def _page(self, columns: str, after: int, last: int | None) -> list:
        bound, values = ("", [after]) if last is None else ("AND slot <= ? ", [after, last])
        return self._rows(f"SELECT {columns} FROM {self.table} WHERE slot > ? {bound}ORDER BY slot LIMIT {PAGE}", values)

    def _rows(self, sql: str, values: Sequence = ()) -> list:
        cursor = self._connection.cursor()
        try:
            cursor.execute(sql.replace("?", self._dialect.mark), tuple(values))
            return list(cursor.fetchall())
        finally:
            cursor.close()

    def _run(self, sql: str, values: Sequence = ()) -> None:
        with self._writing() as cursor:
            cursor.execute(sql.replace("?", self._dialect.mark), tuple(values))

    def _many(self, sql: str, rows: list[tuple]) -> None:
        if rows:
            with self._writing() as cursor:
                cursor.executemany(sql.replace("?", self._dialect.mark), rows)

    @contextlib.contextmanager
    def _writing(self) -> Iterator:
        """A cursor. OSError where the disk of an SQLite file is full."""
        cursor = self._connection.cursor()
        try:
            yield cursor
        except sqlite3.OperationalError as error:
            if "is full" not in str(error):
                raise
            raise OSError(errno.ENOSPC, f"no room for the {self}; free some, and run the same again") from error
        finally:
            cursor.close()


def _marks(values: list) -> str:
    return ", ".join("?" * len(values))


def _parts(values: list) -> Iterator[list]:
    for start in range(0, len(values), _MARKS):
        yield values[start:start + _MARKS]


def _vector(blob) -> np.ndarray:
    return np.frombuffer(blob, "<f4").astype(np.float32, copy=False)


def _record(row) -> Record:
    slot, name, text, payload = row[:4]
    name = name.decode("utf-8") if isinstance(name, bytes) else name  # MySQL compares ids as bytes
    return Record(slot, name, text, json.loads(payload), _vector(row[4]) if len(row) > 4 else None)

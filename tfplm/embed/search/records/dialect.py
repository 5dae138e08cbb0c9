"""The differences between the supported databases: SQLite, PostgreSQL, MySQL (and MariaDB)."""

import dataclasses
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit


@dataclasses.dataclass(frozen=True)
class Dialect:
    """A database and its SQL dialect.

    - mark: the placeholder of a parameter;
    - key, text, blob: column types;
    - lock: SQL with one parameter, a name, that locks the name within a database until the connection ends; None if the
      database is a file in the folder, whose lock is enough;
    - unlock: SQL that releases the lock at once, because a server notices the end of a connection later;
    - no_table: returns True for the error of a missing table, in any language of the server;
    - table_options: SQL appended to `CREATE TABLE (...)`.
    """

    name: str
    mark: str
    key: str
    text: str
    blob: str
    lock: str | None
    unlock: str
    connect: Callable[[str, bool], Any]
    no_table: Callable[[Exception], bool]
    table_options: str = ""


def _sqlite(url: str, read_only: bool):
    """Connects with WAL (readers are not blocked by the writer) and FULL (commits are on disk)."""
    file = Path(url.removeprefix("sqlite:///")).absolute()
    # a folder that cannot be written to has no writer, and no room for the files of WAL
    query = "" if not read_only else "?mode=ro" if os.access(file.parent, os.W_OK) else "?mode=ro&immutable=1"
    connection = sqlite3.connect(file.as_uri() + query, timeout=30, isolation_level=None, check_same_thread=False, uri=True)
    connection.execute("PRAGMA trusted_schema = OFF")  # the file may come from elsewhere
    if not read_only:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
    return connection


def _postgres(url: str, read_only: bool):
    try:
        import psycopg
    except ImportError as error:
        raise ImportError("records in PostgreSQL need psycopg: pip install -e '.[postgres]'") from error
    try:
        return psycopg.connect(url, autocommit=True, connect_timeout=20)
    except psycopg.Error as error:
        raise ConnectionError(f"no connection to {without_password(url)}: {_line(error)}; a password is read from the "
                              "URL, PGPASSWORD or ~/.pgpass") from error


def _mysql(url: str, read_only: bool):
    try:
        import pymysql
    except ImportError as error:
        raise ImportError("records in MySQL need PyMySQL: pip install -e '.[mysql]'") from error
    parts = urlsplit(url)
    try:
        return pymysql.connect(
            host=parts.hostname or "localhost", port=parts.port or 3306, user=unquote(parts.username or "") or None,
            password=unquote(parts.password or os.environ.get("MYSQL_PWD", "")), database=parts.path.lstrip("/"),
            charset="utf8mb4", autocommit=True, connect_timeout=20)
    except pymysql.Error as error:
        raise ConnectionError(f"no connection to {without_password(url)}: {_line(error)}; a password is read from the "
                              "URL or MYSQL_PWD") from error


SQLITE = Dialect("sqlite", "?", "TEXT", "TEXT", "BLOB", None, "", _sqlite, lambda error: "no such table" in str(error))
POSTGRES = Dialect("postgresql", "%s", "TEXT", "TEXT", "BYTEA", "SELECT pg_try_advisory_lock(hashtext(%s))",
                   "SELECT pg_advisory_unlock_all()", _postgres, lambda error: getattr(error, "sqlstate", None) == "42P01")
MYSQL = Dialect("mysql", "%s", "VARBINARY(1020)", "LONGTEXT", "LONGBLOB",
                # locks are global to the server, with names of up to 64 characters
                "SELECT GET_LOCK(CONCAT('tfplm ', SHA1(CONCAT(DATABASE(), ' ', %s))), 0)", "SELECT RELEASE_ALL_LOCKS()",
                _mysql, lambda error: error.args[:1] == (1146,), " CHARACTER SET utf8mb4 COLLATE utf8mb4_bin")
_SCHEMES = {"sqlite": SQLITE, "postgresql": POSTGRES, "postgres": POSTGRES, "mysql": MYSQL, "mariadb": MYSQL}


def dialect_of(url: str) -> Dialect:
    """The dialect of a URL. Raises ValueError for an unsupported scheme."""
    scheme = url.partition("://")[0].partition("+")[0]
    if "://" not in url or scheme not in _SCHEMES:
        raise ValueError(f"the database of the records is {without_password(url)!r}, expected sqlite:///FILE, "
                         "postgresql://USER@HOST/DATABASE or mysql://USER@HOST/DATABASE")
    return _SCHEMES[scheme]


def sqlite_url(path: Path) -> str:
    return f"sqlite:///{path}"


def sqlite_file(url: str) -> Path | None:
    """The file of an SQLite URL; None for other databases."""
    return Path(url.removeprefix("sqlite:///")) if url.startswith("sqlite:///") else None


def without_password(url: str) -> str:
    """The URL without its password, to be shown and stored."""
    parts = urlsplit(url)
    if not parts.password:
        return url
    user, _, host = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{user.partition(':')[0]}@{host}"))


def _line(error: Exception) -> str:
    return " ".join(str(error).split())

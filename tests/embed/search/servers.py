"""Database servers for tests: installed ones, started in a temporary folder, or those named by variables."""

import contextlib
import getpass
import glob
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest


def program(name: str) -> str | None:
    paths = sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"), reverse=True)
    return shutil.which(name) or shutil.which(name, path="/usr/sbin") or (paths[0] if paths else None)


@contextlib.contextmanager
def folder_of(account: str) -> Iterator[tuple[Path, dict]]:
    """A folder owned by the account that runs the server (servers refuse root), and keywords of `subprocess`."""
    with tempfile.TemporaryDirectory(prefix="tfplm") as name:
        keywords = {}
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            shutil.chown(name, account)
            keywords = {"user": account, "cwd": name}
        yield Path(name), keywords


@contextlib.contextmanager
def postgres() -> Iterator[str]:
    """The URL of an empty PostgreSQL database."""
    pytest.importorskip("psycopg")
    if url := os.environ.get("TFPLM_TEST_POSTGRES"):
        yield url
        return
    if not (program("initdb") and program("pg_ctl")):
        pytest.skip("PostgreSQL is not installed: install it, or name an empty database in TFPLM_TEST_POSTGRES")
    with folder_of("postgres") as (folder, keywords):
        quiet = {**keywords, "stdout": subprocess.DEVNULL, "check": True, "timeout": 100}
        subprocess.run([program("initdb"), "-D", folder / "data", "-A", "trust", "-U", "postgres", "-E", "UTF8",
                        "--locale=C"], **quiet)
        control = [program("pg_ctl"), "-D", folder / "data", "-w", "-l", folder / "log"]
        subprocess.run([*control, "-o", f"-k {folder} -h '' -c fsync=off", "start"], **quiet)
        try:
            yield f"postgresql://postgres@/postgres?host={folder}"
        finally:
            subprocess.run([*control, "-m", "immediate", "stop"], **quiet)


@contextlib.contextmanager
def mysql() -> Iterator[str]:
    """The URL of an empty MySQL or MariaDB database."""
    pymysql = pytest.importorskip("pymysql")
    if url := os.environ.get("TFPLM_TEST_MYSQL"):
        yield url
        return
    if not (program("mariadb-install-db") and program("mariadbd")):
        pytest.skip("MariaDB is not installed: install it, or name an empty database in TFPLM_TEST_MYSQL")
    with folder_of("mysql") as (folder, keywords), socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        account = keywords.get("user") or getpass.getuser()
        subprocess.run([program("mariadb-install-db"), "--no-defaults", f"--datadir={folder}/data", "--skip-test-db",
                        f"--auth-root-socket-user={account}", "--auth-root-authentication-method=normal"],
                       **keywords, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True, timeout=100)
        server = subprocess.Popen([program("mariadbd"), "--no-defaults", f"--datadir={folder}/data", f"--port={port}",
                                   "--bind-address=127.0.0.1", f"--socket={folder}/s", f"--pid-file={folder}/pid"],
                                  **keywords, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            for _ in range(300):
                with contextlib.suppress(pymysql.Error):
                    connection = pymysql.connect(host="127.0.0.1", port=port, user="root")
                    break
                time.sleep(0.1)
            connection.cursor().execute("CREATE DATABASE tfplm")
            connection.close()
            yield f"mysql://root@127.0.0.1:{port}/tfplm"
        finally:
            server.terminate()
            server.wait(60)

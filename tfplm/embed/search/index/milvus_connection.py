"""Connections to Milvus: to a server by its URL, or to Milvus Lite, a server inside the process, by its file."""

import collections
import contextlib
import logging
import os
import threading
from collections.abc import Iterator

_SECONDS = 20  # timeout of a connection
_LOGS = ("milvus_lite.server_manager", "milvus_lite.adapter.grpc.servicer", "pymilvus.decorators")
_users: collections.Counter[str] = collections.Counter()  # connections of this process to each file of Milvus Lite
_thread = threading.Lock()


def is_file(uri: str) -> bool:
    """Returns True for a file of Milvus Lite."""
    return "://" not in uri and uri.endswith(".db")


def connect(uri: str):
    """Creates a client of pymilvus, to be passed to `disconnect`.

    Raises ImportError without pymilvus, ConnectionError if nothing answers, and BlockingIOError if another process has
    the file open: Milvus Lite admits one.
    """
    try:
        from pymilvus import MilvusClient, MilvusException
    except ImportError as error:
        raise ImportError("Milvus needs pymilvus: pip install -e '.[milvus]'") from error
    with _thread, errors_not_logged() as reasons:
        try:
            client = MilvusClient(uri, token=os.environ.get("MILVUS_TOKEN", ""), timeout=_SECONDS)
        except (MilvusException, OSError) as error:
            if any("Lock" in type(reason).__name__ for reason in reasons):
                raise BlockingIOError(
                    f"another process has {uri} open, and Milvus Lite admits one at a time: wait until it has ended, "
                    "or keep the vectors in a Milvus server (milvus=\"http://HOST:19530\")") from error
            why = " ".join(str(reasons[0] if reasons else error).split())[:200]
            raise ConnectionError(f"no connection to Milvus at {uri}: {why}; give the URL of a running server "
                                  "(http://HOST:19530), or a file name that ends in .db") from error
        if is_file(uri):
            _users[os.path.abspath(uri)] += 1
    return client


def disconnect(client, uri: str) -> None:
    """Closes a connection; closing the last one to a file allows other processes to open it."""
    with _thread:
        client.close()
        if not is_file(uri):
            return
        path = os.path.abspath(uri)
        _users[path] -= 1
        if not _users[path]:
            del _users[path]
            from milvus_lite.server_manager import server_manager_instance
            server_manager_instance.release_server(path)


@contextlib.contextmanager
def errors_not_logged() -> Iterator[list[BaseException]]:
    """Suppresses the tracebacks that Milvus logs; yields a list of the logged errors."""
    reasons, logs = [], [logging.getLogger(name) for name in _LOGS]

    def collect(record: logging.LogRecord) -> bool:
        if record.exc_info and record.exc_info[1] is not None:
            reasons.append(record.exc_info[1])
        return record.levelno < logging.ERROR

    for log in logs:
        log.addFilter(collect)
    try:
        yield reasons
    finally:
        for log in logs:
            log.removeFilter(collect)

"""Servers with engines that need no model, and the unmodified client of bert-as-service."""

import contextlib
import time
import warnings

import pytest

from tests.serve.fake_engines import FakeEngine, vectors_of
from tfplm.options.serve import ServeOptions
from tfplm.serve.server import Server


@contextlib.contextmanager
def serving(*engines, **options):
    """A server at free ports; without engines one that answers at once."""
    options = {"source": "fake", "port": 0, "port_out": 0, "drain_seconds": 5.0, **options}
    server = Server(ServeOptions(**options), list(engines) or [FakeEngine(tokens=True)])
    try:
        with server:
            yield server
    finally:
        for engine in engines:
            engine.close()


def client(server, **keywords):
    """A BertClient that gives up after 20 s, in place of never."""
    from bert_serving.client import BertClient

    return BertClient(port=server.port, port_out=server.port_out, **{"timeout": 20_000, **keywords})


def eventually(condition, seconds: float = 20.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.01)
    return False


def works(server) -> bool:
    with client(server) as bert:
        return bool((bert.encode(["还好"]) == vectors_of(["还好"])).all())


@pytest.fixture(scope="module")
def server():
    with serving(show_tokens_to_client=True, max_seq_len="NONE") as running:
        yield running


@pytest.fixture(autouse=True)
def _quiet():
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "server does not put a restriction")
        yield

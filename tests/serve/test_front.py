"""The loop of the ZeroMQ sockets: what it keeps, and how it ends."""

import threading

import pytest

pytest.importorskip("zmq", reason="pip install 'tfplm[serve]'")

from tests.serve.conftest import serving
from tests.serve.fake_engines import HeldEngine


class Message(bytes):
    """Sets `gone` when nobody keeps it any more."""

    gone = threading.Event()

    def __del__(self):
        self.gone.set()


def test_a_request_that_waits_does_not_keep_its_message():
    """Its sequences are enough."""
    with serving(engine := HeldEngine()) as server:
        server.front._receive([b"me", Message(b'["a"]'), b"2", b"1"])
        assert server.service.scheduler.pending == 1 and Message.gone.is_set()
        engine.go.set()

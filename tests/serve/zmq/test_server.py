"""The loop of the ZeroMQ sockets: what it keeps, and how it ends."""

import contextlib
import threading

import numpy as np
import pytest

pytest.importorskip("bert_serving.client", reason="pip install bert-serving-client==1.10.0")
import zmq

from tests.serve.conftest import client, eventually, serving
from tests.serve.fake_engines import HeldEngine, vectors_of
from tests.serve.zmq.test_hostile import Raw


class Message(bytes):
    """Sets `gone` when nobody keeps it any more."""

    gone = threading.Event()

    def __del__(self):
        self.gone.set()


class Asker:
    """A connection that stays."""

    def gone(self):
        return False


def test_a_request_that_waits_does_not_keep_its_message():
    """Its sequences are enough."""
    with serving(engine := HeldEngine()) as server:
        server.zmq._receive(Asker(), [b"me", Message(b'["a"]'), b"2", b"1"])
        assert server.service.scheduler.pending == 1 and Message.gone.is_set()
        engine.go.set()


@contextlib.contextmanager
def stopping(server):
    """While a server stops; it has stopped at the end."""
    thread = threading.Thread(target=server.stop, daemon=True)
    thread.start()
    assert eventually(lambda: server.zmq._draining)
    yield
    thread.join(20)
    assert not thread.is_alive()


def test_who_asks_while_the_server_stops_is_told():
    """What was asked before is answered, and figures are still given."""
    with serving(engine := HeldEngine()) as server, client(server) as early, Raw(server) as late:
        early.encode(["a"], blocking=False)
        assert engine.asked.wait(20)
        with stopping(server):
            info, vectors = late.ask(b'["b", "c"]', 2)
            assert info["error"] == "the server is stopping" and np.isnan(vectors).all() and vectors.shape == (2, 4)
            assert early.server_status["statistic"]["num_data_request"] == 2
            engine.go.set()
            np.testing.assert_array_equal(early.fetch_all()[0], vectors_of(["a"]))
        assert server.stop()


def test_what_a_full_queue_left_unread_is_answered_when_the_server_stops():
    with serving(engine := HeldEngine(), max_queue=1) as server, client(server) as first, Raw(server) as second:
        first.encode(["a"], blocking=False)
        assert engine.asked.wait(20)
        second.out.send_multipart([b"raw", b'["b"]', b"1", b"1"])
        with stopping(server):
            assert b"the server is stopping" in second.back.recv_multipart()[1]
            engine.go.set()
            np.testing.assert_array_equal(first.fetch_all()[0], vectors_of(["a"]))


def test_clients_that_go_on_asking_do_not_keep_the_server():
    with serving(HeldEngine(), drain_seconds=0.5) as server, client(server) as first, Raw(server) as restless:
        first.encode(["a"], blocking=False)
        asked, ended = threading.Semaphore(0), threading.Event()

        def ask():
            number = 1
            while not ended.is_set():
                message = b"SHOW_STATUS" if number % 2 else b'["b"]'
                with contextlib.suppress(zmq.Again):  # the server is gone
                    restless.out.send_multipart([b"raw", message, b"%d" % number, b"1"], zmq.NOBLOCK)
                asked.release()
                restless.back.poll(1)
                number += 1

        thread = threading.Thread(target=ask)
        thread.start()
        try:
            for _ in range(20):
                assert asked.acquire(timeout=20)
            with stopping(server):
                pass
            assert not server.stop()
        finally:
            ended.set()
            thread.join()

"""The server against peers that speak the protocol and abuse it, over raw sockets."""

import contextlib
import json
import socket
import time

import pytest

pytest.importorskip("zmq", reason="pip install 'tfplm[serve]'")
import numpy as np

from tests.serve.conftest import client, eventually, serving, works
from tests.serve.fake_engines import FakeEngine, HeldEngine, vectors_of
from tests.serve.zmq.test_hostile import Raw
from tfplm.serve.zmq import net as module
from tfplm.serve.zmq import zmtp


def rss() -> int:
    """MB of this process."""
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) >> 10 for line in file if line.startswith("VmRSS"))


@contextlib.contextmanager
def speaking(port: int, kind: bytes = b"PUSH"):
    """A connection after its handshake."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(zmtp.GREETING + zmtp.ready(kind))
        expected = len(zmtp.GREETING + zmtp.ready(b"PULL" if kind == b"PUSH" else b"XPUB"))
        received = b""
        while len(received) < expected:
            received += connection.recv(expected - len(received))
        assert received[:10] == zmtp.GREETING[:10]
        yield connection


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="/proc of Linux")
@pytest.mark.parametrize("kind", [b"PUSH", b"SUB"])
@pytest.mark.parametrize("part", [b"\x01\x01z" * 20_000, b"\x03" + (1 << 20).to_bytes(8, "big") + bytes(1 << 20)],
                         ids=["parts of a byte", "parts of a megabyte"])
def test_messages_whose_parts_never_end(kind, part):
    with serving(max_request_mb=8) as server:
        before, sent = rss(), 0
        for _ in range(4):  # who was cut off connects again
            with contextlib.suppress(OSError), speaking(server.port if kind == b"PUSH" else server.port_out, kind) as peer:
                for _ in range(120):
                    peer.sendall(part)
                    sent += len(part)
        assert rss() - before < 60 and works(server)
        assert server.service.counters.numbers["cut_connections"] >= 3


def half_of_a_request(size: int) -> bytes:
    return b"".join(zmtp.encode([b"half", bytes(size), b"1", b"1"]))[:-1000]


def test_half_messages_of_many_keep_nobody_from_being_served(monkeypatch):
    """Those that stand still have to go for others."""
    monkeypatch.setattr(module, "STALL", 0.1)
    with serving(max_request_mb=1) as server, contextlib.ExitStack() as stack:
        for _ in range(12):
            peer = stack.enter_context(speaking(server.port))
            peer.sendall(half_of_a_request(900_000))
        pool = server.zmq.net.pool
        assert eventually(lambda: pool.bytes > 2 << 20)
        time.sleep(0.3)
        assert pool.bytes <= pool.limit == 4 << 20
        with client(server) as bert:
            texts = ["x" * 1000 + str(number) for number in range(900)]
            np.testing.assert_array_equal(bert.encode(texts), vectors_of(texts))
    assert pool.bytes == 0


def test_half_messages_that_trickle_stand_still_as_well(monkeypatch):
    monkeypatch.setattr(module, "STALL", 0.3)
    with serving(max_request_mb=1) as server, contextlib.ExitStack() as stack:
        peers = [stack.enter_context(speaking(server.port)) for _ in range(5)]
        for peer in peers:
            peer.sendall(half_of_a_request(900_000))
        for _ in range(6):
            time.sleep(0.1)
            for peer in peers:
                with contextlib.suppress(OSError):
                    peer.sendall(b"x")
        with client(server) as bert:
            texts = ["x" * 1000 + str(number) for number in range(900)]
            np.testing.assert_array_equal(bert.encode(texts), vectors_of(texts))


def test_a_request_for_which_there_is_no_room_is_answered():
    with serving(max_request_mb=1) as server, Raw(server) as raw:
        server.zmq.net.pool.bytes += 4 << 20
        info, vectors = raw.ask(json.dumps(["x" * 900_000]).encode())
        assert "that have not come in whole: try again" in info["error"] and np.isnan(vectors).all()
        info, vectors = raw.ask(b'["a"]', number=2)
        assert (vectors == vectors_of(["a"])).all()


def test_connections_are_bounded(monkeypatch):
    """Strangers go first; those who speak the protocol stay."""
    with serving() as server, speaking(server.port) as friend, contextlib.ExitStack() as stack:
        server.zmq.net.most = 12  # 10 of one address
        for _ in range(30):
            stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
        assert eventually(lambda: server.service.counters.numbers["cut_connections"] >= 20)
        assert len(server.zmq.net.connections) <= 10 and works(server)
        friend.sendall(zmtp.command(b"PING", b"\0\0hello"))
        assert friend.recv(100) == zmtp.command(b"PONG", b"hello")


def test_who_says_nothing_is_cut_off(monkeypatch):
    monkeypatch.setattr(module, "HANDSHAKE", 0.2)
    with serving() as server, socket.create_connection(("127.0.0.1", server.port), timeout=20) as silent:
        received = b""
        while part := silent.recv(1000):
            received += part
        assert received == zmtp.GREETING


@pytest.mark.parametrize("content", [
    b"HTTP", zmtp.GREETING + zmtp.ready(b"REQ"), zmtp.GREETING + b"\x00\x01a",
    zmtp.GREETING + zmtp.ready(b"PUSH") + b"\xff" * 9,
    zmtp.GREETING + zmtp.ready(b"PUSH") + zmtp.command(b"ERROR", b"\x03bad")])
def test_who_speaks_something_else_is_cut_off(server, content):
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as stranger:
        stranger.sendall(content)
        while stranger.recv(1000):
            pass
    assert works(server)


def test_two_clients_of_one_identity_are_told():
    """Vectors of the other would be taken for one's own."""
    engine = FakeEngine(seconds=0.01)
    with serving(engine) as server, Raw(server, b"same") as first, Raw(server, b"same") as second:
        while not second.back.poll(100):  # its subscription may be on the way
            first.out.send_multipart([b"same", b"SHOW_CONFIG", b"1", b"0"])
        for raw in (first, second):
            while raw.back.poll(300):
                raw.back.recv_multipart()
        info, vectors = first.ask(b'["a"]', number=2)
        assert (vectors == vectors_of(["a"])).all()
        second.back.recv_multipart()  # it hears the reply to the first
        info, _ = second.ask(b'["b"]', number=2)
        assert "another client that is connected asks with this identity" in info["error"]
        first.back.recv_multipart()
        info, _ = first.ask(b'["c"]', number=3)
        assert "another client" in info["error"]


def test_the_same_number_twice_at_once_is_told():
    with serving(engine := HeldEngine()) as server, Raw(server) as raw:
        for text in ("first", "second"):
            raw.out.send_multipart([b"raw", json.dumps([text]).encode(), b"5", b"1"])
        frames = raw.back.recv_multipart()
        assert "is being worked on" in json.loads(frames[1])["error"] and frames[3] == b"5"
        engine.go.set()
        frames = raw.back.recv_multipart()
        assert frames[2] == vectors_of(["first"]).tobytes()


def test_who_gives_no_sign_of_life_is_cut_off():
    with serving(heartbeat=0.1) as server, speaking(server.port_out, b"SUB") as dead, speaking(
            server.port_out, b"SUB") as living:
        living.sendall(b"\x00\x03\x01me")
        ping = zmtp.command(b"PING", (4).to_bytes(2, "big"))  # tenths of a second
        received = b""
        while part := dead.recv(1000):
            received += part
            living.sendall(zmtp.command(b"PONG"))
        assert received.startswith(ping) and received.count(ping) <= 8
        assert eventually(lambda: server.zmq.outbox.subscribers == 1) and len(server.zmq.net.connections) == 1

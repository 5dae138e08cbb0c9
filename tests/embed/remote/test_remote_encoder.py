"""An encoder that is a running server, and every way in which it can fail."""

import socket
import threading

import numpy as np
import pytest

pytest.importorskip("zmq", reason="pip install -e '.[serve]'")

from tests.embed.remote.fake_server import serving
from tests.embed.search.fake_encoder import FakeEncoder
from tfplm.embed import RemoteEncoder
from tfplm.embed.remote import connection, remote_encoder
from tfplm.embed.remote.address import Address

LOCAL, TEXTS = FakeEncoder(8), ["图书馆几点开门", "停车", "a"]


class Tokens:
    """A vector for each character."""

    def encode(self, texts):
        vectors = np.zeros((len(texts), max(map(len, texts)), 3), np.float32)
        for row, text in zip(vectors, texts):
            row[:len(text)] = 1
        return vectors


def test_vectors_of_a_server(monkeypatch):
    monkeypatch.setattr(remote_encoder, "_AT_ONCE", 2)
    with serving(LOCAL, config={"max_seq_len": 25}) as server, RemoteEncoder(server.url) as encoder:
        assert (encoder.dimension, encoder.max_length) == (8, 25) and encoder.config["server_version"] == "1.10.0"
        server.requests.clear()
        np.testing.assert_array_equal(encoder.encode(TEXTS), LOCAL.encode(TEXTS))
        assert server.requests == [TEXTS[:2], TEXTS[2:]]
        np.testing.assert_array_equal(encoder.encode("停车"), LOCAL.encode(["停车"])[0])
        np.testing.assert_array_equal(encoder.encode(TEXTS, prompt="问："), LOCAL.encode(TEXTS, "问："))
        assert encoder.encode([]).shape == (0, 8)
        assert encoder.origin == {"source": server.url, "pooling": "REDUCE_MEAN", "layers": [-2], "max_length": 25}


def test_vectors_of_tokens(monkeypatch):
    monkeypatch.setattr(remote_encoder, "_AT_ONCE", 1)
    with serving(Tokens()) as server, RemoteEncoder(server.url) as encoder:
        vectors = encoder.encode(["a", "bcd"])
    assert vectors.shape == (2, 3, 3) and vectors.sum((1, 2)).tolist() == [3, 9]


def test_a_name_with_addresses_of_both_kinds():
    """`localhost` may be ::1 as well, where nobody listens."""
    with serving(LOCAL) as server, RemoteEncoder(server.url.replace("127.0.0.1", "localhost")) as encoder:
        assert encoder.encode(TEXTS).shape == (3, 8)


def test_several_threads_share_a_connection():
    found = {}
    with serving(LOCAL) as server, RemoteEncoder(server.url) as encoder:
        def ask(number):
            found[number] = encoder.encode([f"第{number}句"])

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert all((found[number] == LOCAL.encode([f"第{number}句"])).all() for number in range(8))


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def test_no_server():
    port = free_port()
    with pytest.raises(ConnectionError, match=rf"nobody answers at 127.0.0.1:{port} \(.*\), expected a .*: start one"):
        RemoteEncoder(f"tcp://127.0.0.1:{port}")
    with serving(LOCAL) as server, pytest.raises(ConnectionError, match=f"nobody answers at 127.0.0.1:{port} "):
        RemoteEncoder(f"tcp://127.0.0.1:{server.port}?port_out={port}")  # one of the two ports


def test_another_program_at_the_port(monkeypatch):
    monkeypatch.setattr(connection, "CONNECTING", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        port = mute.getsockname()[1]
        with pytest.raises(TimeoutError, match="does not tell its configuration, expected a server of bert-as-service"):
            RemoteEncoder(f"tcp://127.0.0.1:{port}?port_out={port}")


def test_a_server_that_ends_in_the_middle():
    with serving(LOCAL, ends=2, falls_silent=1) as server, RemoteEncoder(server.url, timeout=60) as encoder:
        with pytest.raises(ConnectionError, match="has closed the connection before it answered, .*: start it again"):
            encoder.encode(TEXTS)
        with pytest.raises(ConnectionError, match="nobody answers at"):
            encoder.encode(TEXTS)


def test_a_server_that_falls_silent():
    with serving(LOCAL, falls_silent=1) as server:
        encoder = RemoteEncoder(server.url, timeout=1.5)
        with pytest.raises(TimeoutError, match=r"has not answered a request of 3 texts within 1.5 s, expected an answer .*: "
                                               r"look whether it is overloaded, or give it more time"):
            encoder.encode(TEXTS)
        server.heard = 5
        assert encoder.encode(TEXTS).shape == (3, 8)  # by a new connection


def test_a_request_that_the_server_refuses():
    with serving(LOCAL, about={"error": "no room"}) as server, \
            pytest.raises(RuntimeError, match="could not encode 1 texts, expected their vectors: no room"):
        RemoteEncoder(server.url)


@pytest.mark.parametrize("wrong", [{"about": {"shape": [2, 4]}}, {"about": {"shape": "x"}}, {"about": {"dtype": "object"}},
                                   {"about": {"dtype": "int32"}}, {"content": b"123"}, {"about": {"shape": [2, 2, 2]}},
                                   {"about": {"shape": [1, 2, 2, 2]}}])
def test_answers_that_are_none(wrong):
    with serving(LOCAL, **wrong) as server, pytest.raises(ConnectionError, match="use a server of bert-as-service 1.10"):
        RemoteEncoder(server.url)


@pytest.mark.parametrize("url", ["http://host:5555", "host:5555", "tcp://host", "tcp://:5555", "tcp://host:x", "tcp://", "",
                                 "tcp://a@host:5", "tcp://host:5/path", "tcp://host:5?out=6", "tcp://host:5?port_out=x"])
def test_addresses_that_are_none(url):
    with pytest.raises(ValueError, match=r"the encoder is .*, expected a server of bert-as-service: give it as tcp://HOST:5555"):
        Address.of(url)


def test_addresses():
    assert Address.of("tcp://host:5555") == Address("host", 5555, 5556)
    assert Address.of("tcp://[::1]:7?port_out=9") == Address("::1", 7, 9)
    assert str(Address.of("tcp://[::1]:7?port_out=9")) == "tcp://[::1]:7?port_out=9"
    assert str(Address("host", 5555, 5556)) == "tcp://host:5555"
    for url in ("tcp://host:65535", "tcp://host:0", "tcp://host:5?port_out=0"):
        with pytest.raises(ValueError, match="expected 1 to 65535"):
            Address.of(url)
    with pytest.raises(ValueError, match="timeout of tcp://host:5555 is 0, expected more than 0 seconds"):
        RemoteEncoder("tcp://host:5555", timeout=0)

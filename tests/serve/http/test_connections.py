"""Connections that send half a head, nothing at all, or do not read; too many of them; requests for other hosts."""

import contextlib
import json
import socket
import time

import pytest

pytest.importorskip("fastapi", reason="pip install 'tfplm[http]'")
pytest.importorskip("httpx")
import httpx

from tests.serve.conftest import eventually, serving
from tests.serve.fake_engines import FakeEngine
from tfplm.serve.engines.vectors import VectorInfo
from tfplm.serve.http import limits
from tfplm.serve.http.sites import Hosts, name_of, origins

BODY = json.dumps({"texts": ["a"]}).encode()
WHOLE = b"POST /encode HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (len(BODY), BODY)


def connect(server) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.http_port), timeout=20)


def until_the_end(connection) -> bytes:
    received = b""
    with contextlib.suppress(ConnectionResetError):
        while part := connection.recv(65536):
            received += part
    return received


def ask(server) -> int:
    return httpx.post(f"http://127.0.0.1:{server.http_port}/encode", content=BODY, timeout=20).status_code


@pytest.fixture(scope="module")
def hasty():
    """A server without patience for heads, and with few connections."""
    with serving(http_port=0) as server:
        server._http.connections.head_seconds = 0.3
        yield server


@pytest.mark.parametrize("head", [b"P", b"POST /encode HTTP/1.1\r\nHost: x\r\n"])
def test_half_a_head_has_a_time_limit(hasty, head):
    with connect(hasty) as slow:
        slow.sendall(head)
        received = until_the_end(slow)
    assert received.startswith(b"HTTP/1.1 408 ") and b"did not come within 0.3 s" in received


def test_a_head_that_comes_drop_by_drop_is_not_waited_for(hasty):
    start = time.monotonic()
    with connect(hasty) as slow, contextlib.suppress(OSError):
        slow.settimeout(0.05)
        while time.monotonic() - start < 10:
            slow.sendall(b"x")
            with contextlib.suppress(TimeoutError):
                if slow.recv(1000):
                    break
    assert time.monotonic() - start < 5


def test_a_connection_without_a_byte_is_closed_without_a_word(hasty):
    with connect(hasty) as silent:
        assert until_the_end(silent) == b""


def test_half_a_head_behind_a_whole_request(hasty):
    with connect(hasty) as slow:
        slow.sendall(WHOLE)
        received = slow.recv(65536)
        assert received.startswith(b"HTTP/1.1 200 ")
        time.sleep(0.5)  # between requests there is more time
        slow.sendall(WHOLE[:30])
        assert b"HTTP/1.1 408 " in until_the_end(slow)


def test_a_request_may_take_longer_than_its_head(hasty):
    with serving(FakeEngine(seconds=0.6), http_port=0) as server:
        server._http.connections.head_seconds = 0.2
        assert ask(server) == 200


def test_many_half_heads_keep_nobody_from_connecting():
    """Nor do connections that keep silent: the oldest without a request go."""
    with serving(http_port=0) as server, contextlib.ExitStack() as stack:
        server._http.connections.most = 23  # 20 of one address
        for number in range(60):
            connection = stack.enter_context(connect(server))
            connection.sendall(b"POST /encode HTTP/1.1\r\nHo" if number % 2 else b"")
        assert [ask(server) for _ in range(5)] == [200] * 5
        assert eventually(lambda: len(server._http.connections) <= 20)
    assert len(server._http.connections) == 0


def test_connections_that_all_have_requests_are_told():
    with serving(FakeEngine(seconds=1.0), http_port=0) as server, contextlib.ExitStack() as stack:
        server._http.connections.most = 3
        for _ in range(2):
            stack.enter_context(connect(server)).sendall(WHOLE)
        assert eventually(lambda: server.service.scheduler.pending == 2)
        assert ask(server) == 503


def test_who_does_not_read_its_reply_is_cut_off():
    large = FakeEngine(info=VectorInfo(4, per_token=True, fixed_length=200))
    body = json.dumps({"texts": ["a"] * 2000}).encode()
    with serving(large, http_port=0) as server, connect(server) as stuck:
        server._http.connections.unread_seconds = 0.3
        stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stuck.sendall(b"POST /encode HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        assert eventually(lambda: server.service.counters.numbers["http_responses"] == 1)
        assert eventually(lambda: len(server._http.connections) == 0)


@pytest.mark.parametrize("host, status", [
    ("localhost", 200), ("LOCALHOST:1", 200), ("127.0.0.1", 200), ("[::1]:80", 200), ("", 200), ("tfplm", 200),
    ("192.0.2.7:8125", 200), ("app.localhost", 200), ("evil.example", 403), ("evil.example:80", 403),
    ("a.mine.example", 200),
    ("mine.example.evil.example", 403), ("other.example", 200), ("localhost.evil.example", 403),
    ("127.0.0.1.evil.example", 403)])
def test_requests_for_other_hosts_are_refused(known, host, status):
    """As those are which a page sends whose site pretends to be this machine."""
    for path in ("/status/server", "/v1/models", "/nothing"):
        reply = known.get(path, headers={"host": host})
        assert reply.status_code == (status if path != "/nothing" or status == 403 else 404)
        if status == 403:
            assert f"--allowed-host {name_of(host)}" in reply.text


@pytest.fixture(scope="module")
def known():
    with serving(http_port=0, allowed_host=[".mine.example", "other.example"]) as server, httpx.Client(
            base_url=f"http://127.0.0.1:{server.http_port}") as client:
        yield client


def test_every_host_may_be_allowed():
    assert Hosts(None, own="127.0.0.1", allowed=["*"], problem=None).knows("evil.example")
    assert not Hosts(None, own="127.0.0.1", allowed=["*.mine.example"], problem=None).knows("mine.evil.example")
    assert Hosts(None, own="127.0.0.1", allowed=["*.mine.example"], problem=None).knows("a.mine.example:80")


def test_origins():
    assert origins("localhost")[0] == [] and origins("*") == (["*"], None)
    assert origins("https://a.example, localhost")[0] == ["https://a.example"]


def test_the_pages(known):
    paths = known.get("/").json()["paths"]
    assert {"POST /encode", "POST /v1/embeddings", "GET /v1/models", "GET /health", "GET /docs"} <= set(paths)
    reply = known.get("/", headers={"accept": "text/html,*/*"})
    assert reply.is_redirect and reply.headers["location"] == "docs"
    page = known.get("/docs")
    assert page.status_code == 200 and page.headers["content-type"].startswith("text/html")
    assert "/v1/embeddings" in page.text and "//" not in page.text.replace("https?://", "")  # nothing from elsewhere
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert known.get("/redoc").status_code == 404


def test_status_tells_no_paths(tmp_path):
    with serving(http_port=0, source=str(tmp_path / "secret" / "model"), tuned_model_dir=str(tmp_path / "tuned")) as server:
        shown = httpx.get(f"http://127.0.0.1:{server.http_port}/status/server").json()
        assert (shown["model_dir"], shown["tuned_model_dir"]) == ("model", "tuned") and "secret" not in json.dumps(shown)


@pytest.mark.parametrize("head", [b"GET / HTTP/1.1\r\nx: ", b"GET /",
                                  b"GET / HTTP/1.1\r\nhost: x\r\n" + b"a: b\r\n" * 10_000])
def test_a_head_without_an_end_is_cut_off(head):
    with serving(http_port=0) as server, connect(server) as endless:
        received = b""
        with contextlib.suppress(OSError):
            endless.sendall(head)
            for _ in range(200):
                endless.sendall(b"x" * 10_000)
        received = until_the_end(endless)
        assert received[:13] in (b"", b"HTTP/1.1 400 ", b"HTTP/1.1 431 ") and ask(server) == 200


def test_a_server_that_stops_does_not_wait_for_half_bodies(monkeypatch, caplog):
    monkeypatch.setattr(limits, "STALL", 0.1)
    with serving(http_port=0, drain_seconds=20.0) as server, connect(server) as half:
        half.sendall(b"POST /encode HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        assert ask(server) == 200
        start = time.monotonic()
        assert server.stop() and time.monotonic() - start < 10
        assert until_the_end(half).startswith(b"HTTP/1.1 408 ")
    assert "Exception" not in caplog.text

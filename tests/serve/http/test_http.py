"""The HTTP interface, over real connections."""

import base64
import gzip
import json
import socket
import threading
import time

import numpy as np
import pytest

pytest.importorskip("fastapi", reason="pip install -e '.[http]'")
pytest.importorskip("httpx")
import httpx

from tests.serve.conftest import eventually, serving
from tests.serve.fake_engines import FakeEngine, HeldEngine, vectors_of
from tfplm.serve.engines.vectors import VectorInfo


def connected(server) -> httpx.Client:
    return httpx.Client(base_url=f"http://127.0.0.1:{server.http_port}", timeout=30)


@pytest.fixture(scope="module")
def web():
    with serving(http_port=0, max_request_mb=1, max_request_sequences=1000) as server, connected(server) as client:
        client.server = server
        yield client


def test_encode(web):
    reply = web.post("/encode", json={"id": 123, "texts": ["你好", "a ||| b"], "is_tokenized": False})
    body = reply.json()
    assert reply.status_code == 200 and body["status"] == 200 and body["id"] == 123
    assert body["result"] == body["results"] == vectors_of(["你好", "a ||| b"]).tolist()
    assert body["tokens"][0] == ["[CLS]", "你", "好", "[SEP]"]


def test_encode_lists_of_tokens(web):
    body = web.post("/encode", json={"texts": [["你", "好"]], "is_tokenized": True}).json()
    assert body["id"] is None and body["result"] == vectors_of([["你", "好"]]).tolist()


def test_a_body_without_a_length_is_bounded(web):
    reply = web.post("/encode", content=(b"x" * 100_000 for _ in range(20)))
    assert reply.status_code == 413


def test_slow_senders_keep_nobody_from_work():
    with serving(http_port=0, http_max_connect=2) as server, connected(server) as web:
        slow = [socket.create_connection(("127.0.0.1", server.http_port)) for _ in range(10)]
        for each in slow:
            each.sendall(b"POST /encode HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{")
        assert web.post("/encode", json={"texts": ["a"]}).status_code == 200
        for each in slow:
            each.close()


def test_a_failure_of_the_model_is_told(web):
    reply = web.post("/encode", json={"texts": ["poison"]})
    reason = "ValueError: a poisonous text"
    assert reply.status_code == 500
    assert reply.json() == {"detail": reason, "description": reason, "type": "Failed", "status": 500}


@pytest.mark.parametrize("given, sequences", [
    ("你好", ["你好"]), (["a", "b"], ["a", "b"]), ([1, 2, 3], [[1, 2, 3]]), ([[1, 2], [3]], [[1, 2], [3]])])
def test_embeddings(web, given, sequences):
    body = web.post("/v1/embeddings", json={"input": given, "model": "mine"}).json()
    assert body["object"] == "list" and body["model"] == "mine"
    assert [item["index"] for item in body["data"]] == list(range(len(sequences)))
    assert [item["embedding"] for item in body["data"]] == vectors_of(sequences).tolist()
    tokens = sum(len(sequence) + 2 for sequence in sequences)
    assert body["usage"] == {"prompt_tokens": tokens, "total_tokens": tokens}


def test_embeddings_in_base64(web):
    body = web.post("/v1/embeddings", json={"input": ["a", "b"], "encoding_format": "base64", "dimensions": 4}).json()
    rows = [np.frombuffer(base64.b64decode(item["embedding"]), "<f4") for item in body["data"]]
    np.testing.assert_array_equal(rows, vectors_of(["a", "b"]))


@pytest.mark.parametrize("body, status, reason", [
    ({}, 400, "body.input: Field required"),
    ({"input": []}, 400, "at least 1 item"),
    ({"input": {"a": 1}}, 400, "valid string"),
    ({"input": ["a", 1]}, 400, "body.input.1: Input should be a valid string"),
    ({"input": [-1]}, 400, "greater than or equal to 0"),
    ({"input": [1.5]}, 400, "valid integer"),
    ({"input": [100]}, 400, "token id 100, but the vocabulary has the ids 0 to 99"),
    ({"input": "a", "dimensions": 5}, 400, "dimensions is 5, but the model's vectors have 4"),
    ({"input": "a", "dimensions": 0}, 400, "body.dimensions: Input should be greater than or equal to 1"),
    ({"input": "a", "encoding_format": "hex"}, 400, "'float' or 'base64'"),
    ({"input": "a" * (1 << 20)}, 413, "more than 1,048,576 bytes"),
])
def test_embeddings_refuse(web, body, status, reason):
    reply = web.post("/v1/embeddings", json=body)
    error = reply.json()["error"]
    assert reply.status_code == status and reason in error["message"]
    assert error["type"] == "invalid_request_error" and set(error) == {"message", "type", "param", "code"}
    assert error["param"] in ("input", "dimensions", "encoding_format", None) and error["code"] is None


def test_replies_are_bounded():
    """JSON takes many times the memory of its vectors."""
    with serving(http_port=0, max_reply_mb=1) as server, connected(server) as web:
        for path, name in (("/encode", "texts"), ("/v1/embeddings", "input")):
            assert web.post(path, json={name: ["a"] * 2048}).status_code == 200
            reply = web.post(path, json={name: ["a"] * 2049})
            assert reply.status_code == 400
            assert "2,049 sequences take 32,784 bytes, more than the 32,768 of one reply over HTTP" in reply.text
            assert "a max_reply_mb above 1" in reply.text


def test_embeddings_need_one_vector_a_text():
    engine = FakeEngine(info=VectorInfo(4, per_token=True))
    with serving(engine, http_port=0) as server, connected(server) as web:
        reply = web.post("/v1/embeddings", json={"input": "a"})
        assert reply.status_code == 400 and "pooling NONE" in reply.json()["error"]["message"]
        assert np.shape(web.post("/encode", json={"texts": ["ab", "c"]}).json()["result"]) == (2, 4, 4)


def test_embeddings_of_fewer_dimensions(web):
    """As OpenAI does it: the leading numbers, at length 1."""
    body = web.post("/v1/embeddings", json={"input": ["a", "b"], "dimensions": 2}).json()
    expected = vectors_of(["a", "b"])[:, :2]
    expected /= np.linalg.norm(expected, axis=-1, keepdims=True)
    np.testing.assert_allclose([item["embedding"] for item in body["data"]], expected, rtol=1e-6)


def test_models(web):
    (model,) = web.get("/v1/models").json()["data"]
    assert model["id"] == "fake" and model["object"] == "model" and model["created"] > 1e9 and model["owned_by"] == "tfplm"
    assert web.get("/v1/models/fake").json() == model
    reply = web.get("/v1/models/some/other")
    assert reply.status_code == 404 and reply.json()["error"]["code"] == "model_not_found"


@pytest.mark.parametrize("method, path, status", [("GET", "/v1/nothing", 404), ("GET", "/v1/embeddings", 405),
                                                  ("POST", "/v1/embeddings", 400)])
def test_errors_in_the_shape_of_openai(web, method, path, status):
    reply = web.request(method, path, content=b"{", headers={"content-type": "application/json"})
    assert reply.status_code == status and set(reply.json()["error"]) == {"message", "type", "param", "code"}


def test_status(web):
    server = web.get("/status/server").json()
    assert server["server_version"] == "1.10.0" and server["statistic"]["num_total_client"] >= 1
    assert server["http_port"] == web.base_url.port
    client = web.get("/status/client").json()
    assert set(client) == {"identity", "num_request", "num_pending_request", "pending_request", "output_fmt", "port",
                           "port_out", "server_ip", "client_version", "timeout"}


def test_pages_of_other_sites_cannot_read(web):
    for site, expected in (("https://example.org", None), ("http://localhost.evil.example", None), ("null", None),
                           *((each, each) for each in ("http://localhost:3000", "http://127.0.0.1", "https://[::1]:8080"))):
        reply = web.post("/encode", json={"texts": ["a"]}, headers={"origin": site})
        assert reply.status_code == 200 and reply.headers.get("access-control-allow-origin") == expected
    with serving(http_port=0, cors="https://mine.example") as server, connected(server) as other:
        for site, expected in (("https://mine.example", "https://mine.example"), ("https://other.example", None)):
            reply = other.get("/health", headers={"origin": site})
            assert reply.headers.get("access-control-allow-origin") == expected
    with serving(http_port=0, cors="*") as server, connected(server) as other:
        assert other.get("/health", headers={"origin": "https://a.example"}).headers["access-control-allow-origin"] == "*"


def test_gzip(web):
    with web.stream("POST", "/encode", json={"texts": ["a"] * 500}) as reply:
        raw = b"".join(reply.iter_raw())
    assert reply.headers["content-encoding"] == "gzip"
    assert len(json.loads(gzip.decompress(raw))["result"]) == 500


def test_other_paths(web):
    assert web.get("/nothing").status_code == 404
    assert web.get("/encode").status_code == 405
    paths = web.get("/openapi.json").json()["paths"]
    assert set(paths["/encode"]["post"]["responses"]) == {"200", "400", "408", "413", "4XX", "500", "503"}
    bodies = paths["/encode"]["post"]["requestBody"]["content"]
    assert set(bodies) == {"application/json", "application/x-www-form-urlencoded"}
    assert set(paths) == {"/encode", "/v1/embeddings", "/status/server", "/status/client", "/health", "/metrics",
                          "/v1/models", "/v1/models/{name}"}


def test_many_at_once_wait_their_turn_and_too_many_are_told():
    with serving(engine := HeldEngine(), http_port=0, http_max_connect=2) as server:
        found = []

        def ask(number):
            with connected(server) as web:
                reply = web.post("/encode", json={"texts": [f"{number}"]})
                found.append(reply.status_code)
                if reply.status_code == 200:
                    assert reply.json()["result"] == vectors_of([f"{number}"]).tolist()
                else:
                    assert reply.headers["retry-after"] == "1" and "too many" in reply.json()["description"]

        threads = [threading.Thread(target=ask, args=(i,)) for i in range(30)]
        for thread in threads:
            thread.start()
        assert eventually(lambda: len(found) == 8) and set(found) == {503}  # 2 are worked on and 20 wait
        engine.go.set()
        for thread in threads:
            thread.join()
    assert found.count(200) == 22


def test_zeromq_and_http_share_batches():
    from tests.serve.conftest import client

    pytest.importorskip("bert_serving.client")
    engine = HeldEngine()
    with serving(engine, http_port=0) as server, connected(server) as web, client(server) as bert:
        queue, found = server.service.scheduler, []
        thread = threading.Thread(target=lambda: found.append(web.post("/encode", json={"texts": ["third"]})))
        try:
            bert.encode(["first"], blocking=False)  # keeps the worker busy
            assert engine.asked.wait(20)
            bert.encode(["second"], blocking=False)
            assert eventually(lambda: queue.pending == 2)
            thread.start()
            assert eventually(lambda: queue.pending == 3)
        finally:
            engine.go.set()
        thread.join()
        bert.fetch_all()
        assert found[0].status_code == 200 and engine.batches == [["first"], ["second", "third"]]


def test_a_client_that_hangs_up():
    with serving(FakeEngine(seconds=0.1), http_port=0, max_batch_size=10) as server:
        body = json.dumps({"texts": ["a"] * 1000}).encode()
        raw = socket.create_connection(("127.0.0.1", server.http_port))
        raw.sendall(b"POST /encode HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        end = time.monotonic() + 10
        while not server.service.scheduler.pending and time.monotonic() < end:
            time.sleep(0.01)
        raw.close()
        while server.service.scheduler.pending and time.monotonic() < end:
            time.sleep(0.01)
        assert not server.service.scheduler.pending and time.monotonic() < end


def test_stopping_answers_what_was_asked():
    with serving(FakeEngine(seconds=0.3), http_port=0) as server, connected(server) as web:
        found = []
        thread = threading.Thread(target=lambda: found.append(web.post("/encode", json={"texts": ["a"]})))
        thread.start()
        while not server.service.scheduler.pending:
            time.sleep(0.01)
        server.stop()
        thread.join()
        assert found[0].status_code == 200


def test_a_port_that_is_taken():
    with serving(http_port=0) as server, pytest.raises(OSError, match=r"cannot listen at .*--http-port"), \
            serving(http_port=server.http_port):
        pass

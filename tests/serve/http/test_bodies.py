"""Bodies of requests for vectors over HTTP: JSON by any name, forms, and what is refused."""

import re

import pytest

pytest.importorskip("fastapi", reason="pip install -e '.[http]'")
pytest.importorskip("httpx")

from tests.serve.conftest import serving
from tests.serve.fake_engines import vectors_of
from tests.serve.http.test_http import connected
from tfplm.serve.http import bodies


@pytest.fixture(scope="module")
def web():
    with serving(http_port=0, max_request_mb=1, max_request_sequences=1000) as server, connected(server) as client:
        yield client


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "application/x-www-form-urlencoded; charset=UTF-8",
                                  "text/plain", "text/plain;charset=UTF-8", "application/json", None])
def test_json_by_other_names(web, kind):
    """`curl -d` says that it is a form, and pages say that it is text."""
    reply = web.post("/encode", content=b' {"texts": ["a"]}', headers={"content-type": kind} if kind else {})
    assert reply.json()["result"] == vectors_of(["a"]).tolist()


@pytest.mark.parametrize("form, number, texts", [
    ("id=1&texts=a&texts=b&is_tokenized=false", "1", ["a", "b"]), ("texts=&id=x&unknown=1", "x", [""]),
    ("texts=%E4%BD%A0+%E5%A5%BD&is_tokenized=False", None, ["你 好"])])
@pytest.mark.parametrize("suffix", ["", "; charset=UTF-8"])
def test_forms(web, form, number, texts, suffix):
    reply = web.post("/encode", content=form, headers={"content-type": f"application/x-www-form-urlencoded{suffix}"})
    assert reply.status_code == 200, reply.text
    assert reply.json()["id"] == number and reply.json()["result"] == vectors_of(texts).tolist()


@pytest.mark.parametrize("form, reason", [
    ("", "body.texts: Field required"), ("id=1", "body.texts: Field required"), ("[1]", "body.texts: Field required"),
    ("texts=a&id=1&id=2", "body.id: Input should be a valid integer"), ("texts=a&is_tokenized=x", "valid boolean"),
    ("texts=a&is_tokenized=true", "texts are no lists of tokens"), ("texts=%ff", "the form cannot be read: 'utf-8'"),
    ("texts=a" + "&b=c" * (1 << 18), "more than 1,048,576 bytes"), ("texts=a&" * 100, "Max number of fields exceeded")])
def test_forms_that_are_refused(web, form, reason, monkeypatch):
    monkeypatch.setattr(bodies, "FIELDS", 50)
    reply = web.post("/encode", content=form, headers={"content-type": "application/x-www-form-urlencoded"})
    assert reply.status_code in (400, 413) and reason in reply.json()["description"]


def test_embeddings_of_a_form(web):
    reply = web.post("/v1/embeddings", data={"input": "a", "model": "m"})
    assert reply.json()["data"][0]["embedding"] == vectors_of(["a"])[0].tolist() and reply.json()["model"] == "m"


@pytest.mark.parametrize("body, status, reason", [
    ({}, 400, "body.texts: Field required"),
    ({"texts": "a"}, 400, "body.texts: Input should be a valid list"),
    ({"texts": []}, 400, "at least 1 item"),
    ({"texts": [1]}, 400, "body.texts.0: Input should be a valid string"),
    ({"texts": ["a", ["b"]]}, 400, "body.texts.1: Input should be a valid string"),
    ({"texts": [[]]}, 400, "at least 1 item"),
    ({"texts": ["a"], "is_tokenized": True}, 400, "texts are no lists of tokens"),
    ({"texts": ["a"], "is_tokenized": "maybe"}, 400, "valid boolean"),
    ({"texts": ["a"], "id": [1]}, 400, "body.id: Input should be a valid integer; body.id: Input should be a valid string"),
    ({"texts": ["a"] * 1001}, 400, "1,001 sequences in one request, more than 1,000"),
    ({"texts": ["a" * (1 << 20)]}, 413, "more than 1,048,576 bytes"),
])
def test_encode_refuses(web, body, status, reason):
    reply = web.post("/encode", json=body)
    told = reply.json()
    assert reply.status_code == told["status"] == status and reason in told["detail"] == told["description"]
    assert told["type"] in ("RequestValidationError", "Refused", "Refusal")
    assert not re.search(r"function-|lambda|constrained|list\[", told["detail"])  # pydantic's names


@pytest.mark.parametrize("raw", [b"", b"{", b"nonsense", b"\xff\xfe", b'{"texts": ["\\ud800"]}', b"[" * 50_000, b"null"])
def test_encode_refuses_nonsense(web, raw):
    reply = web.post("/encode", content=raw, headers={"content-type": "application/json"})
    assert reply.status_code == 400 and reply.json()["detail"]

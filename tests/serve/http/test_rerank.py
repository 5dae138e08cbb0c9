"""`/rerank` in the shapes of Cohere and Jina, with Cohere's own client, by an engine that needs no model."""

import pytest

pytest.importorskip("fastapi", reason="pip install -e '.[http]'")
pytest.importorskip("httpx")

from tests.serve.conftest import serving
from tests.serve.http.test_http import connected
from tfplm.serve.engines.engine import Engine, EngineInfo
from tfplm.serve.engines.rerank_engine import Relevance

QUERY = "when is the park open"
DOCUMENTS = ["rates rose again", "the park is open from nine", "is the cat asleep", ""]
SCORES = [0.0, 0.8, 0.4, 0.0]  # shares of the query's words
ORDER = [1, 2, 0, 3]  # of two that are alike the first


class Overlap(Engine):
    """The share of the query's words that the document has."""

    info = EngineInfo(interfaces=("rerank",), output_bytes=16)

    def encode(self, inputs):
        if any("poison" in document for _, document in inputs):
            raise ValueError("a poisonous text")
        return [Relevance(len(set(query.split()) & set(document.split())) / max(len(query.split()), 1), 7)
                for query, document in inputs]


@pytest.fixture(scope="module")
def web():
    with serving(Overlap(), http_port=0, max_request_mb=1) as server, connected(server) as client:
        yield client


@pytest.mark.parametrize("path, version", [("/rerank", "2"), ("/v1/rerank", "1"), ("/v2/rerank", "2")])
def test_documents_are_sorted(web, path, version):
    reply = web.post(path, json={"model": "mine", "query": QUERY, "documents": DOCUMENTS}).json()
    assert reply["results"] == [{"index": i, "relevance_score": pytest.approx(SCORES[i])} for i in ORDER]
    assert reply["model"] == "mine" and reply["id"] and reply["usage"] == {"total_tokens": 28}
    assert reply["meta"] == {"api_version": {"version": version}, "tokens": {"input_tokens": 28}}


def test_the_best_with_their_texts(web):
    """Documents may be objects, and fields of other services are no error."""
    body = {"query": QUERY, "documents": [{"text": text, "title": "x"} for text in DOCUMENTS], "top_n": 2,
            "return_documents": True, "max_tokens_per_doc": 4096, "truncation": True}
    assert web.post("/rerank", json=body).json()["results"] == [
        {"index": i, "relevance_score": pytest.approx(SCORES[i]), "document": {"text": DOCUMENTS[i]}} for i in (1, 2)]
    assert len(web.post("/rerank", json={**body, "top_n": 100}).json()["results"]) == len(DOCUMENTS)


@pytest.mark.parametrize("body, status, reason", [
    ({"query": QUERY}, 400, "body.documents: Field required"),
    ({"query": QUERY, "documents": []}, 400, "at least 1 item"),
    ({"query": QUERY, "documents": [{"title": "a"}]}, 400, "body.documents.0"),
    ({"query": 3, "documents": ["a"]}, 400, "body.query: Input should be a valid string"),
    ({"query": QUERY, "documents": ["a"], "top_n": 0}, 400, "greater than or equal to 1"),
    ({"query": "a" * 2000, "documents": ["a"] * 1000}, 400, "1,000 documents make 2,000,000, more than 1,048,576"),
    ({"query": QUERY, "documents": ["a" * (1 << 20)]}, 413, "more than 1,048,576 bytes"),
    ({"query": QUERY, "documents": ["poison"]}, 500, "ValueError: a poisonous text")])
@pytest.mark.parametrize("path", ["/rerank", "/v2/rerank"])
def test_errors(web, path, body, status, reason):
    reply = web.post(path, json=body)
    assert reply.status_code == status and set(reply.json()) == {"message", "detail"}
    assert reason in reply.json()["message"]


@pytest.mark.parametrize("kind", ["Client", "ClientV2"])
def test_the_client_of_cohere(web, kind):
    cohere = pytest.importorskip("cohere", reason="pip install cohere")
    client = getattr(cohere, kind)(api_key="any", base_url=str(web.base_url).rstrip("/"))
    found = client.rerank(model="mine", query=QUERY, documents=DOCUMENTS, top_n=3)
    assert [each.index for each in found.results] == ORDER[:3]
    assert [each.relevance_score for each in found.results] == pytest.approx([SCORES[i] for i in ORDER[:3]])
    assert found.id and found.meta.tokens.input_tokens == 28
    assert found.meta.api_version.version == ("1" if kind == "Client" else "2")
    with pytest.raises(cohere.errors.BadRequestError, match="at least 1 item"):
        client.rerank(model="mine", query=QUERY, documents=[])


def test_documents_come_back_to_the_first_client_of_cohere(web):
    cohere = pytest.importorskip("cohere", reason="pip install cohere")
    client = cohere.Client(api_key="any", base_url=str(web.base_url).rstrip("/"))
    found = client.rerank(query=QUERY, documents=[{"text": text} for text in DOCUMENTS], return_documents=True)
    assert [each.document.text for each in found.results] == [DOCUMENTS[i] for i in ORDER]

"""`/predict`: the shapes of Hugging Face's text classification, by an engine that needs no model."""

import pytest

pytest.importorskip("fastapi", reason="pip install -e '.[http]'")
pytest.importorskip("httpx")

from tests.serve.conftest import serving
from tests.serve.http.test_http import connected
from tfplm.serve.engines.engine import Engine, EngineInfo


class Judge(Engine):
    """Long texts are good."""

    info = EngineInfo(interfaces=("tasks",), output_bytes=16, settings={"function_to_apply": "softmax"})

    def encode(self, inputs):
        if "poison" in inputs:
            raise ValueError("a poisonous text")
        return [labels_of(each) for each in inputs]


def labels_of(text) -> list[dict]:
    score = len("".join(text)) / 100
    return sorted([{"label": "good", "score": score}, {"label": "bad", "score": 1 - score}],
                  key=lambda each: -each["score"])


@pytest.fixture(scope="module")
def web():
    with serving(Judge(), http_port=0, max_request_sequences=1000) as server, connected(server) as client:
        client.server = server
        yield client


@pytest.mark.parametrize("body, expected", [
    ({"inputs": "a film"}, labels_of("a film")),
    ({"inputs": ["a film"]}, [labels_of("a film")]),
    ({"inputs": ["a", "b" * 80]}, [labels_of("a"), labels_of("b" * 80)]),
    ({"texts": ["a", "bb"]}, [labels_of("a"), labels_of("bb")]),
    ({"inputs": {"text": "a", "text_pair": "bb"}}, labels_of(("a", "bb"))),
    ({"texts": ["a", {"text": "a", "text_pair": "bb"}]}, [labels_of("a"), labels_of(("a", "bb"))]),
    ({"inputs": "a", "parameters": {}}, [labels_of("a")]),
    ({"inputs": "a", "parameters": {"top_k": 1, "function_to_apply": "softmax"}}, [labels_of("a")[:1]])])
def test_labels(web, body, expected):
    reply = web.post("/predict", json=body)
    assert reply.status_code == 200 and reply.json() == expected


@pytest.mark.parametrize("body, status, reason", [
    ({}, 400, "expected inputs (a text, a pair, or a list of them) or texts (a list), and not both"),
    ({"inputs": "a", "texts": ["a"]}, 400, "and not both"),
    ({"inputs": []}, 400, "at least 1 item"), ({"inputs": 3}, 400, "valid string"), ({"texts": "a"}, 400, "valid list"),
    ({"inputs": ["a"] * 1001}, 400, "1,001 sequences in one request, more than 1,000"),
    ({"inputs": "a", "parameters": {"top_k": 0}}, 400, "greater than or equal to 1"),
    ({"inputs": "a", "parameters": {"function_to_apply": "sigmoid"}}, 400, "this model are made by 'softmax'"),
    ({"inputs": "poison"}, 500, "ValueError: a poisonous text")])
def test_errors_are_in_the_shape_of_hugging_face(web, body, status, reason):
    reply = web.post("/predict", json=body)
    assert reply.status_code == status and reason in reply.json()["error"]
    assert set(reply.json()) == {"error", "error_type"}


def test_the_client_of_hugging_face(web, monkeypatch):
    hub = pytest.importorskip("huggingface_hub")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)  # it also forbids requests to this machine
    errors = pytest.importorskip("huggingface_hub.errors")
    client = hub.InferenceClient(model=f"{web.base_url}/predict", timeout=30)
    found = client.text_classification("a film")
    assert [(each.label, each.score) for each in found] == [(each["label"], each["score"]) for each in labels_of("a film")]
    assert len(client.text_classification("a film", top_k=1)) == 1
    with pytest.raises(errors.HfHubHTTPError, match="made by 'softmax'"):
        client.text_classification("a film", function_to_apply="none")


def test_an_engine_without_vectors_has_no_zeromq_and_no_routes_of_vectors(web):
    server = web.server
    assert server.zmq is server.port is server.port_out is None and server.http_port == web.base_url.port
    assert set(web.get("/openapi.json").json()["paths"]) == {"/predict", "/health", "/metrics"}
    assert web.post("/encode", json={"texts": ["a"]}).status_code == 404
    with pytest.raises(ValueError, match="http_port is None, but an engine without vectors"), serving(Judge()):
        pass


def test_requests_of_labels_take_turns_and_are_bounded(web):
    reply = web.post("/predict", content=b"x" * (1 << 17))
    assert reply.status_code == 400  # not 413, as at paths that encode nothing
    counted = web.server.service.counters.numbers["sequences"]
    assert len(web.post("/predict", json={"texts": ["a"] * 3}).json()) == 3
    assert web.server.service.counters.numbers["sequences"] == counted + 3

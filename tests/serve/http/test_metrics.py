"""Health, and figures for Prometheus."""

import os

import pytest

pytest.importorskip("fastapi", reason="pip install -e '.[http]'")
pytest.importorskip("httpx")
from prometheus_client.parser import text_string_to_metric_families

from tests.serve.conftest import serving
from tests.serve.http.test_http import connected


@pytest.fixture(scope="module")
def web():
    with serving(http_port=0) as server, connected(server) as client:
        client.server = server
        yield client


def samples_of(text: str) -> list:
    """(name, labels, value) of each sample in Prometheus' text format."""
    return [tuple(sample)[:3] for family in text_string_to_metric_families(text) for sample in family.samples]


def test_health_and_metrics(web):
    assert web.get("/health").json() == {"status": "ok"}
    web.post("/encode", json={"texts": ["a", "b"]})
    reply = web.get("/metrics")
    assert reply.headers["content-type"].startswith("text/plain; version=0.0.4")
    samples = samples_of(reply.text)
    values = {name: value for name, labels, value in samples if not labels}
    counters = ("requests sequences failed refused malformed cancelled dropped_replies internal_errors http_responses "
                "http_server_errors worker_restarts busy_seconds").split()
    gauges = "pending_sequences pending_requests workers_alive uptime_seconds".split()
    histograms = [f"{name}_{part}" for name in ("request_seconds", "batch_sequences") for part in ("sum", "count")]
    assert {name for name in values if name.startswith("tfplm_")} == {
        f"tfplm_{name}" for name in (*(f"{each}_total" for each in counters), *gauges, *histograms)}
    assert values["tfplm_sequences_total"] >= 2 and values["tfplm_workers_alive"] == 1
    assert values["tfplm_pending_sequences"] == 0
    sizes = {labels["le"]: value for name, labels, value in samples if name == "tfplm_batch_sequences_bucket"}
    assert sizes["+Inf"] == values["tfplm_batch_sequences_count"] >= 1 and sizes["1.0"] < sizes["+Inf"]
    if os.path.exists("/proc/self/stat"):
        assert values["process_resident_memory_bytes"] > 1e6


def test_metrics_come_as_openmetrics_to_those_who_ask_for_it(web):
    reply = web.get("/metrics", headers={"accept": "application/openmetrics-text; version=1.0.0"})
    assert reply.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert reply.text.endswith("# EOF\n") and "tfplm_requests_total" in reply.text


def test_figures_have_all_their_digits(web):
    """Six of them would hide what is added to a large sum."""
    counters = web.server.service.counters
    counters.add("requests", 123_456_789)
    counters.batch_ended(1, 1_234_567.0625)
    values = {name: value for name, _, value in samples_of(web.get("/metrics").text)}
    assert 1_234_567.0625 <= values["tfplm_busy_seconds_total"] <= counters.busy_seconds
    assert values["tfplm_requests_total"] >= 123_456_789 and values["tfplm_requests_total"] % 1000 >= 789


def test_health_without_a_worker():
    with serving(http_port=0) as server, connected(server) as web:
        server.service.workers.alive[0] = False
        assert web.get("/health").status_code == 503

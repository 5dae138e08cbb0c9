"""TensorBoard, started on a log folder, serves the summaries."""

import json
import subprocess
import sys
import time
import urllib.parse
import urllib.request

import numpy as np
import pytest

from tests.summaries.models import data, functional
from tfplm.summaries import Embedding, SummaryCallback, attention_images, create_writer


@pytest.fixture(scope="module")
def logdir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("logs")
    model, (x, y) = functional(), data()
    embedding = Embedding(np.eye(3), ["一", "二", "三"])
    look = {"probe": (x[:8], y[:8]), "projector": lambda model: {"words": embedding}}
    model.fit(x, y, batch_size=10, verbose=0, validation_data=(x, y), callbacks=[
        SummaryCallback(folder, {"scalars": 5, "weights": 10, "projector": 20}, look)])
    with create_writer(folder / "train").as_default(0):
        attention_images("attention", [np.full((1, 2, 3, 3), 1 / 3)], tokens=list("一二三"))
    return folder


@pytest.fixture(scope="module")
def get(logdir):
    """`get("data/...", run=...)` -> bytes, from a TensorBoard started on a free port."""
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(logdir), "--port", "0", "--host", "127.0.0.1",
               "--load_fast=false"]
    server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        address = next(word for line in server.stderr for word in line.split() if word.startswith("http://127"))

        def get(path, **query):
            with urllib.request.urlopen(f"{address}{path}?{urllib.parse.urlencode(query)}", timeout=60) as response:
                return response.read()

        for _ in range(120):  # the event files are read in the background
            if len(json.loads(get("data/runs"))) == 2:
                break
            time.sleep(0.5)
        yield get
    finally:
        server.terminate()
        server.wait()


def test_runs_and_scalars(get):
    assert sorted(json.loads(get("data/runs"))) == ["train", "validation"]
    points = json.loads(get("data/plugin/scalars/scalars", run="train", tag="loss"))
    assert [step for _, step, _ in points] == [5, 10, 15, 20]
    assert [step for _, step, _ in json.loads(get("data/plugin/scalars/scalars", run="validation", tag="loss"))] == [20]


def test_histograms(get):
    for page in ("histograms/histograms", "distributions/distributions"):
        points = json.loads(get(f"data/plugin/{page}", run="train", tag="weights/hidden/kernel"))
        assert [step for _, step, _ in points] == [0, 10, 20]
    buckets = json.loads(get("data/plugin/histograms/histograms", run="train", tag="weights/hidden/kernel"))[0][2]
    assert sum(count for _, _, count in buckets) == 30


def test_images(get):
    (info,) = json.loads(get("data/plugin/images/images", run="train", tag="attention/layer_0/heads", sample=0))
    assert get("data/plugin/images/individualImage?" + info["query"] + "&").startswith(b"\x89PNG")


def test_graph_of_operations_and_of_layers(get):
    info = json.loads(get("data/plugin/graphs/info"))["train"]
    assert info["run_graph"] and info["tags"]["keras"]["conceptual_graph"]
    assert b"/hidden/MatMul" in get("data/plugin/graphs/graph", run="train", conceptual="false")
    assert b"hidden" in get("data/plugin/graphs/graph", run="train", tag="keras", conceptual="true")


def test_projector(get):
    assert json.loads(get("data/plugin/projector/runs")) == ["train"]
    (info,) = json.loads(get("data/plugin/projector/info", run="train"))["embeddings"]
    assert info["tensorName"] == "words"
    vectors = np.frombuffer(get("data/plugin/projector/tensor", run="train", name="words"), np.float32)
    assert vectors.reshape(3, 3).tolist() == np.eye(3).tolist()
    assert get("data/plugin/projector/metadata", run="train", name="words").decode() == "一\n二\n三\n"

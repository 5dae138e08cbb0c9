"""The projector's files, read by TensorBoard's projector plugin."""

import json

import numpy as np
import pytest
from tensorboard.backend.event_processing import data_provider, plugin_event_multiplexer
from tensorboard.plugins import base_plugin
from tensorboard.plugins.projector.projector_plugin import ProjectorPlugin
from werkzeug.test import Client
from werkzeug.wrappers import Response

from tfplm.summaries import Embedding, write_projector


def served(logdir, route: str, **query) -> bytes:
    """The response of the plugin for a log folder."""
    multiplexer = plugin_event_multiplexer.EventMultiplexer().AddRunsFromDirectory(str(logdir))
    multiplexer.Reload()
    provider = data_provider.MultiplexerDataProvider(multiplexer, str(logdir))
    plugin = ProjectorPlugin(base_plugin.TBContext(logdir=str(logdir), data_provider=provider))
    response = Client(plugin.get_plugin_apps()[route], Response).get("/", query_string=query)
    assert response.status_code == 200, response.data
    return response.data


def test_the_plugin_reads_vectors_and_labels(tmp_path):
    vectors = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    labels = ["苹果", "a\tb", "", "back\\slash\n"]
    write_projector(tmp_path / "train", {"tokens": Embedding(vectors, labels)})
    (info,) = json.loads(served(tmp_path, "/info", run="train"))["embeddings"]
    assert (info["tensorName"], info["tensorShape"]) == ("tokens", [4, 3])
    read = np.frombuffer(served(tmp_path, "/tensor", run="train", name="tokens"), np.float32)
    np.testing.assert_allclose(read.reshape(4, 3), vectors, rtol=1e-5)
    metadata = served(tmp_path, "/metadata", run="train", name="tokens").decode()
    assert metadata.splitlines() == ["苹果", "a\\tb", "␣", "back\\\\slash\\n"]


def test_several_embeddings_and_columns(tmp_path):
    write_projector(tmp_path, {"words": Embedding(np.eye(2), {"word": ["x", "y"], "class": [0, 1]})})
    again = {"positions / all": Embedding(np.ones((3, 2))), "words": Embedding(np.eye(2) * 2, ["p", "q"])}
    write_projector(tmp_path, again)
    infos = {info["tensorName"]: info for info in json.loads(served(tmp_path, "/info", run="."))["embeddings"]}
    assert sorted(infos) == ["positions / all", "words"]
    assert served(tmp_path, "/metadata", run=".", name="words").decode() == "p\nq\n"
    assert np.frombuffer(served(tmp_path, "/tensor", run=".", name="words"), np.float32).tolist() == [2, 0, 0, 2]
    write_projector(tmp_path, {"words": Embedding(np.eye(2), {"word": ["x", "y"], "class": [0, 1]})})
    assert served(tmp_path, "/metadata", run=".", name="words").decode() == "word\tclass\nx\t0\ny\t1\n"


def test_the_folder_can_be_moved(tmp_path):
    write_projector(tmp_path / "here", {"e": Embedding(np.eye(3), "abc")})
    (tmp_path / "here").rename(tmp_path / "there")
    assert len(served(tmp_path, "/tensor", run="there", name="e")) == 36


@pytest.mark.parametrize(("embedding", "message"), [
    (Embedding(np.zeros(3)), r"embedding e: the vectors have the shape \(3,\); expected \[N, H\]"),
    (Embedding(np.eye(3), ["a"]), "embedding e: 1 labels for 3 vectors; expected one for each"),
    (Embedding(np.eye(3), {"kind": "ab"}), "embedding e: 2 kind for 3 vectors"),
])
def test_wrong_embeddings(tmp_path, embedding, message):
    with pytest.raises(ValueError, match=message):
        write_projector(tmp_path, {"e": embedding})

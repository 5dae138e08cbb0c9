"""Exports that are made once, beside a model."""

import threading

import numpy as np
import pytest

from tests.models import cases
from tests.models.portable.portable_cases import needs
from tfplm.models.portable import cache
from tfplm.models.portable.cache import Backend, backend_of, cached
from tfplm.models.portable.signatures import portable_model


@pytest.fixture
def made(monkeypatch):
    """The calls of `write`, which only puts a file there."""
    calls = []

    def write(portable, folder, name, precision):
        calls.append((portable, name, precision))
        (folder / "model").write_text("x")

    monkeypatch.setattr(cache, "write", write)
    return calls


def backend(folder, **changes) -> Backend:
    (folder / "config.json").write_text("{}")
    return Backend("onnx", "float32", folder, **changes)


def test_made_once_and_again_when_the_files_change(made, tmp_path):
    one = backend(tmp_path)
    first = cached(one, "key", lambda: "a")
    assert first.parent == tmp_path / ".tfplm" and (first / "model").is_file()
    assert cached(one, "key", lambda: "b") == first and len(made) == 1
    (tmp_path / "model.safetensors").write_bytes(b"new weights")
    assert cached(one, "key", lambda: "c") == first and [call[0] for call in made] == ["a", "c"]
    assert cached(one, "other", lambda: "d") != first
    assert cached(backend(tmp_path, changes="layers=3"), "key", lambda: "e") != first and len(made) == 4
    assert {path.name for path in tmp_path.iterdir()} == {"config.json", "model.safetensors", ".tfplm"}


def test_nothing_stays_of_an_export_that_failed(made, tmp_path):
    def fail():
        raise ValueError("no model")

    with pytest.raises(ValueError, match="no model"):
        cached(backend(tmp_path), "key", fail)
    assert list((tmp_path / ".tfplm").iterdir()) == []
    cached(backend(tmp_path), "key", lambda: "a")
    assert len(made) == 1


def test_threads_make_it_once(made, tmp_path):
    one, folders = backend(tmp_path), []
    threads = [threading.Thread(target=lambda: folders.append(cached(one, "key", lambda: "a"))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(folders)) == 1 and len(folders) == 4 and len(made) == 1


def test_a_folder_that_cannot_be_written(made, tmp_path, monkeypatch):
    model = tmp_path / "model"
    model.mkdir()
    one = backend(model)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(cache.os, "access", lambda *arguments: False)
    folder = cached(one, "key", lambda: "a")
    assert folder.is_relative_to(tmp_path / "cache" / "tfplm" / "exports") and cached(one, "key", lambda: "b") == folder


def test_names_of_backends(tmp_path):
    assert backend_of("tensorflow", None, tmp_path) is None
    with pytest.raises(ValueError, match="precision is 'int8' with the backend tensorflow; expected one with"):
        backend_of("tensorflow", "int8", tmp_path)
    with pytest.raises(ValueError, match="the backend is 'torch'; expected one of tensorflow, onnx, openvino"):
        backend_of("torch", None, tmp_path)
    with pytest.raises(ValueError, match="dtype is 'bfloat16' with the backend onnx; expected float32"):
        backend_of("onnx", None, tmp_path, "bfloat16")


@pytest.mark.slow
def test_a_session_of_the_cache(tmp_path):
    needs("onnx")
    batch = cases.batch("distilbert")
    expected = cases.model("distilbert")(batch)["sequence_output"]
    session = backend(tmp_path).open("states", lambda: portable_model(cases.model("distilbert")))
    np.testing.assert_allclose(session(batch)["last_hidden_state"], expected, atol=1e-5)

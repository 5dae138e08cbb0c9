"""Measured numbers are kept between processes, and nothing fails where they cannot be."""

import json

import pytest

from tfplm.core.machine.measurements import cache_folder, file_of, recall, remember

KEY = {"kind": "products", "processor": "x", "features": ["avx"], "threads": 2}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("TFPLM_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_numbers_are_remembered_by_key(folder):
    assert recall(KEY) is None
    assert remember(KEY, {"onednn": 0.5, "xla": 0.25}).parent.parent == folder
    assert recall(KEY) == {"onednn": 0.5, "xla": 0.25}
    assert recall({**KEY, "threads": 4}) is None
    remember(KEY, {"onednn": 1.5, "xla": 0.25})
    assert recall(KEY)["onednn"] == 1.5
    assert [path.suffix for path in file_of(KEY).parent.iterdir()] == [".json"]


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"key": 1}', json.dumps({"key": KEY, "numbers": {"xla": "fast"}}),
                                  json.dumps({"key": {**KEY, "threads": 4}, "numbers": {"xla": 1.0}}), "[" * 100_000])
def test_a_damaged_file_is_measured_again(text):
    file = remember(KEY, {"xla": 1.0})
    file.write_text(text)
    assert recall(KEY) is None
    assert remember(KEY, {"xla": 2.0}) and recall(KEY) == {"xla": 2.0}


@pytest.mark.parametrize("value", ["off", "", "OFF"])
def test_no_folder(monkeypatch, value):
    monkeypatch.setenv("TFPLM_CACHE", value)
    assert cache_folder() is None and remember(KEY, {"xla": 1.0}) is None and recall(KEY) is None


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")  # root may write into every folder, but not into a file
    monkeypatch.setenv("TFPLM_CACHE", str(tmp_path / "file" / "cache"))
    assert remember(KEY, {"xla": 1.0}) is None and recall(KEY) is None


def test_the_default_folder(monkeypatch, tmp_path):
    monkeypatch.delenv("TFPLM_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "tfplm"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "tfplm"

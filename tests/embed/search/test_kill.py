"""`kill -9` at random moments: records and index agree, and no change that had returned is lost."""

import os
import subprocess
import sys

import pytest

from tests.embed.search.fake_encoder import FAQ, FakeEncoder
from tests.embed.search.killing import ROOT, expected, found, kill_often
from tfplm.embed.search import store
from tfplm.embed.search.manifest import Manifest, SearchSettings
from tfplm.embed.search.search_index import SearchIndex


@pytest.mark.slow
def test_killed_a_few_times(tmp_path):
    assert kill_often(tmp_path / "index", tmp_path / "notes", 6) >= 3


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "seed"), [
    ("hnsw", 3), *[pytest.param(*case, marks=pytest.mark.all) for case in (("exact", 1), ("flat", 2))]])
def test_killed_many_times(kind, seed, tmp_path):
    assert kill_often(tmp_path / "index", tmp_path / "notes", 60, kind, seed=seed) >= 40


def test_the_expected_contents(tmp_path):
    (tmp_path / "notes").write_text('["start", "add", {"a": "1"}]\n["done"]\n["start", "delete", ["a"]]\n')
    assert expected(tmp_path / "notes", {"b": "2"}) == [{"a": "1", "b": "2"}, {"b": "2"}]


def test_a_wrong_vector_fails_the_check(tmp_path):
    texts = {str(index): f"{index} 图书馆 {index * 7919}" for index in range(20)}
    encoder = FakeEncoder(8)
    with SearchIndex.create(tmp_path / "i", encoder, SearchSettings("exact")) as index:
        index.add(list(texts.items()))
    assert found(tmp_path / "i", [texts], writable=False) == texts
    with SearchIndex.open(tmp_path / "i", encoder, writable=True) as index:
        cache = index._store.cache
        vectors = cache.catch_up()
        vectors.remove([3])
        vectors.add([3], encoder.encode(["天气"]))
        cache.save()
        assert index.verify() == []  # which checks ids only
    with pytest.raises(AssertionError):
        found(tmp_path / "i", [texts], writable=False)


def test_a_killed_writer_releases_its_lock(tmp_path):
    code = ("import os, sys; from tests.embed.search.fake_encoder import *; from tfplm.embed.search import SearchIndex\n"
            "index = SearchIndex.create(sys.argv[1], FakeEncoder()); index.add(FAQ); os._exit(9)")
    process = subprocess.run([sys.executable, "-c", code, str(tmp_path / "i")], cwd=ROOT)
    assert process.returncode == 9
    with SearchIndex.open(tmp_path / "i", FakeEncoder(), writable=True) as index:
        assert len(index) == 5 and index.verify() == [] and os.listdir(tmp_path / "i")


@pytest.mark.parametrize("moment", ["_open_records", "save"])
def test_a_kill_during_creation(moment, tmp_path, monkeypatch):
    owner = store if moment == "_open_records" else Manifest
    with monkeypatch.context() as patch:
        def stop(*arguments, **keywords):
            raise KeyboardInterrupt

        patch.setattr(owner, moment, stop)
        with pytest.raises(KeyboardInterrupt):
            SearchIndex.create(tmp_path / "i", FakeEncoder())
    with SearchIndex.create(tmp_path / "i", FakeEncoder()) as index:
        index.add(FAQ)
        assert index.verify() == []


def test_an_error_within_a_transaction(tmp_path, monkeypatch):
    with SearchIndex.create(tmp_path / "i", FakeEncoder()) as index:
        index.add(FAQ)
        with monkeypatch.context() as patch:
            patch.setattr(index._store.records, "_many", lambda *arguments: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                index.add([("food", "别的")], "replace")
        assert index.get("food").text == FAQ[-1][1] and index.verify() == []
        index.add([("food", "别的")], "replace")
        assert len(index) == 5 and index.verify() == []


def test_an_error_while_the_index_catches_up(tmp_path, monkeypatch):
    with SearchIndex.create(tmp_path / "i", FakeEncoder()) as index:
        index.add(FAQ)
        kind = type(index._store.cache.catch_up())
        index.add(["天气"])
        add = kind.add

        def interrupted(self, ids, vectors):
            add(self, ids, vectors)
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(kind, "add", interrupted)
            with pytest.raises(KeyboardInterrupt):
                index.search("天气")
        assert index.verify() == [] and index.search("天气", k=1)[0].text == "天气"

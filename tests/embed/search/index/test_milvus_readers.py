"""Readers of an index in Milvus always agree with its records, whatever its writer is doing or has left unfinished."""

import signal
import subprocess
import sys

import pytest

from tests.embed.search.fake_encoder import FAQ, FakeEncoder
from tests.embed.search.killing import ROOT, kill_often
from tests.embed.search.test_index_cache import after
from tfplm.embed.search.index import milvus_reader
from tfplm.embed.search.index.milvus_index import MilvusIndex
from tfplm.embed.search.index_cache import IndexCache
from tfplm.embed.search.manifest import SearchSettings
from tfplm.embed.search.search_index import SearchIndex


@pytest.fixture(autouse=True)
def milvus():
    pytest.importorskip("milvus_lite")
    pytest.importorskip("pymilvus")


@pytest.fixture
def writer(tmp_path):
    with SearchIndex.create(tmp_path / "i", FakeEncoder(), SearchSettings(milvus="milvus.db")) as index:
        index.add(FAQ[:3])
        yield index


@pytest.fixture
def reader(writer, tmp_path):
    with SearchIndex.open(tmp_path / "i", FakeEncoder()) as index:
        yield index


def python(folder, code: str) -> subprocess.CompletedProcess:
    """Runs code in a process, with `folder`, FAQ, FakeEncoder and SearchIndex defined."""
    start = ("import os, signal, sys; from tests.embed.search.fake_encoder import *; "
             "from tfplm.embed.search.index_cache import IndexCache\n"
             "from tfplm.embed.search.search_index import SearchIndex\n"
             "folder = sys.argv[1]\n")
    return subprocess.run([sys.executable, "-c", start + code, str(folder)], cwd=ROOT, capture_output=True, text=True)


def agrees(index, *names) -> bool:
    hits = index.search("图书馆", k=9)
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    return {hit.id for hit in hits} == set(names) and len(hits) == len(index) == len(names) and index.verify() == []


def test_the_writer_applies_every_change_to_milvus(writer, reader):
    collection = writer._store.cache.index
    writer.add(FAQ[3:])
    assert sorted(collection.ids()) == [1, 2, 3, 4, 5] and agrees(reader, "hours", "card", "loan", "park", "food")
    writer.delete(["card"])
    writer.update([("food", "天气怎么样？", None)])
    assert sorted(collection.ids()) == [1, 3, 4, 6] and agrees(reader, "hours", "loan", "park", "food")
    assert reader.search("天气", k=1)[0].id == "food" and reader.kind == "milvus" and reader.recall(k=3).recall == 1


def test_a_reader_is_ahead_of_milvus(writer, reader, monkeypatch):
    monkeypatch.setattr(IndexCache, "after_commit", lambda self: None)
    writer.add(FAQ[3:])
    assert agrees(reader, "hours", "card", "loan", "park", "food") and reader.search("停车费用", k=1)[0].id == "park"
    writer.delete(["card", "park"])
    writer.update([("hours", "天气怎么样？", None)])
    assert agrees(reader, "hours", "loan", "food") and reader.search("天气", k=1)[0].id == "hours"
    assert len(writer._store.cache.index) == 3  # unchanged
    monkeypatch.setattr(milvus_reader, "MOST", 3)  # more slots are removed than a search can skip
    assert agrees(reader, "hours", "loan", "food")


def test_a_writer_killed_after_its_commit(writer, tmp_path):
    writer.close()
    killed = python(tmp_path / "i", "IndexCache.after_commit = lambda self: os.kill(os.getpid(), signal.SIGKILL)\n"
                                    "SearchIndex.open(folder, FakeEncoder(), writable=True).add(FAQ[3:])")
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    for writable in (False, True, False):
        with SearchIndex.open(tmp_path / "i", FakeEncoder(), writable=writable) as index:
            assert agrees(index, "hours", "card", "loan", "park", "food")


@pytest.mark.parametrize("name", ["clear", "add"])
def test_reading_while_the_collection_is_built(name, writer, reader, monkeypatch):
    results, method = [], getattr(MilvusIndex, name)

    def watched(self, *arguments):
        method(self, *arguments)
        results.append(agrees(reader, "hours", "card", "loan"))

    monkeypatch.setattr(MilvusIndex, name, watched)
    writer.compact()
    assert results == [True] and agrees(reader, "hours", "card", "loan")


def test_the_collection_is_built_during_a_search(writer, reader, monkeypatch):
    assert agrees(reader, "hours", "card", "loan")
    writer.delete(["card"])
    after(monkeypatch, reader._store.cache.index, "_removed_since", *[lambda: writer._store.cache.index.clear()] * 9)
    with pytest.raises(AssertionError):  # the check detects it
        assert agrees(reader, "hours", "loan")
    writer.rebuild()
    monkeypatch.undo()
    after(monkeypatch, reader._store.cache.index, "_nearest", writer.compact, writer.rebuild)
    assert agrees(reader, "hours", "loan")


@pytest.mark.slow
def test_killed_while_the_collection_is_built(writer, tmp_path, caplog):
    writer.close()
    killed = python(tmp_path / "i", "index = SearchIndex.open(folder, FakeEncoder(), writable=True)\n"
                                    "index._store.cache.save = lambda: os.kill(os.getpid(), signal.SIGKILL)\n"
                                    "index.compact()")
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    with SearchIndex.open(tmp_path / "i", FakeEncoder()) as reader:
        assert agrees(reader, "hours", "card", "loan")
        assert caplog.text.count("every search reads all records") == 1
        with SearchIndex.open(tmp_path / "i", FakeEncoder(), writable=True) as writer:
            writer.add(FAQ[3:])
            assert writer.verify() == [] and agrees(reader, "hours", "card", "loan", "park", "food")


def half_written(folder):
    """Truncates an index of Milvus Lite, which does not write to a temporary file first."""
    files = list(folder.rglob("*.idx"))
    assert files
    for file in files:
        file.write_bytes(b"")


def half_dropped(folder):
    """Removes the schema of a folder: Milvus Lite neither finds the collection nor creates one there."""
    (file,) = folder.rglob("schema.json")
    file.unlink()


@pytest.mark.parametrize("leave, warnings", [
    (half_written, ["the vectors are read from the records", "the index is rebuilt from the records", ""]),
    (half_dropped, ["every search reads all records", "the index has 0 vectors, expected 3", ""])])
def test_the_file_left_by_a_killed_writer(leave, warnings, writer, tmp_path, caplog, capfd):
    writer.close()
    leave(tmp_path / "i" / "milvus.db")
    for writable, words in zip((False, True, False), warnings, strict=True):
        caplog.clear()
        with SearchIndex.open(tmp_path / "i", FakeEncoder(), writable=writable) as index:
            assert agrees(index, "hours", "card", "loan")
        assert words in caplog.text if words else not caplog.text
    assert "Traceback" not in capfd.readouterr().err


def test_a_collection_emptied_by_others(writer, reader):
    writer._store.cache.index.clear()
    assert agrees(reader, "hours", "card", "loan")


def test_milvus_fails_after_a_commit(writer, reader, monkeypatch, caplog):
    def fails(self, ids, vectors):
        raise ConnectionError("the server is gone")

    with monkeypatch.context() as patch:
        patch.setattr(MilvusIndex, "add", fails)
        assert writer.add(FAQ[3:4]) == ["park"]  # the record is there
        assert "are not up to date (the server is gone); the next change tries again" in caplog.text
        assert agrees(reader, "hours", "card", "loan", "park")
        with pytest.raises(ConnectionError, match="the server is gone"):
            writer.search("停车")
    writer.add(FAQ[4:])
    assert agrees(writer, *[row[0] for row in FAQ]) and agrees(reader, *[row[0] for row in FAQ])


@pytest.mark.slow
def test_readers_in_other_processes(writer, tmp_path):
    """Milvus Lite does not admit them: they search the records."""
    look = ("index = SearchIndex.open(folder, FakeEncoder())\n"
            "print(*sorted(hit.id for hit in index.search('图书馆', 9)), index.verify())")
    other = python(tmp_path / "i", look)
    assert other.stdout == "card hours loan []\n", other.stderr
    assert "milvus.db open, and Milvus Lite admits one at a time" in other.stderr and "Traceback" not in other.stderr
    writer.add(FAQ[3:])
    assert python(tmp_path / "i", look).stdout == "card food hours loan park []\n"


@pytest.mark.slow
def test_a_file_that_another_process_reads(writer, tmp_path):
    writer.close()
    code = ("from tests.embed.search.fake_encoder import *; from tfplm.embed.search import SearchIndex; import sys\n"
            "index = SearchIndex.open(sys.argv[1], FakeEncoder()); index.search('书'); print('ready', flush=True); input()")
    other = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "i")], cwd=ROOT, stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE)
    try:
        assert other.stdout.readline() == b"ready\n"
        with pytest.raises(BlockingIOError, match="another process has .*milvus.db open, and Milvus Lite admits one at a "
                                                  "time: wait until it has ended, or keep the vectors in a Milvus server"):
            SearchIndex.open(tmp_path / "i", FakeEncoder(), writable=True)
    finally:
        other.communicate(b"\n")
    with SearchIndex.open(tmp_path / "i", FakeEncoder(), writable=True) as index:
        assert agrees(index, "hours", "card", "loan")


@pytest.mark.slow
def test_killed(tmp_path):
    assert kill_often(tmp_path / "index", tmp_path / "notes", 3, milvus="milvus.db") >= 1


@pytest.mark.all
def test_killed_many_times(tmp_path):
    assert kill_often(tmp_path / "index", tmp_path / "notes", 40, milvus="milvus.db", seed=4) >= 25

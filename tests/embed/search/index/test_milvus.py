"""Milvus: the embedded version by a file name, and a server in another process by a URL."""

import json
import socket
import subprocess
import sys
import time

import numpy as np
import pytest

from tests.embed.search.fake_encoder import FAQ, FakeEncoder
from tests.embed.search.index.vector_cases import clouds
from tests.embed.search.killing import ROOT
from tfplm.embed.search.index.exact import ExactIndex
from tfplm.embed.search.index.milvus_index import MilvusIndex
from tfplm.embed.search.index.recall import recall_report
from tfplm.embed.search.index.vector_index import IndexSettings
from tfplm.embed.search.manifest import SearchSettings
from tfplm.embed.search.search_index import SearchIndex


@pytest.fixture(autouse=True)
def milvus():
    pytest.importorskip("milvus_lite")
    pytest.importorskip("pymilvus")


@pytest.mark.parametrize(("there", "metric"), [("auto", "cosine"), *[
    pytest.param(*kind, marks=pytest.mark.slow) for kind in (
        ("flat", "l2"), ("hnsw", "inner_product"), ("ivf", "cosine"), ("ivf_pq", "cosine"), ("sq", "l2"))]])
def test_kinds(there, metric, tmp_path):
    settings = IndexSettings(metric, lists=16, probes=16)
    index, exact = MilvusIndex(str(tmp_path / "m.db"), "c", 16, settings, there), ExactIndex(16, settings)
    new, vectors = np.arange(1200) + 7_000_000_000, clouds(1200)
    for one in (index, exact):
        one.add(new, vectors)
        assert one.remove([*new[:30], 3]) == 30
    assert len(index) == 1170 and sorted(index.ids()) == new[30:].tolist()
    assert recall_report(index, exact, clouds(10, seed=1), 10).recall > (0.5 if there == "ivf_pq" else 0.95)
    scores, ids = index.search(vectors[40:42], 3)
    expected, same = exact.search(vectors[40:42], 3)
    if there != "ivf_pq":
        assert ids[:, 0].tolist() == same[:, 0].tolist()
        np.testing.assert_allclose(scores[:, 0], expected[:, 0], atol=0.1)
    index.add(new[40:41], -vectors[40:41])  # replaces the existing vector
    assert len(index) == 1170
    index.close()


@pytest.fixture(params=["milvus.db", "http"])
def location(request, tmp_path):
    """A file name, or the URL of a server."""
    if request.param != "http":
        yield request.param
        return
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen([sys.executable, "-m", "milvus_lite", "server", "--data-dir", tmp_path / "server",
                               "--port", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(600):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert server.poll() is None, "the server has ended"
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(60)


def test_a_search_index(location, tmp_path):
    settings = SearchSettings(milvus=location, kind="hnsw")
    with SearchIndex.create(tmp_path / "i", FakeEncoder(), settings) as index:
        index.add(FAQ)
        assert index.search("何时开馆", k=1)[0].payload["answer"].startswith("早上九点")
        index.update([("food", "天气怎么样？", None)])
        index.delete(["card"])
        assert index.kind == "milvus" and f"Milvus at {location}" in index.reason and index.verify() == []
        assert index.recall(k=2).recall == 1
    with SearchIndex.open(tmp_path / "i", FakeEncoder(), writable=True, milvus=location) as index:
        assert index.verify() == [] and index.search("天气", k=9)[0].id == "food"
        index.add(["停车"])
        index.compact()
        assert index.verify() == [] and len(index) == 5
    with SearchIndex.open(tmp_path / "i", FakeEncoder(), milvus=location) as reader:
        assert reader.search("停车", k=1)[0].text == "停车"
        with SearchIndex.open(tmp_path / "i", FakeEncoder(), writable=True, milvus=location) as writer:
            writer.add(["何时"])
            reader.search("停车")
            reader.close()
            assert writer.search("何时", k=1)[0].text == "何时" and writer.verify() == []


def test_an_interrupted_update_is_repeated(tmp_path, monkeypatch):
    """The vectors are in Milvus already, but the state in the folder is older."""
    with SearchIndex.create(tmp_path / "i", FakeEncoder(), SearchSettings(milvus="milvus.db")) as index:
        index.add(FAQ[:2])
        index.search("书")
        (folder,) = (tmp_path / "i").glob("vectors-*")
        old = json.loads((folder / "state.json").read_text())
        index.add(FAQ[2:])
        index.delete(["hours"])
        index.search("书")
    (folder,) = (tmp_path / "i").glob("vectors-*")
    (folder / "state.json").write_text(json.dumps(old))
    with SearchIndex.open(tmp_path / "i", FakeEncoder(), writable=True) as index:
        assert index.verify() == [] and len(index) == 4
        index._store.cache.index.clear()  # as if others had emptied the collection
        index.add(["新"])
        assert index.verify() == [] and index.search("停车", k=1)[0].id == "park"


def test_a_file_is_found_from_anywhere(tmp_path, monkeypatch):
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with SearchIndex.create("faq", FakeEncoder(), SearchSettings(milvus="milvus.db")) as index:
        index.add(FAQ)
    reader = SearchIndex.open("faq", FakeEncoder())
    monkeypatch.chdir(tmp_path / "there")
    assert reader.search("停车费用", k=1)[0].id == "park"
    reader.close()
    for writable in (False, True):
        with SearchIndex.open(tmp_path / "here" / "faq", FakeEncoder(), writable=writable) as index:
            assert index.search("停车费用", k=1)[0].id == "park" and index.verify() == []
    (tmp_path / "here" / "faq").rename(tmp_path / "there" / "moved")
    for writable in (False, True):
        with SearchIndex.open("moved", FakeEncoder(), writable=writable) as index:
            assert index.search("停车费用", k=1)[0].id == "park" and index.verify() == [] and index.kind == "milvus"
    assert not list((tmp_path / "here").iterdir())


def test_a_milvus_index_without_records(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    index, second = (MilvusIndex("m.db", "c", 16) for _ in range(2))
    index.add([1, 2, 3], clouds(3))
    index.save(tmp_path)
    index.close()
    index.close()  # a second call does nothing
    assert len(second) == 3
    code = "import sys; from tfplm.embed.search import MilvusIndex; print(len(MilvusIndex.load(sys.argv[1])))"
    other = [sys.executable, "-c", code, str(tmp_path)]
    held = subprocess.run(other, cwd=ROOT, capture_output=True, text=True)
    assert "BlockingIOError: another process has " in held.stderr
    second.close()
    assert subprocess.run(other, cwd=ROOT, capture_output=True, text=True).stdout == "3\n"


def test_errors(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="Milvus has no index of kind 'lsh': choose one of auto, flat"):
        MilvusIndex(str(tmp_path / "m.db"), "c", 16, there="lsh")
    with pytest.raises(ValueError, match="milvus is 'milvus', expected the URL of a server, http://HOST:19530, or a file"):
        SearchSettings(milvus="milvus")
    with pytest.raises(ConnectionError, match=r"no connection to Milvus at .*: .*give the URL of a running server"):
        monkeypatch.setattr("tfplm.embed.search.index.milvus_connection._SECONDS", 1)
        MilvusIndex("http://127.0.0.1:9", "c", 16)
    with pytest.raises(ConnectionError, match="no connection to Milvus"):
        SearchIndex.create(tmp_path / "i", FakeEncoder(), SearchSettings(milvus="http://127.0.0.1:9"))
    monkeypatch.setitem(sys.modules, "pymilvus", None)
    with pytest.raises(ImportError, match=r"pip install -e '.\[milvus\]'"):
        MilvusIndex(str(tmp_path / "n.db"), "c", 16)

"""Folders of indexes from elsewhere: what they name outside of themselves is not used unasked; damaged files are noticed."""

import contextlib
import errno
import json
import os
import shutil
import socket
import sqlite3
import threading

import numpy as np
import pytest

from tests.embed.search.fake_encoder import FAQ, FakeEncoder
from tfplm.embed.search import index_cache
from tfplm.embed.search.index.exact import ExactIndex
from tfplm.embed.search.manifest import SearchSettings
from tfplm.embed.search.search_index import SearchIndex

FLAT = SearchSettings("exact")


@pytest.fixture
def folder(tmp_path):
    with SearchIndex.create(tmp_path / "i", FakeEncoder(), FLAT) as index:
        index.add(FAQ)
    return tmp_path / "i"


def change(folder, **settings) -> None:
    """Changes the settings in the manifest."""
    values = json.loads((folder / "manifest.json").read_text())
    values["settings"] |= settings
    (folder / "manifest.json").write_text(json.dumps(values))


@contextlib.contextmanager
def listening():
    """A port, and how many connected to it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        came = []

        def accept():
            with contextlib.suppress(OSError):
                while True:
                    with server.accept()[0] as connection:
                        came.append(connection)

        threading.Thread(target=accept, daemon=True).start()
        yield server.getsockname()[1], came


@pytest.mark.parametrize("url", ["postgresql://x@127.0.0.1:{}/y", "postgres://127.0.0.1:{}/y", "mysql://x@127.0.0.1:{}/y",
                                 "mariadb://x@127.0.0.1:{}/y", "mysql+pymysql://x@127.0.0.1:{}/y"])
@pytest.mark.parametrize("writable", [False, True])
def test_no_database_that_the_manifest_names_is_asked(folder, url, writable, monkeypatch):
    monkeypatch.setenv("PGPASSWORD", "secret")
    monkeypatch.setenv("MYSQL_PWD", "secret")
    with listening() as (port, came):
        change(folder, records=url.format(port))
        with pytest.raises(PermissionError, match=r"names the database .*by records=\.\.\. \(--records\), or by trust=True"):
            SearchIndex.open(folder, FakeEncoder(), writable=writable)
        assert not came


def test_no_milvus_server_that_the_manifest_names_is_asked(folder, monkeypatch):
    monkeypatch.setenv("MILVUS_TOKEN", "secret")
    with listening() as (port, came):
        change(folder, milvus=f"http://127.0.0.1:{port}")
        with pytest.raises(PermissionError, match=r"names the Milvus server .*by milvus=\.\.\. \(--milvus\)"):
            SearchIndex.open(folder, FakeEncoder(), writable=True)
        assert not came


@pytest.mark.parametrize("milvus", ["../evil.db", "a/../../evil.db", "{}/evil.db"])
def test_no_file_of_milvus_is_made_outside(folder, tmp_path, milvus):
    change(folder, milvus=milvus.format(tmp_path))
    with pytest.raises(PermissionError, match=r"names the file .*evil\.db, outside of the folder"):
        SearchIndex.open(folder, FakeEncoder(), writable=True)
    assert not (tmp_path / "evil.db").exists()


@pytest.mark.parametrize("kind", ["absolute", "above", "link"])
@pytest.mark.parametrize("writable", [False, True])
def test_no_sqlite_file_outside_is_touched(folder, tmp_path, kind, writable):
    outside = tmp_path / "foreign.sqlite"
    with contextlib.closing(sqlite3.connect(outside)) as connection:
        connection.execute("CREATE TABLE mine (x)")
    before = outside.read_bytes()
    if kind == "link":
        (folder / "records.sqlite").unlink()
        (folder / "records.sqlite").symlink_to(outside)
    else:
        change(folder, records=f"sqlite:///{outside if kind == 'absolute' else '../foreign.sqlite'}")
    with contextlib.chdir(tmp_path) if hasattr(contextlib, "chdir") else contextlib.nullcontext():
        for path in (folder, os.path.relpath(folder)):
            with pytest.raises(PermissionError, match="outside of the folder; an index uses what is in"):
                SearchIndex.open(path, FakeEncoder(), writable=writable)
    assert outside.read_bytes() == before and sorted(os.listdir(tmp_path)) == ["foreign.sqlite", "i"]


@pytest.mark.parametrize("name", ["records.sqlite-journal", "records.sqlite-wal", "writer.lock", "vectors-9",
                                  "whitening.npz"])
def test_links_out_of_the_folder(folder, tmp_path, name):
    (tmp_path / "target").mkdir()
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to(tmp_path / "target")
    with pytest.raises(PermissionError, match=rf"{name} is a link to .*target, outside of the folder"):
        SearchIndex.open(folder, FakeEncoder(), writable=True)
    (folder / name).unlink()
    (tmp_path / "linked").symlink_to(folder)  # to the folder itself: the caller's choice
    SearchIndex.open(tmp_path / "linked", FakeEncoder()).close()


def test_a_journal_that_would_delete_another_file(folder, tmp_path):
    """SQLite's recovery deletes the super-journal that a journal names, whatever file that is."""
    magic, victim = bytes.fromhex("d9d505f920a163d7"), tmp_path / "victim"
    victim.write_bytes(b"text")
    name = str(victim).encode()
    end = (1 << 30).to_bytes(4, "big") + name + len(name).to_bytes(4, "big") + (sum(name) & 0xFFFFFFFF).to_bytes(4, "big")
    (folder / "records.sqlite-journal").write_bytes(magic + bytes(504) + end + magic)
    with pytest.raises(PermissionError, match="records.sqlite-journal is a journal that names another file"):
        SearchIndex.open(folder, FakeEncoder(), writable=True)
    assert victim.exists()


def test_what_is_confirmed_is_used(folder, tmp_path):
    (folder / "records.sqlite").rename(tmp_path / "mine.sqlite")
    url = f"sqlite:///{tmp_path / 'mine.sqlite'}"
    change(folder, records=url)
    for given in ({"records": url}, {"trust": True}):
        with SearchIndex.open(folder, FakeEncoder(), **given) as index:
            assert index.search("停车", k=1)[0].id == "park"
    with pytest.raises(ValueError, match="keeps its vectors in files: leave it out"):
        SearchIndex.open(folder, FakeEncoder(), records=url, milvus="http://127.0.0.1:9")


def test_reading_changes_no_file(folder):
    with contextlib.closing(sqlite3.connect(folder / "records.sqlite")) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
    before = (folder / "records.sqlite").read_bytes()
    with SearchIndex.open(folder, FakeEncoder()) as index:
        assert index.search("停车", k=1)[0].id == "park"
        with pytest.raises(PermissionError, match="open for reading"):
            index.add(["a"])
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            index._store.records._run("DELETE FROM tfplm")
    assert (folder / "records.sqlite").read_bytes() == before


def test_no_model_is_downloaded_unasked(folder, monkeypatch):
    values = json.loads((folder / "manifest.json").read_text())
    for source in ("somebody/elses-model", r"\\evil.example\share", "//evil.example/share"):
        (folder / "manifest.json").write_text(json.dumps({**values, "encoder": {"source": source}}))
        with SearchIndex.open(folder) as index, pytest.raises(PermissionError, match=(
                r"names the model .*encoder=\.\.\. \(--init\)")):
            index.search("a")


@pytest.mark.parametrize("text, reason", [
    ("null", "contains a NoneType"), ("[" * 100_000, "recursion"), ("{}", "it has no 'tfplm_search_index'"),
    ("\udcff", "utf-8"),
    ('{"tfplm_search_index": 2}', "newer version"), ('{"tfplm_search_index": 1, "settings": null}', "settings is None")])
def test_manifests_that_are_none(folder, text, reason):
    (folder / "manifest.json").write_text(text, encoding="utf-8", errors="surrogateescape")
    with pytest.raises(ValueError, match=r"manifest\.json cannot be read: (?s:.*)" + reason):
        SearchIndex.open(folder)


@pytest.mark.parametrize("change, reason", [
    ({"probes": []}, "probes are"), ({"probes": [[1], [2]]}, "probes are"), ({"probes": [[1], [2, 3], [4]]}, "probes are"),
    ({"probes": {"a": 1}}, "probes are"), ({"probes": "x"}, "probes are"), ({"probes": [[float("nan")]] * 3}, "not finite"),
    ({"probes": [[float("inf")]] * 3}, "not finite"), ({"encoder": "x"}, "encoder is 'x'"),
    ({"encoder": {}}, "source of the encoder is None"),
    ({"store": 5}, "store is 5"), ({"store": "../../home"}, "store is"), ({"whitened": "yes"}, "whitened is"),
    ({"settings": {"memory": "x"}}, "memory is 'x'"), ({"settings": {"kind": 3}}, "kind is 3"),
    ({"settings": {"records": 3}}, "records is 3"), ({"settings": {"milvus": []}}, r"milvus is \[\]"),
    ({"settings": {"index": None}}, "index is None"), ({"settings": {"index": {"links": "x"}}}, "links"),
    ({"settings": {"prompt": 1}}, "prompt is 1"), ({"settings": {"unheard": 1}}, "unheard"), ({"unheard": 1}, "unheard")])
def test_values_of_wrong_types(folder, change, reason):
    values = json.loads((folder / "manifest.json").read_text())
    values |= {**change, "settings": {**values["settings"], **change.get("settings", {})}}
    (folder / "manifest.json").write_text(json.dumps(values))
    with pytest.raises(ValueError, match=r"manifest\.json cannot be read: .*" + reason):
        SearchIndex.open(folder)


def test_an_encoder_that_gives_nan(folder):
    class Broken(FakeEncoder):
        def encode(self, texts, prompt=""):
            return np.full((len(texts), 48), np.nan)

    with pytest.raises(ValueError, match="the vectors of this encoder differ"):
        SearchIndex.open(folder, Broken())


KINDS = ["exact", "flat", "hnsw", "lsh", "sq"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_byte_of_saved_vectors_counts(tmp_path, kind, caplog):
    if kind != "exact":
        pytest.importorskip("faiss")
    with SearchIndex.create(tmp_path / "i", FakeEncoder(8), SearchSettings(kind)) as index:
        index.add([f"{number} 图书馆" for number in range(30)])
        expected = index.search("图书馆", k=30)
    (saved,) = (tmp_path / "i").glob("vectors-*")
    shutil.copytree(saved, tmp_path / "copy")
    random = np.random.default_rng(0)
    for path in sorted((tmp_path / "copy").iterdir()):
        for _ in range(4):
            shutil.rmtree(saved)
            shutil.copytree(tmp_path / "copy", saved)
            content = bytearray(path.read_bytes())
            content[random.integers(len(content))] ^= 1 << int(random.integers(8))
            (saved / path.name).write_bytes(content)
            caplog.clear()
            with SearchIndex.open(tmp_path / "i", FakeEncoder(8)) as index:
                assert index.search("图书馆", k=30) == expected
            assert caplog.text.count("\n") <= 1 and ("cannot be used" in caplog.text or path.name == "state.json")


def test_vectors_for_which_there_is_no_memory_are_made_anew(folder, monkeypatch, caplog):
    def load(path):
        raise MemoryError("too much")

    monkeypatch.setattr(index_cache, "load_index", load)
    with SearchIndex.open(folder, FakeEncoder()) as index:
        assert index.search("停车", k=1)[0].id == "park"
    assert "cannot be used (too much)" in caplog.text


def test_a_full_disk_is_told_with_the_place(folder, monkeypatch):
    with SearchIndex.open(folder, FakeEncoder(), writable=True) as index:
        records = index._store.records
        pages = records._rows("PRAGMA page_count")[0][0]
        records._run(f"PRAGMA max_page_count = {pages}")  # SQLite's own way of having no more room
        with pytest.raises(OSError, match=r"no room for the table tfplm of sqlite:///.*records\.sqlite; free some"):
            index.add([("large", "x" * 100_000)])
        records._run("PRAGMA max_page_count = 100000")
        assert len(index) == 5 and index.verify() == []


def test_a_full_disk_keeps_the_older_vectors(folder, monkeypatch):
    def save(self, place):
        raise OSError(errno.ENOSPC, "No space left on device")

    with SearchIndex.open(folder, FakeEncoder(), writable=True) as index:
        with monkeypatch.context() as patch:
            patch.setattr(ExactIndex, "save", save)
            with pytest.raises(OSError, match=r"they take about 1,000 bytes, and [\d,]+ are free.*" + str(folder)):
                index.rebuild()
        assert [path.name for path in folder.glob("vectors-*")] == ["vectors-1"]
        assert index.search("停车", k=1)[0].id == "park"

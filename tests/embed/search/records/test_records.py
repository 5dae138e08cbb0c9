"""Records in SQLite, PostgreSQL and MySQL: the same tests for each."""

import json
import os

import numpy as np
import pytest

from tests.embed.search import servers
from tests.embed.search.fake_encoder import FAQ, FakeEncoder
from tests.embed.search.killing import kill_often
from tfplm.embed.search.manifest import Manifest, SearchSettings
from tfplm.embed.search.records.dialect import dialect_of, sqlite_url, without_password
from tfplm.embed.search.records.records import Records
from tfplm.embed.search.search_index import SearchIndex


@pytest.fixture(scope="module", params=["sqlite", "postgres", "mysql"])
def url(request, tmp_path_factory):
    if request.param == "sqlite":
        yield sqlite_url(tmp_path_factory.mktemp("records") / "r.sqlite")
    else:
        with getattr(servers, request.param)() as url:
            yield url


@pytest.fixture
def table(request):
    """The table name of this test."""
    return "t_" + "".join(c for c in request.node.originalname if c.isalpha())[:30]


def vectors(count, start=0):
    return np.arange(start, start + count * 3, dtype=np.float32).reshape(count, 3)


def test_rows(url, table):
    records = Records(url, table)
    assert not records.exists()
    records.create("name")
    assert records.exists() and records.state() == ("name", 0, 0, 0, 0)
    with pytest.raises(FileExistsError, match=f"the table {table} of .* exists already"):
        records.create("name")
    rows = [("甲", "一 🙂 'x' %s ?", {"答": [1, None]}), (None, "", {}), ("A", "x", {}), ("a", "y", {}), ("a ", "z", {})]
    with records.transaction():
        assert records.write(rows, vectors(5)) == ["甲", "#2", "A", "a", "a "]
    by_id = records.by_id(["甲", "#2", "a", "nothing"], vectors=True)
    assert sorted(by_id) == ["#2", "a", "甲"]
    assert by_id["甲"][:4] == (1, *rows[0]) and by_id["甲"].vector.tolist() == [0, 1, 2]
    assert by_id["#2"].text == "" and records.by_slot([3])[3].id == "A"
    with records.transaction():
        records.write([("甲", "二", {})], vectors(1, 50), replaced=[1])
        records.erase([4])
        records.set_payloads({3: {"n": "新"}})
        records.set_progress("f", 7)
        records.set_progress("f", 9)
    assert records.progress("f") == 9 and records.progress("g") == 0
    assert records.state()[1:] == (6, 2, 0, 4) and records.slots().tolist() == [2, 3, 5, 6]
    assert records.removed(0, 2).tolist() == [1, 4] and records.removed(1, 2).tolist() == [4]
    assert records.removed(0, 1).tolist() == [1]
    assert [record.payload for record in records.records()] == [{}, {"n": "新"}, {}, {}]
    with records.transaction():
        records.forget_removals()
    assert records.removed(0, 2).tolist() == [] and records.state().forgotten == 2
    records.vacuum()
    records.close()
    again = Records(url, table)
    assert again.exists() and again.by_id(["甲"])["甲"].text == "二"
    again.close()


def test_a_missing_table_is_known_in_every_language(url, table):
    """It is not detected by the message, which is in the language of the server's administrator."""
    records = Records(url, table)
    if url.startswith("mysql"):
        records._run("SET lc_messages = 'de_DE'")
        with pytest.raises(Exception, match="existiert nicht"):
            records.state()
    elif url.startswith("postgresql"):  # whose languages depend on the system
        from psycopg.errors import UndefinedTable
        assert records._dialect.no_table(UndefinedTable(f"Relation »{table}_state« existiert nicht"))
    assert not records.exists()
    records._run(f"CREATE TABLE {table}_state (other INTEGER)")
    with pytest.raises(Exception, match="store"):  # a foreign table is not a missing one
        records.exists()
    records.close()


def test_given_ids_like_automatic_ones(url, table):
    records = Records(url, table)
    records.create("name")
    with records.transaction():
        assert records.write([("#2", "a", {}), ("#3", "b", {})], vectors(2)) == ["#2", "#3"]
    with records.transaction():  # 3 is taken by a record, 5 in this batch
        assert records.write([(None, "c", {}), ("#5", "d", {}), (None, "e", {})], vectors(3)) == ["#4", "#5", "#7"]
    assert records.slots().tolist() == [1, 2, 4, 6, 7] and records.state().last_slot == 7
    with records.transaction():
        assert records.write([("#8", "f", {})], vectors(1)) == ["#8"]
        assert records.write([], vectors(0), replaced=[8]) == []
        assert records.write([(None, "g", {})] * 2, vectors(2)) == ["#9", "#10"]
    assert records.state()[1:] == (10, 1, 0, 7)
    records.close()


def test_all_or_nothing(url, table):
    records = Records(url, table)
    records.create("name")
    with pytest.raises(Exception, match="(?i)unique|duplicate"), records.transaction():
        records.write([("a", "1", {}), ("b", "2", {}), ("a", "3", {})], vectors(3))
    assert records.state().count == 0 and records.slots().tolist() == []
    with pytest.raises(KeyboardInterrupt), records.transaction():
        records.write([("a", "1", {})], vectors(1))
        raise KeyboardInterrupt
    assert records.state().last_slot == 0
    records.close()


def test_pages(url, table):
    records = Records(url, table)
    records.create("name")
    with records.transaction():
        records.write([(None, "t", {})] * 9000, vectors(9000))
        records.erase(range(1, 9000, 2))
    pages = list(records.pages(10, 8990))
    assert [len(slots) for slots, _ in pages] == [4096, 394]
    assert np.concatenate([slots for slots, _ in pages]).tolist() == list(range(12, 8991, 2))
    assert pages[0][1][0].tolist() == [33, 34, 35] and pages[0][1].dtype == np.float32
    assert len(records.slots()) == 4500 and len(records.vectors(range(9001))) == 4500
    records.close()


def test_one_writer(url, table):
    first, second = Records(url, table), Records(url, table)
    if url.startswith("sqlite"):
        assert first.lock() and second.lock()  # the lock of the folder is enough
    else:
        for _ in range(20):
            assert first.lock() and not second.lock()
            first.close()
            assert second.lock()  # at once
            first, second = second, Records(url, table)
    first.close()
    second.close()


def test_writers_of_two_databases_of_one_server(url, table):
    if not url.startswith("mysql"):
        pytest.skip("the locks of the other servers are per database")
    name = "w" * 40  # the longest one
    first = Records(url, name)
    first._run(f"CREATE DATABASE IF NOT EXISTS {table}")
    second, third = Records(f"{url.rpartition('/')[0]}/{table}", name), Records(url, name)
    assert first.lock() and second.lock() and not third.lock()
    first._run(f"DROP DATABASE {table}")
    for records in (first, second, third):
        records.close()


def test_an_index(url, table, tmp_path):
    if url.startswith("sqlite"):
        pytest.skip("test_search_index.py")
    settings = SearchSettings(records=url, table=table)
    with SearchIndex.create(tmp_path / "one", FakeEncoder(), settings) as index:
        index.add(FAQ)
        index.update([("food", "天气怎么样？", None)])
        index.delete(["card"])
        assert [hit.id for hit in index.search("停车费用", k=1)] == ["park"]
        assert index.verify() == []
        with pytest.raises(BlockingIOError, match="another process is writing to the table"):
            SearchIndex.create(tmp_path / "two", FakeEncoder(), settings)
    with pytest.raises(FileExistsError, match="has the records of another index: give another name for the table"):
        SearchIndex.create(tmp_path / "two", FakeEncoder(), settings)
    assert not (tmp_path / "one" / "records.sqlite").exists()
    with SearchIndex.open(tmp_path / "one", FakeEncoder(), writable=True, records=settings.records) as index:
        reader = SearchIndex.open(tmp_path / "one", FakeEncoder(), records=settings.records)
        index.compact()
        index.add([("new", "几点开门")])
        assert index.verify() == reader.verify() == []
        assert reader.search("何时开放", k=1)[0].id == "new"
        reader.close()


def test_an_error_closes_the_database(url, table, tmp_path, monkeypatch):
    """In the same process, even while the error and its frames are kept."""
    settings, opened = SearchSettings(records=url, table=table), []
    if url.startswith("sqlite"):
        settings = SearchSettings(table=table)
    connect = Records.__init__

    def noted(self, *arguments):
        connect(self, *arguments)
        opened.append(self)

    monkeypatch.setattr(Records, "__init__", noted)
    with monkeypatch.context() as patch:
        patch.setattr(Manifest, "save", lambda self, folder: 1 / 0)
        with pytest.raises(ZeroDivisionError) as kept:
            SearchIndex.create(tmp_path / "i", FakeEncoder(), settings)
    SearchIndex.create(tmp_path / "i", FakeEncoder(), settings).close()
    manifest = json.loads((tmp_path / "i" / "manifest.json").read_text())
    (tmp_path / "i" / "manifest.json").write_text(json.dumps({**manifest, "store": "another"}))
    with pytest.raises(ValueError, match="does not have the records of") as also_kept:
        SearchIndex.open(tmp_path / "i", FakeEncoder(), writable=True, records=settings.records)
    (tmp_path / "i" / "manifest.json").write_text(json.dumps(manifest))
    SearchIndex.open(tmp_path / "i", FakeEncoder(), writable=True, records=settings.records).close()
    assert kept.value and also_kept.value and len(opened) == 4
    for records in opened:
        with pytest.raises(Exception, match=r"(?i)closed|^\(0, ''\)$"):  # PyMySQL's message
            records.state()


def test_killed(url, table, tmp_path):
    if url.startswith("sqlite"):
        pytest.skip("test_kill.py")
    assert kill_often(tmp_path / "index", tmp_path / "notes", 4, "exact", url) >= 2


def test_passwords_are_not_stored(url, tmp_path):
    if not url.startswith("postgresql"):
        pytest.skip("once is enough")
    secret = url.replace("postgres@", "postgres:geheim@", 1)
    SearchIndex.create(tmp_path / "i", FakeEncoder(), SearchSettings(records=secret, table="secret")).close()
    text = (tmp_path / "i" / "manifest.json").read_text()
    assert "geheim" not in text and json.loads(text)["settings"]["records"] == url
    SearchIndex.open(tmp_path / "i", records=secret).close()


def test_urls():
    assert without_password("mysql://me:pa%40ss@host:3307/db?x=1") == "mysql://me@host:3307/db?x=1"
    assert dialect_of("postgresql+psycopg://h/d").name == "postgresql" and dialect_of("mariadb://h/d").name == "mysql"
    with pytest.raises(ValueError, match=r"is 'oracle://me@h/d', expected .*postgresql://USER@HOST/DATABASE or mysql://"):
        SearchSettings(records="oracle://me:secret@h/d")
    with pytest.raises(ValueError, match="the table name is 'a; drop', expected up to 40 of a-z"):
        Records("sqlite:///x", "a; drop")


def test_a_relative_sqlite_file_is_in_the_folder(tmp_path, monkeypatch):
    (tmp_path / "there").mkdir()
    with SearchIndex.create(tmp_path / "i", FakeEncoder(), SearchSettings(records="sqlite:///r.db", table="t")) as index:
        index.add(FAQ)
    (tmp_path / "i").rename(tmp_path / "moved")
    monkeypatch.chdir(tmp_path / "there")
    with SearchIndex.open(tmp_path / "moved", FakeEncoder(), writable=True, records="sqlite:///r.db") as index:
        assert index.search("停车费用", k=1)[0].id == "park" and index.verify() == []
    (tmp_path / "moved" / "r.db").unlink()
    with pytest.raises(FileNotFoundError, match="moved has no r.db: its records are missing"):
        SearchIndex.open(tmp_path / "moved", FakeEncoder())
    assert not list((tmp_path / "there").iterdir()) and not (tmp_path / "moved" / "r.db").exists()


@pytest.mark.parametrize("name", ["postgresql", "mysql"])
def test_no_server(name, tmp_path):
    pytest.importorskip("psycopg" if name == "postgresql" else "pymysql")
    with pytest.raises(ConnectionError, match=rf"no connection to {name}://me@127.0.0.1:9/d: .*a password is read from"):
        SearchIndex.create(tmp_path / "i", FakeEncoder(), SearchSettings(records=f"{name}://me:secret@127.0.0.1:9/d"))
    assert "manifest.json" not in os.listdir(tmp_path / "i")


@pytest.mark.parametrize(("url", "module", "extra"), [("postgresql://h/d", "psycopg", "postgres"),
                                                      ("mysql://h/d", "pymysql", "mysql")])
def test_missing_packages(url, module, extra, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, module, None)
    with pytest.raises(ImportError, match=rf"pip install -e '.\[{extra}\]'"):
        Records(url)

"""Readers while a writer changes the index between two of their steps."""

import pytest

from tests.embed.search.fake_encoder import FakeEncoder
from tfplm.embed.search import index_cache
from tfplm.embed.search.manifest import SearchSettings
from tfplm.embed.search.search_index import SearchIndex

TEXTS = [(str(index), f"{index} 图书馆 {index * 7919}") for index in range(50)]


@pytest.fixture
def writer(tmp_path):
    with SearchIndex.create(tmp_path / "i", FakeEncoder(8), SearchSettings("exact")) as index:
        index.add(TEXTS)
        yield index


@pytest.fixture
def reader(writer, tmp_path):
    with SearchIndex.open(tmp_path / "i", FakeEncoder(8)) as index:
        yield index


def after(monkeypatch, owner, name, *steps):
    """Runs the n-th of the steps after the n-th call of `owner.name`."""
    function, left = getattr(owner, name), list(steps)

    def followed(*arguments, **keywords):
        result = function(*arguments, **keywords)
        if left:
            left.pop(0)()
        return result

    monkeypatch.setattr(owner, name, followed)


def names(index) -> list[str]:
    return sorted(hit.id for hit in index.search("图书馆", k=99))


def test_a_compaction_while_a_reader_catches_up(writer, reader, monkeypatch):
    assert len(names(reader)) == 50
    writer.delete([name for name, _ in TEXTS[:45]])
    after(monkeypatch, reader._store.records, "state", writer.compact)
    assert names(reader) == names(writer) == ["45", "46", "47", "48", "49"] and reader.verify() == []


def test_as_many_new_removals_as_were_cleared(writer, reader, monkeypatch):
    assert len(names(reader)) == 50
    writer.delete([name for name, _ in TEXTS[:20]])

    def compact_and_delete():
        writer.compact()
        writer.delete([name for name, _ in TEXTS[20:40]])

    after(monkeypatch, reader._store.records, "state", compact_and_delete)
    assert names(reader) == names(writer) == [name for name, _ in TEXTS[40:]] and reader.verify() == []


def test_repeated_compactions(writer, reader, monkeypatch):
    assert len(names(reader)) == 50
    rest = [name for name, _ in TEXTS]

    def delete_and_compact():
        writer.delete([rest.pop()])
        writer.compact()

    writer.delete([rest.pop()])
    after(monkeypatch, reader._store.records, "state", *[delete_and_compact] * 8)
    for _ in range(8):
        assert set(names(reader)) <= {name for name, _ in TEXTS[:49]}
    assert names(reader) == names(writer) == sorted(rest) and reader.verify() == []


def test_a_writer_saves_while_a_reader_loads(writer, tmp_path, monkeypatch, caplog):
    writer.search("图书馆")
    load, saves = index_cache.load_index, [1, 2, 3]

    def too_late(path):
        if saves:
            saves.pop()
            writer.add(["新"])
            writer.search("图书馆")
            writer._store.cache.save()  # removes the older files
        return load(path)

    monkeypatch.setattr(index_cache, "load_index", too_late)
    with SearchIndex.open(tmp_path / "i", FakeEncoder(8)) as reader:
        monkeypatch.setattr(reader._store.cache, "build", lambda: pytest.fail("all of it was read again"))
        assert len(names(reader)) == 53 and not saves and reader.verify() == []
    assert "cannot be used" not in caplog.text

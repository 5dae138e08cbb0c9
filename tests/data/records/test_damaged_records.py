"""Records and indexes that were damaged, or made to harm: errors that name the file, no memory for lengths alone."""

import gzip
import json
import resource
import struct

import numpy as np
import pytest

from tfplm.data.records import tfrecord
from tfplm.data.records.example import encode_example
from tfplm.data.records.index import FORMAT, INDEX, JOURNAL, Journal, load_index
from tfplm.data.records.shards import encode_document, read_token_documents
from tfplm.data.records.tfrecord import read_records, write_records
from tfplm.data.sequences.documents import Document

DOCUMENT = {"ids": np.arange(9), "sentence_lengths": np.array([4, 5]), "word_starts": bytes([255, 128])}


def record(length: int, data: bytes) -> bytes:
    head = struct.pack("<Q", length)
    return head + tfrecord._masked(head) + data + tfrecord._masked(data)


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("length", [1 << 34, 1 << 63, (1 << 64) - 1, 1 << 28, 101])
def test_a_length_allocates_nothing(tmp_path, length, compress):
    path = tmp_path / "x.tfrecord"
    content = record(length, b"x" * 100)
    path.write_bytes(gzip.compress(content) if compress else content)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ValueError, match=f"{path}, record 1: .*(a record of|the file ends inside this record)"):
        list(read_records(path))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000


def test_a_record_that_could_not_be_read_is_not_written(tmp_path, monkeypatch):
    monkeypatch.setattr(tfrecord, "MAX_RECORD", 10)
    with pytest.raises(ValueError, match="has 11 bytes, expected at most 10: divide the document"):
        write_records(tmp_path / "x", [b"x" * 11])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("content", [
    b"no message", b"\x0a\xff", encode_example(DOCUMENT | {"ids": np.array([1 << 40])}),
    encode_example(DOCUMENT | {"ids": b"bytes"}), encode_example(DOCUMENT | {"ids": np.array([0.5])}),
    encode_example(DOCUMENT | {"sentence_lengths": np.array([4, 4])}), encode_example(DOCUMENT | {"word_starts": b""}),
    encode_example(DOCUMENT | {"sentence_lengths": np.array([-1, 10])}), encode_example({"ids": np.arange(9)}),
    encode_example(DOCUMENT | {"word_starts": np.arange(2)}),
])
def test_records_that_are_no_documents(tmp_path, content):
    path = tmp_path / "x.tfrecord"
    write_records(path, [encode_document(Document(np.arange(3, dtype=np.int32), np.array([3], np.int32),
                                                  np.ones(3, bool))), content])
    with pytest.raises(ValueError, match=str(path)):
        list(read_token_documents(path))


INDEX_OF = {"format": FORMAT, "settings": {}, "layout": "tokens", "vocabulary": {}, "shards": [],
            "totals": {"train": {"records": 1, "tokens": 2}}}


@pytest.mark.parametrize("changes", [
    {"format": ["x"]}, {"totals": []}, {"totals": {"train": {}}}, {"totals": {"train": {"records": "1", "tokens": 2}}},
    {"shards": [3]}, {"shards": [{"files": [{"name": "../outside"}]}]}, {"shards": [{"files": [{"name": "/etc/passwd"}]}]},
    {"shards": [{"files": [{"name": 3}]}]}, {"layout": 3}, {"vocabulary": None}, {"settings": "x"},
])
def test_an_index_with_other_values(tmp_path, changes):
    (tmp_path / INDEX).write_text(json.dumps(INDEX_OF | changes), encoding="utf-8")
    with pytest.raises(ValueError, match=str(tmp_path / INDEX)):
        load_index(tmp_path)
    (tmp_path / INDEX).write_text("[" * 100_000)
    with pytest.raises(ValueError, match=str(tmp_path / INDEX)):
        load_index(tmp_path)
    (tmp_path / INDEX).write_text(json.dumps(INDEX_OF), encoding="utf-8-sig")
    assert load_index(tmp_path)["layout"] == "tokens"


def test_overwriting_removes_no_file_outside_of_the_folder(tmp_path):
    (tmp_path / "precious").write_text("x")
    folder = tmp_path / "records"
    folder.mkdir()
    lines = [{"settings": {"a": 1}}, {"number": 0, "digest": "x", "files": [{"name": "../precious"}]}]
    (folder / JOURNAL).write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(ValueError, match="a shard has the file '../precious', expected a name in the same folder"):
        Journal(folder, {"a": 2}, overwrite=True)
    assert (tmp_path / "precious").exists()

import os

import numpy as np
import pytest

from tfplm.data.records.example import decode_example, encode_example
from tfplm.data.records.tfrecord import crc32c, read_records, write_records

RECORDS = [b"", b"a", "一句话".encode(), bytes(range(256)) * 100]


def test_checksum():
    assert crc32c(b"123456789") == 0xE3069283  # the check value of CRC-32C
    assert crc32c(b"") == 0 and crc32c(b"\0" * 32) == 0x8A9136AA  # RFC 3720, B.4
    assert crc32c(bytes(range(32))) == 0x46DD794E


@pytest.mark.parametrize("compress", [True, False])
def test_tensorflow_reads_ours_and_we_read_tensorflow(tmp_path, compress):
    import tensorflow as tf

    ours, theirs = str(tmp_path / "ours"), str(tmp_path / "theirs")
    assert write_records(ours, RECORDS, compress) == os.path.getsize(ours)
    kind = "GZIP" if compress else ""
    assert [record.numpy() for record in tf.data.TFRecordDataset(ours, compression_type=kind)] == RECORDS
    with tf.io.TFRecordWriter(theirs, tf.io.TFRecordOptions(compression_type=kind)) as writer:
        for record in RECORDS:
            writer.write(record)
    assert list(read_records(theirs)) == RECORDS


def test_example_is_tensorflow_s():
    import tensorflow as tf

    features = {"ids": np.array([0, 1, 300, 2**31 - 1, -1]), "weights": np.array([0.5, 1.0]), "bits": b"\x00\xff"}
    theirs = tf.train.Example.FromString(encode_example(features)).features.feature
    assert list(theirs["ids"].int64_list.value) == features["ids"].tolist()
    assert list(theirs["weights"].float_list.value) == [0.5, 1.0] and theirs["bits"].bytes_list.value == [b"\x00\xff"]
    again = decode_example(tf.train.Example(features=tf.train.Features(feature=theirs)).SerializeToString())
    assert again["ids"].dtype == np.int32 and again["weights"].dtype == np.float32
    assert all(np.array_equal(again[key], features[key]) for key in features)
    assert encode_example(dict(reversed(features.items()))) == encode_example(features), "one form"


def test_same_bytes_every_time(tmp_path):
    for name in ("a", "b"):
        write_records(tmp_path / name, RECORDS)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("compress", [True, False])
def test_damaged_files(tmp_path, compress):
    path = tmp_path / "a"
    write_records(path, RECORDS, compress)
    whole = path.read_bytes()
    for index in (1, 7, 14, 30, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:index])
        with pytest.raises(ValueError, match=r"record \d+: .*; make the file again"):
            list(read_records(path))
        changed = bytearray(whole)
        changed[index] ^= 0x10
        path.write_bytes(changed)
        try:
            assert list(read_records(path)) == RECORDS  # a bit of gzip's header that means nothing
        except ValueError as error:
            assert "make the file again" in str(error)
    path.write_bytes(b"Just a text file, and not a short one.")
    with pytest.raises(ValueError, match="is it a TFRecord file"):
        list(read_records(path))


def test_nothing_half_written_stays(tmp_path):
    def broken():
        yield b"one"
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        write_records(tmp_path / "a", broken())
    assert list(tmp_path.iterdir()) == []

"""safetensors files: read from the library, written for the library, and damaged in every way."""

import json
import os
import tracemalloc

import ml_dtypes
import numpy as np
import pytest
import safetensors
import safetensors.numpy

from tfplm.core.checkpoints import Tensor, open_checkpoint, write_safetensors
from tfplm.core.checkpoints.tensor import DTYPES

SINGLE = "model.safetensors"
INDEX = "model.safetensors.index.json"


@pytest.fixture
def arrays():
    random = np.random.default_rng(0)
    return {
        "嵌入.weight": random.normal(size=(7, 5)).astype(np.float32),
        "layer.0.bias": random.normal(size=5).astype(ml_dtypes.bfloat16),
        "layer.0.kernel": random.normal(size=(3, 4)).astype(np.float16).T,
        "position_ids": np.arange(6)[None],
        "flags": np.array([True, False, True]),
        "scale": np.float32(2.5),
        "nothing": np.zeros((0, 3), np.float32),
    }


def equal(checkpoint, arrays):
    assert sorted(checkpoint) == sorted(arrays)
    for name, array in arrays.items():
        assert checkpoint.shape(name) == array.shape == checkpoint[name].shape
        assert checkpoint.dtype(name) == array.dtype == checkpoint[name].dtype
        np.testing.assert_array_equal(checkpoint.read(name), array)
    return True


def raw(path, header, data=b"", length=None):
    """Writes a file with this header, valid or not."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes((len(text) if length is None else length).to_bytes(8, "little") + text + data)
    return path


def test_reads_what_the_library_wrote(tmp_path, arrays):
    arrays = {name: np.ascontiguousarray(array).reshape(array.shape) for name, array in arrays.items()}
    safetensors.numpy.save_file(arrays, tmp_path / SINGLE)
    with open_checkpoint(tmp_path) as checkpoint:
        assert checkpoint.layout == "hf" and checkpoint.path == tmp_path / SINGLE
        assert equal(checkpoint, arrays)
        assert not checkpoint["嵌入.weight"].flags.writeable
        kept = checkpoint["嵌入.weight"]
    np.testing.assert_array_equal(kept, arrays["嵌入.weight"])  # an array outlives its checkpoint
    assert checkpoint.names() == []


def test_the_library_reads_what_is_written(tmp_path, arrays):
    assert write_safetensors(tmp_path, arrays.items()) == [tmp_path / SINGLE]
    with safetensors.safe_open(tmp_path / SINGLE, "np") as file:
        assert file.metadata() == {"format": "pt"}
        for name, array in arrays.items():
            np.testing.assert_array_equal(file.get_tensor(name), array)
    assert equal(open_checkpoint(tmp_path), arrays)


def test_every_dtype_is_restored(tmp_path):
    arrays = {kind: np.arange(3).astype(dtype) for kind, dtype in DTYPES.items()}
    assert len(arrays) == 15
    write_safetensors(tmp_path, arrays)
    assert equal(open_checkpoint(tmp_path), arrays)


def test_shards_and_index(tmp_path, arrays):
    paths = write_safetensors(tmp_path, arrays, max_shard_bytes=64)
    assert [path.name for path in paths] == [f"model-0000{i}-of-00003.safetensors" for i in (1, 2, 3)] + [INDEX]
    index = json.loads(paths[-1].read_text(encoding="utf-8"))
    assert index["metadata"] == {"total_size": sum(array.nbytes for array in arrays.values())}
    assert sorted(index["weight_map"]) == sorted(arrays)
    assert equal(open_checkpoint(tmp_path), arrays)
    assert equal(open_checkpoint(tmp_path / INDEX), arrays)


def test_a_single_file_replaces_old_shards_and_vice_versa(tmp_path, arrays):
    write_safetensors(tmp_path, {"old": np.zeros(40)}, max_shard_bytes=64)
    write_safetensors(tmp_path, arrays, max_shard_bytes=64)
    (tmp_path / "config.json").write_text("{}")
    assert SINGLE not in os.listdir(tmp_path)
    write_safetensors(tmp_path, arrays)
    assert sorted(os.listdir(tmp_path)) == ["config.json", SINGLE]
    assert equal(open_checkpoint(tmp_path), arrays)


def test_a_failure_keeps_the_old_files(tmp_path, arrays):
    write_safetensors(tmp_path, arrays)

    def fail():
        raise OSError("no space left on device")

    lazy = {**{f"new{i}": np.zeros(9) for i in range(5)}, "last": Tensor((9,), np.dtype(np.float32), fail)}
    with pytest.raises(OSError, match="no space left"):
        write_safetensors(tmp_path, lazy, max_shard_bytes=100)
    assert os.listdir(tmp_path) == [SINGLE]
    assert equal(open_checkpoint(tmp_path), arrays)


def test_tensors_are_read_and_written_one_by_one(tmp_path):
    made = {f"w{i}": Tensor((250_000,), np.dtype(np.float32), lambda i=i: np.full(250_000, i, np.float32))
            for i in range(20)}  # 20 x 1 MB
    tracemalloc.start()
    try:
        write_safetensors(tmp_path, made)
        write_safetensors(tmp_path / "copy", open_checkpoint(tmp_path))
        assert tracemalloc.get_traced_memory()[1] < 4_000_000
    finally:
        tracemalloc.stop()
    assert [open_checkpoint(tmp_path / "copy")[f"w{i}"][-1] for i in range(20)] == list(range(20))


def test_writing_onto_the_files_that_are_being_read(tmp_path, arrays):
    write_safetensors(tmp_path, arrays)
    write_safetensors(tmp_path, open_checkpoint(tmp_path))
    assert equal(open_checkpoint(tmp_path), arrays)


@pytest.mark.parametrize("tensors, message", [
    ([("a", np.zeros(2)), ("a", np.ones(2))], "tensor 'a' occurs twice"),
    ({"名": np.array(["x"], dtype=object)}, "tensor '名' has dtype object, which is not supported; expected float64,"),
    ({"c": np.zeros(2, np.complex64)}, "tensor 'c' has dtype complex64, which is not supported"),
    ({"t": Tensor((3,), np.dtype(np.float32), lambda: np.zeros(2, np.float32))}, r"'t' was read as float32 \[2\], exp"),
])
def test_tensors_that_cannot_be_written(tmp_path, tensors, message):
    with pytest.raises(ValueError, match=message):
        write_safetensors(tmp_path, tensors)
    assert os.listdir(tmp_path) == []


def test_truncated(tmp_path, arrays):
    (path,) = write_safetensors(tmp_path, arrays)
    whole = path.read_bytes()
    for size in (len(whole) - 1, len(whole) - 100):
        path.write_bytes(whole[:size])
        with pytest.raises(ValueError, match=f"found {size} bytes, its header expects {len(whole)}: the file is trunc"):
            open_checkpoint(tmp_path)
    path.write_bytes(whole[:60])
    with pytest.raises(ValueError, match=r"found 60 bytes, its header alone expects .*: the file is truncated"):
        open_checkpoint(tmp_path)
    path.write_bytes(whole + b"more")
    with pytest.raises(ValueError, match=f"found {len(whole) + 4} bytes, its header expects {len(whole)}: .* damaged"):
        open_checkpoint(tmp_path)
    path.write_bytes(b"")
    with pytest.raises(ValueError, match="is not a safetensors file: found 0 bytes"):
        open_checkpoint(tmp_path)


def entry(dtype="F32", shape=(2,), offsets=(0, 8)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


@pytest.mark.parametrize("header, message", [
    (b'{"a": ', "its header is not a JSON object"),
    (b"[1, 2]", "expected an object, found list"),
    (b"\xff\xfe{}", "its header is not a JSON object"),
    (b"[" * 100_000, "its header is not a JSON object"),
    ({"a": {"dtype": "F32"}}, "the header's entry of 'a' is {'dtype': 'F32'}; expected dtype, shape"),
    ({"a": entry(shape=(-2,))}, "the header's entry of 'a' is"),
    ({"a": 5}, "the header's entry of 'a' is 5"),
    ({"a": entry("F4")}, "tensor 'a' has dtype F4, which is not supported; expected F64, F32, F16, BF16"),
    ({"a": entry(shape=(3,))}, r"tensor 'a' \(F32 \[3\]\) has 8 bytes, expected 12"),
    ({"a": entry(shape=(2**40, 2**40))}, "has 8 bytes, expected 4835703278458516698824704"),
    ({"a": entry(), "b": entry(offsets=(4, 12))}, "tensor 'b' starts at byte 4 of the data, expected 8"),
    ({"a": entry(), "b": entry(offsets=(16, 24))}, "tensor 'b' starts at byte 16 of the data, expected 8"),
])
def test_broken_header(tmp_path, header, message):
    path = raw(tmp_path / SINGLE, header, bytes(24))
    with pytest.raises(ValueError, match=message):
        open_checkpoint(path)


def test_absurd_header_length_and_pointer_file(tmp_path):
    with pytest.raises(ValueError, match=r"not a safetensors file: .* a header of 1099511627776 bytes"):
        open_checkpoint(raw(tmp_path / SINGLE, {}, length=2**40))
    (tmp_path / SINGLE).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:12\nsize 440449768\n")
    with pytest.raises(ValueError, match="is a Git LFS pointer, not the weights: run `git lfs pull`"):
        open_checkpoint(tmp_path)

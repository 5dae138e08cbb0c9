"""PyTorch files: every dtype and kind of view in both layouts, damaged files, and files that contain code."""

import json
import os
import pickle
import shutil
import zipfile
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from tfplm.core.checkpoints import open_checkpoint

FILES = Path(__file__).parents[2] / "golden" / "torch_files"
LEGACY_HEAD = pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps(1001, 2) + pickle.dumps({"little_endian": True}, 2)


@pytest.fixture(scope="module")
def expected():
    return dict(np.load(FILES / "expected.npz"))


def zipped(path, data_pkl, **entries):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", data_pkl)
        for name, content in entries.items():
            archive.writestr(f"archive/{name}", content)
    return path


def legacy(path, saved):
    path.write_bytes(LEGACY_HEAD + saved + pickle.dumps([], 2))
    return path


@pytest.mark.parametrize("name", ["zip.bin", "legacy.bin"])
def test_equal_to_torch(name, expected):
    checkpoint = open_checkpoint(FILES / name)
    assert checkpoint.layout == "hf" and len(checkpoint) == 18 and checkpoint.names() == list(expected)
    for key, array in expected.items():
        read = checkpoint[key]
        assert checkpoint.shape(key) == read.shape == array.shape
        assert checkpoint.dtype(key) == read.dtype == (ml_dtypes.bfloat16 if key == "bfloat16" else array.dtype)
        np.testing.assert_array_equal(read.astype(array.dtype), array)
        assert key == "empty" or not read.flags.writeable
    assert checkpoint["transposed"].strides == (4, 32)  # a view, not a copy


def test_data_parallel_and_nested_state_dict(expected):
    checkpoint = open_checkpoint(FILES / "data_parallel.bin")
    assert checkpoint.names() == ["base", "half"]
    np.testing.assert_array_equal(checkpoint["base"], expected["base"])


def test_dtypes_without_a_storage_class():
    checkpoint = open_checkpoint(FILES / "untyped.bin")
    assert checkpoint.dtype("float8") == ml_dtypes.float8_e4m3fn and checkpoint.dtype("uint16") == np.uint16
    assert checkpoint["float8"].astype(int).tolist() == [0, 1, 2, 3] and checkpoint["uint16"].tolist() == [0, 1, 2]


def test_shards(tmp_path, expected):
    shutil.copy(FILES / "zip.bin", tmp_path / "pytorch_model-00001-of-00002.bin")
    shutil.copy(FILES / "untyped.bin", tmp_path / "pytorch_model-00002-of-00002.bin")
    weight_map = dict.fromkeys(expected, "pytorch_model-00001-of-00002.bin")
    weight_map["uint16"] = "pytorch_model-00002-of-00002.bin"
    (tmp_path / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": weight_map}))
    checkpoint = open_checkpoint(tmp_path)
    assert checkpoint.path.name == "pytorch_model.bin.index.json" and len(checkpoint) == 20
    np.testing.assert_array_equal(checkpoint["row_view"], expected["row_view"])


def test_dtype_not_supported():
    with pytest.raises(ValueError, match=r"bin: a tensor has dtype ComplexFloatStorage, which is not supported"):
        open_checkpoint(FILES / "complex.bin")


class Attack:
    """An object whose unpickling calls any function, as in a hostile file."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("layout", ["zip", "legacy", "bare"])
def test_a_malicious_pickle_is_rejected_and_nothing_is_executed(tmp_path, layout, protocol):
    victim = tmp_path / "victim"
    saved = pickle.dumps({"weight": Attack(os.system, f'echo > "{victim}"')}, protocol)
    path = tmp_path / "pytorch_model.bin"
    if layout == "bare":
        path.write_bytes(saved)
    else:
        (zipped if layout == "zip" else legacy)(path, saved)
    name = rf"{os.system.__module__}\.system"
    with pytest.raises(ValueError, match=rf"was rejected: its pickle calls '{name}'.*Nothing was executed.*tensors"):
        open_checkpoint(tmp_path)
    assert not victim.exists()
    pickle.loads(saved)  # the attack is real
    assert victim.exists()


@pytest.mark.parametrize("function, name", [(eval, "eval"), (getattr, "getattr"), (__import__, "__import__")])
def test_builtins_are_rejected(tmp_path, function, name):
    path = zipped(tmp_path / "model.bin", pickle.dumps(Attack(function, "1"), 4))
    with pytest.raises(ValueError, match=rf"calls 'builtins\.{name}'"):
        open_checkpoint(path)


@pytest.mark.parametrize("make", [zipped, legacy])
def test_an_unknown_global_is_named(tmp_path, make):
    path = make(tmp_path / "model.bin", pickle.dumps({"args": Path("x")}, 2))
    with pytest.raises(ValueError, match=r"model.bin was rejected: its pickle calls 'pathlib"):
        open_checkpoint(path)


@pytest.mark.parametrize("name", ["OrderedDict.fromkeys", "_sys.modules"])
def test_dotted_names_do_not_bypass_the_list(tmp_path, name):
    short = b"\x8c" + bytes([11]) + b"collections" + b"\x8c" + bytes([len(name)]) + name.encode()
    path = zipped(tmp_path / "model.bin", b"\x80\x04" + short + b"\x93.")  # STACK_GLOBAL
    with pytest.raises(ValueError, match=rf"calls 'collections\.{name}'"):
        open_checkpoint(path)


def described(offset, shape, strides, *, storage="FloatStorage", key="0"):
    """The pickle of a state dict with one tensor of any description."""

    def text(value):
        return b"X" + len(value).to_bytes(4, "little") + value.encode()

    def numbers(values):
        return b"(" + b"".join(b"J" + int(v).to_bytes(4, "little", signed=True) for v in values) + b"t"

    persistent = (b"(" + text("storage") + f"ctorch\n{storage}\n".encode() + text(key) + text("cpu") + b"K\x04t" + b"Q")
    tensor = (b"ctorch._utils\n_rebuild_tensor_v2\n(" + persistent + b"J" + offset.to_bytes(4, "little", signed=True)
              + numbers(shape) + numbers(strides) + b"\x89}tR")
    return b"\x80\x02}" + text("w") + tensor + b"s."


def test_views_stay_inside_their_storage(tmp_path):
    data = {"data/0": np.arange(4, dtype="<f4").tobytes()}
    path = tmp_path / "model.bin"
    assert open_checkpoint(zipped(path, described(1, [3], [1]), **data))["w"].tolist() == [1, 2, 3]
    with pytest.raises(ValueError, match="tensor 'w' ends at byte 20 of a storage of 16: the file is damaged"):
        open_checkpoint(zipped(path, described(2, [3], [1]), **data))
    with pytest.raises(ValueError, match="tensor 'w' ends at byte 404 of a storage of 16"):
        open_checkpoint(zipped(path, described(0, [2], [100]), **data))
    for offset, shape, strides in [(-1, [2], [1]), (0, [2], [-1]), (0, [-2], [1]), (0, [2, 2], [1])]:
        with pytest.raises(ValueError, match=r"its pickle cannot be read .ValueError: a tensor described as"):
            open_checkpoint(zipped(path, described(offset, shape, strides), **data))
    with pytest.raises(ValueError, match=r"a storage of its pickle is missing .'data/7'."):
        open_checkpoint(zipped(path, described(0, [3], [1], key="7"), **data))
    with pytest.raises(ValueError, match="big-endian"):
        open_checkpoint(zipped(path, described(0, [3], [1]), byteorder="big", **data))


@pytest.mark.parametrize("cut", [0.2, 0.5, 0.9, 0.999])
def test_truncated(tmp_path, cut):
    path = tmp_path / "pytorch_model.bin"
    whole = (FILES / "zip.bin").read_bytes()
    path.write_bytes(whole[:int(cut * len(whole))])
    with pytest.raises(ValueError, match=r"pytorch_model.bin: a truncated or damaged zip file of \d+ bytes \(.*fetch"):
        open_checkpoint(path)
    whole = (FILES / "legacy.bin").read_bytes()
    path.write_bytes(whole[:int(cut * len(whole))])
    with pytest.raises(ValueError, match=r"the file is\s+truncated"):
        open_checkpoint(path)


def test_a_changed_byte_in_the_description(tmp_path):
    whole = bytearray((FILES / "zip.bin").read_bytes())
    whole[whole.index(b"every_other")] ^= 1
    (tmp_path / "model.bin").write_bytes(whole)
    with pytest.raises(ValueError, match=r"damaged zip file of .*Bad CRC-32"):
        open_checkpoint(tmp_path / "model.bin")


def test_files_that_are_not_of_pytorch(tmp_path):
    path = tmp_path / "pytorch_model.bin"
    for content, message in [
            (b"", "its pickle cannot be read .EOFError"),
            ("你好".encode(), "its pickle cannot be read"),
            (pickle.dumps([1], 2), "is not a PyTorch file: expected a zip file or the number 0x1950.* pickled list"),
            (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer")]:
        path.write_bytes(content)
        with pytest.raises(ValueError, match=message):
            open_checkpoint(tmp_path)
    with pytest.raises(ValueError, match="found no tensors in a dict; expected a state dict"):
        open_checkpoint(zipped(path, pickle.dumps({"epoch": 3}, 2)))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({}, 2))
    with pytest.raises(ValueError, match=r"not one of torch.save: expected uncompressed entries, including data.pkl"):
        open_checkpoint(tmp_path)

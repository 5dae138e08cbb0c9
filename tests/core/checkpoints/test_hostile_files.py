"""Files that were made to harm, or damaged at random: an error that names the file, in memory bounded by its size."""

import io
import json
import pickle
import random
import resource
import struct
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest

from tfplm.core.checkpoints import open_checkpoint, torch_pickle, write_safetensors

FILES = Path(__file__).parents[2] / "golden" / "torch_files"
LONG_BINPUT = b"r"


def zipped(data_pkl: bytes) -> bytes:
    """`zip.bin` with another pickle."""
    content = io.BytesIO()
    with zipfile.ZipFile(FILES / "zip.bin") as source, zipfile.ZipFile(content, "w") as target:
        for name in source.namelist():
            target.writestr(name, data_pkl if name.endswith("data.pkl") else source.read(name))
    return content.getvalue()


def nested(depth: int) -> bytes:
    """A dictionary whose key is a tuple of twice the same tuple, and so on: 2^depth elements to hash."""
    return b"\x80\x02}K\x01" + b"2\x86" * depth + b"K\x01s."


@pytest.mark.parametrize("layout", ["bare", "zip"])
@pytest.mark.parametrize("index", [1 << 20, 1 << 27, (1 << 31) - 1, (1 << 32) - 1])
def test_the_index_of_a_memo_allocates_nothing(tmp_path, layout, index):
    program = b"\x80\x02K\x01" + LONG_BINPUT + index.to_bytes(4, "little") + b"."
    path = tmp_path / "pytorch_model.bin"
    path.write_bytes(zipped(program) if layout == "zip" else program)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ValueError, match=str(path)):
        open_checkpoint(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000


@pytest.mark.parametrize("program", [
    nested(60), nested(10_000), b"\x80\x04}(K\x01\x91K\x01s.",
    b"\x80\x02}(K\x01K\x02K\x03u.", b"\x80\x02}\x8a\xff" + b"\x7f" * 255 + b"K\x01s.", b"\x80\x02}}K\x01s.",
])
def test_keys_that_are_no_names_are_rejected_before_they_are_hashed(tmp_path, program):
    path = tmp_path / "pytorch_model.bin"
    path.write_bytes(zipped(program))
    start = time.perf_counter()
    with pytest.raises(ValueError, match=rf"{path}: its pickle cannot be read \(ValueError: a dictionary with"):
        open_checkpoint(path)
    assert time.perf_counter() - start < 5


def test_a_list_used_again_and_again_does_not_become_many_dictionaries(tmp_path):
    """OrderedDict(pairs) of the same 2,000 pairs, 2,000 times: 4 million entries from 20 kB."""
    pairs = b"](" + b"K\x01K\x02\x86" * 2_000 + b"e\x85q\x00"
    calls = b"ccollections\nOrderedDict\nh\x00R0" * 2_000
    path = tmp_path / "pytorch_model.bin"
    path.write_bytes(zipped(b"\x80\x02" + pairs + calls + b"."))
    with pytest.raises(ValueError, match=f"{path}: its pickle cannot be read .*more entries than it has instructions"):
        open_checkpoint(path)


def test_what_training_programs_save_next_to_the_weights_is_skipped(tmp_path):
    """Settings as argparse.Namespace, a defaultdict, a set: as PyTorch Lightning's and fairseq's checkpoints have."""
    import argparse
    import collections

    with zipfile.ZipFile(FILES / "zip.bin") as source:
        state = next(source.read(name) for name in source.namelist() if name.endswith("data.pkl"))
    extra = {"args": argparse.Namespace(lr=0.1), "losses": collections.defaultdict(list, {"train": [1.0]}),
             "seen": {1, 2}, (1, "a"): None, "epoch": 3}
    program = b"\x80\x04}(X\x0a\x00\x00\x00state_dict" + state[2:-1]
    program += b"X\x05\x00\x00\x00extra" + pickle.dumps(extra, 2)[2:-1] + b"u."
    path = tmp_path / "epoch=3.ckpt"
    path.write_bytes(zipped(program))
    assert open_checkpoint(path).names() == open_checkpoint(FILES / "zip.bin").names()


def test_the_number_of_instructions_is_bounded(tmp_path, monkeypatch):
    """A memo of one instruction each, of a byte: a hundred times as much memory as the file."""
    monkeypatch.setattr(torch_pickle, "MAX_STEPS", 1_000)
    path = tmp_path / "pytorch_model.bin"
    path.write_bytes(zipped(b"\x80\x04K\x01" + b"\x94" * 1_000 + b"."))
    with pytest.raises(ValueError, match=f"{path}: its pickle cannot be read .*more than 1000 instructions"):
        open_checkpoint(path)


def repeated(shape: list[int]) -> bytes:
    """The pickle of a tensor that repeats the first element of a storage."""
    sizes = b"(" + b"".join(b"\x8a\x08" + size.to_bytes(8, "little") for size in shape) + b"t"
    storage = b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x04tQ"
    return (b"\x80\x02}X\x01\x00\x00\x00wctorch._utils\n_rebuild_tensor_v2\n(" + storage + b"K\x00" + sizes
            + b"(" + b"K\x00" * len(shape) + b"t\x89}tRs.")


@pytest.mark.parametrize("shape", [[1 << 40], [1 << 20, 1 << 20], [1 << 62], [1] * 65, [0, 1 << 62, 1 << 62]])
def test_a_small_storage_does_not_become_a_large_tensor(tmp_path, shape):
    path = tmp_path / "pytorch_model.bin"
    path.write_bytes(zipped(repeated(shape)))
    with pytest.raises(ValueError, match=str(path)):
        open_checkpoint(path)
    path.write_bytes(zipped(repeated([2, 3])))
    assert open_checkpoint(path)["w"].shape == (2, 3)


def safetensors(**entry) -> bytes:
    text = json.dumps({"w": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16], **entry}}).encode()
    return len(text).to_bytes(8, "little") + text + bytes(16)


@pytest.mark.parametrize(("name", "content"), [
    ("model.safetensors", safetensors(dtype=["F32"])), ("model.safetensors", safetensors(dtype={})),
    ("model.safetensors", safetensors(shape=[True, 4])), ("model.safetensors", safetensors(shape=[1] * 64 + [4])),
    ("model.safetensors", safetensors(shape=[0, 1 << 62, 1 << 62], data_offsets=[0, 0])),
    ("model.safetensors", safetensors(shape=None)), ("model.safetensors", safetensors(shape=[4.0])),
    ("model.safetensors", safetensors(data_offsets=[0, True])), ("model.safetensors", safetensors(data_offsets=[0])),
    ("model.safetensors.index.json", b"[" * 200_000), ("model.safetensors.index.json", b"\xff\xfe\x00"),
    *(("model.safetensors.index.json", json.dumps({"weight_map": {"w": shard}}).encode())
      for shard in ("x" * 5_000, "../model.safetensors", "/etc/passwd", "", ".", "a\0b", "m.index.json", 3, None, [])),
])
def test_every_error_is_a_value_error_with_the_name_of_the_file(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ValueError, match=str(path)):
        open_checkpoint(path)


def mutated(rng: random.Random, content: bytes) -> bytes:
    data = bytearray(content)
    for _ in range(rng.choice((1, 2, 4, 16))):
        i = rng.randrange(len(data))
        kind = rng.randrange(5)
        if kind == 0:
            data[i] ^= 1 << rng.randrange(8)
        elif kind == 1:
            del data[i:i + rng.choice((1, 4, 30))]
        elif kind == 2:
            data[i:i] = rng.choice((b"(", b"}", b"t", b"u", b"s", b"R", b"2", b"0", b"\x86", b"Q", b"h\x01"))
        elif kind == 3:
            data[i:i + 4] = struct.pack("<I", rng.choice((0, 1 << 28, (1 << 31) - 1, (1 << 32) - 1)))
        else:
            data[i:i + 8] = struct.pack("<Q", rng.choice((0, 1 << 33, (1 << 62), (1 << 64) - 1)))
        data = data or bytearray(b"x")
    return bytes(data)


def _contents(tmp_path):
    write_safetensors(tmp_path, {f"w{i}": np.full((2, 2), i, np.float32) for i in range(4)}, max_shard_bytes=16)
    yield "model.safetensors", (tmp_path / "model-00001-of-00004.safetensors").read_bytes(), bytes
    yield "model.safetensors.index.json", (tmp_path / "model.safetensors.index.json").read_bytes(), bytes
    yield "pytorch_model.bin", (FILES / "legacy.bin").read_bytes(), bytes
    with zipfile.ZipFile(FILES / "zip.bin") as archive:
        described = next(archive.read(name) for name in archive.namelist() if name.endswith("data.pkl"))
    yield "pytorch_model.bin", described, zipped


def test_random_damage(tmp_path):
    """Each mutation is read, or refused by a ValueError that names the file."""
    rng, refused = random.Random(5), 0
    contents = list(_contents(tmp_path))
    for _ in range(400):
        name, content, packed = rng.choice(contents)
        path = tmp_path / name
        path.write_bytes(packed(mutated(rng, content)))
        try:
            with open_checkpoint(path) as checkpoint:
                for tensor in checkpoint.values():
                    np.array(tensor)
        except FileNotFoundError:  # the index names other shards
            refused += 1
        except ValueError as error:
            assert str(path) in str(error)
            refused += 1
    assert refused > 200


def test_many_names_are_read_quickly(tmp_path):
    """5,000 tensors, as with the optimizer of a large model; the tensors themselves are not in the pickle."""
    one = b"X\x06\x00\x00\x00w%05dctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\nFloatStorage\n" \
          b"X\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x04tQK\x00K\x02\x85K\x01\x85\x89}tR"
    path = tmp_path / "pytorch_model.bin"
    path.write_bytes(zipped(b"\x80\x02}(" + b"".join(one % i for i in range(5_000)) + b"u."))
    start = time.perf_counter()
    assert len(open_checkpoint(path)) == 5_000
    assert time.perf_counter() - start < 10


@pytest.mark.parametrize("prefix", ["_orig_mod.", "module._orig_mod.", "_orig_mod.module.", "module.module."])
def test_wrappers_of_pytorch_are_no_part_of_the_names(tmp_path, prefix):
    write_safetensors(tmp_path, {f"{prefix}a.weight": np.zeros(1), f"{prefix}layer._fsdp_wrapped_module.b": np.ones(1)})
    assert sorted(open_checkpoint(tmp_path).names()) == ["a.weight", "layer.b"]


def test_wrappers_are_kept_if_names_would_collide(tmp_path):
    write_safetensors(tmp_path, {"a._orig_mod.weight": np.zeros(1), "a.weight": np.ones(1)})
    assert sorted(open_checkpoint(tmp_path).names()) == ["a._orig_mod.weight", "a.weight"]


@pytest.mark.parametrize("name", ["weights.pt", "epoch=1-step=20.ckpt", "best.pth", "bert.bin", "adapted.safetensors"])
def test_the_only_file_of_weights_in_a_directory_can_have_any_name(tmp_path, name):
    if name.endswith(".safetensors"):
        write_safetensors(tmp_path, {"a": np.zeros(1)})
        (tmp_path / "model.safetensors").rename(tmp_path / name)
    else:
        (tmp_path / name).write_bytes((FILES / "zip.bin").read_bytes())
    for other in ("training_args.bin", "optimizer.pt", "rng_state_0.pth", "scheduler.pt"):
        (tmp_path / other).write_bytes(b"x")
    assert open_checkpoint(tmp_path).path.name == name
    (tmp_path / "second.pt").write_bytes(b"x")
    with pytest.raises(FileNotFoundError, match="no weights in .*; expected one of model.safetensors"):
        open_checkpoint(tmp_path)


def test_a_full_disk_is_reported_with_path_and_sizes(tmp_path):
    code = """if True:
        import resource, sys, numpy as np
        from tfplm.core.checkpoints import write_safetensors
        from tfplm.core.config import write_json
        resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
        for write in (lambda: write_safetensors(sys.argv[1], {"w": np.zeros(1 << 20)}),
                      lambda: write_json(sys.argv[1] + ".json", {"x": "y" * 10_000})):
            try:
                write()
            except OSError as error:
                print(error)
    """
    target = tmp_path / "new"
    result = subprocess.run([sys.executable, "-c", code, str(target)], capture_output=True, text=True, check=True)
    first, second = result.stdout.splitlines()
    assert "the disk is full, or a size limit was reached: it needs 8.4 MB, " in first and "are free" in first
    assert first.endswith(f"'{target / 'model.safetensors'}'")
    assert "it needs 10.0 kB" in second and second.endswith(f"'{target}.json'")
    assert not list(tmp_path.iterdir())

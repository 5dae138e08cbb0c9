"""Opening of checkpoints: the choice of the file in a directory, shards, and errors for missing files."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tfplm.core.checkpoints import open_checkpoint, write_safetensors

TORCH_FILES = Path(__file__).parents[2] / "golden" / "torch_files"
INDEX = "model.safetensors.index.json"


@pytest.fixture
def sharded(tmp_path):
    write_safetensors(tmp_path, {f"w{i}": np.full(4, i, np.float32) for i in range(3)}, max_shard_bytes=16)
    return tmp_path


def test_tensors_are_read_on_demand_and_tensorflow_is_not_imported(sharded):
    code = ("import sys; from tfplm.core.checkpoints import open_checkpoint; c = open_checkpoint(sys.argv[1]); "
            "assert c.shape('w1') == (4,) and c['w2'][0] == 2; assert not {'tensorflow', 'keras'} & set(sys.modules)")
    subprocess.run([sys.executable, "-c", code, str(sharded)], check=True)


def test_safetensors_before_pytorch(tmp_path):
    (tmp_path / "pytorch_model.bin").write_bytes((TORCH_FILES / "zip.bin").read_bytes())
    assert open_checkpoint(tmp_path).path.name == "pytorch_model.bin"
    write_safetensors(tmp_path, {"a": np.zeros(2)})
    checkpoint = open_checkpoint(str(tmp_path))
    assert checkpoint.path.name == "model.safetensors" and checkpoint.names() == ["a"] and "b" not in checkpoint
    assert repr(checkpoint).endswith("layout='hf', 1 tensors)")


def test_the_prefix_of_data_parallel_is_removed_only_if_all_names_have_it(tmp_path):
    write_safetensors(tmp_path, {"module.a": np.zeros(2), "module.b": np.zeros(2)})
    assert open_checkpoint(tmp_path).names() == ["a", "b"]
    write_safetensors(tmp_path, {"module.a": np.zeros(2), "b": np.zeros(2)})
    assert open_checkpoint(tmp_path).names() == ["b", "module.a"]


def test_missing_shard(sharded):
    (sharded / "model-00002-of-00003.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match=rf"1 of 3 shards listed by .*{INDEX} are missing: model-00002"):
        open_checkpoint(sharded)


def test_truncated_shard(sharded):
    path = sharded / "model-00002-of-00003.safetensors"
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(ValueError, match=r"model-00002-of-00003.safetensors: found \d+ bytes, its header expects \d+"):
        open_checkpoint(sharded)


def test_an_index_that_lists_missing_tensors(sharded):
    index = json.loads((sharded / INDEX).read_text())
    index["weight_map"] |= {"w9": "model-00001-of-00003.safetensors", "w1": "model-00003-of-00003.safetensors"}
    (sharded / INDEX).write_text(json.dumps(index))
    with pytest.raises(ValueError, match=r"lists 2 tensors that are not in their shards: 'w1' \(model-00003.*'w9'"):
        open_checkpoint(sharded)


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"weight_map": 3}', '{"weight_map": {"a": 3}}'])
def test_broken_index(tmp_path, text):
    (tmp_path / INDEX).write_text(text)
    with pytest.raises(ValueError, match=f"{INDEX} is not the index of a sharded checkpoint: expected JSON"):
        open_checkpoint(tmp_path)


def test_empty_directory_and_one_without_weights(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no weights in .*; expected one of model.safetensors.*found: nothing"):
        open_checkpoint(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "flax_model.msgpack").write_text("")
    with pytest.raises(FileNotFoundError, match=r"found: config.json, flax_model.msgpack"):
        open_checkpoint(tmp_path)


def test_no_such_path(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no checkpoint .*bert.ckpt: .*nor is there bert.ckpt.index"):
        open_checkpoint(tmp_path / "bert.ckpt")


def test_a_published_model(minilm):
    checkpoint = open_checkpoint(minilm)
    assert len(checkpoint) == 104 and checkpoint.layout == "hf"
    assert checkpoint.shape("embeddings.word_embeddings.weight") == (30522, 384)
    norms = np.linalg.norm(checkpoint["embeddings.word_embeddings.weight"].astype(np.float32), axis=1)
    assert 0.5 < norms.mean() < 3 and norms.std() < 1

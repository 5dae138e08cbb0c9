"""TensorFlow checkpoints: published layouts, exchange with TensorFlow, and missing or damaged files."""

import os
import shutil

import ml_dtypes
import numpy as np
import pytest
import tensorflow as tf

from tfplm.core.checkpoints import Tensor, open_checkpoint, write_tf1
from tfplm.core.checkpoints.tf1 import is_weight


@pytest.fixture
def arrays():
    random = np.random.default_rng(0)
    return {"bert/embeddings/word_embeddings": random.normal(size=(7, 4)).astype(np.float32),
            "bert/encoder/layer_0/attention/self/query/kernel": random.normal(size=(4, 4)).astype(np.float32).T,
            "bert/pooler/dense/bias": random.normal(size=4).astype(ml_dtypes.bfloat16),
            "cls/scale": np.float32(2.5),
            "bert/embeddings/position_ids": np.arange(5)}


def equal(checkpoint, arrays):
    assert sorted(checkpoint) == sorted(arrays)
    for name, array in arrays.items():
        assert (checkpoint.shape(name), checkpoint.dtype(name)) == (array.shape, array.dtype)
        np.testing.assert_array_equal(checkpoint[name], array)
    return True


def test_bert_toy_without_its_adam_slots(data):
    folder = data("tiny_checkpoints", "bert_toy")
    assert (folder / "bert_model.ckpt.data-00000-of-00001").stat().st_size == 8420
    checkpoint = open_checkpoint(folder)
    assert checkpoint.layout == "tf1" and checkpoint.path == folder / "bert_model.ckpt"
    assert sum(np.prod(checkpoint.shape(name)) for name in checkpoint.names()) == 701
    assert not [name for name in checkpoint if "adam" in name or name == "global_step"]
    assert checkpoint.shape("bert/embeddings/word_embeddings") == (15, 4)
    assert sum(checkpoint[name].nbytes for name in checkpoint) == 4 * 701
    for path in ("bert_model.ckpt", "bert_model.ckpt.index", "bert_model.ckpt.data-00000-of-00001"):
        assert open_checkpoint(folder / path).names() == checkpoint.names()


@pytest.mark.parametrize("name, numbers", [("gpt2_toy", 57420 // 4), ("xlnet_toy_pre", 4060 // 4)])
def test_other_toys(data, name, numbers):
    checkpoint = open_checkpoint(data("tiny_checkpoints", name))
    assert sum(np.prod(checkpoint.shape(name)) for name in checkpoint) == numbers
    assert all(checkpoint.dtype(name) == np.float32 for name in checkpoint)


def test_tensorflow_reads_what_is_written(tmp_path, arrays):
    prefix = write_tf1(tmp_path / "模型.ckpt", arrays.items())
    assert sorted(os.listdir(tmp_path)) == ["checkpoint", "模型.ckpt.data-00000-of-00001", "模型.ckpt.index"]
    assert tf.train.latest_checkpoint(str(tmp_path)) == str(prefix)
    reader = tf.train.load_checkpoint(str(tmp_path))
    assert sorted(reader.get_variable_to_shape_map()) == sorted(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(reader.get_tensor(name), array)
    assert equal(open_checkpoint(tmp_path), arrays)


def test_several_data_files_replace_older_ones(tmp_path, arrays):
    write_tf1(tmp_path / "model.ckpt", {"old": np.zeros(3)})
    write_tf1(tmp_path / "model.ckpt", arrays, max_shard_bytes=64)
    assert sorted(os.listdir(tmp_path)) == ["checkpoint", "model.ckpt.data-00000-of-00003",
                                            "model.ckpt.data-00001-of-00003", "model.ckpt.data-00002-of-00003",
                                            "model.ckpt.index"]
    assert equal(open_checkpoint(tmp_path), arrays)
    write_tf1(tmp_path / "model.ckpt", open_checkpoint(tmp_path))  # onto the files that are being read
    assert len(os.listdir(tmp_path)) == 3 and equal(open_checkpoint(tmp_path), arrays)


def test_a_failure_keeps_the_old_files(tmp_path, arrays):
    write_tf1(tmp_path / "model.ckpt", arrays)
    before = sorted(os.listdir(tmp_path))

    def fail():
        raise OSError("no space left on device")

    lazy = {"new": np.zeros(20), "last": Tensor((9,), np.dtype(np.float32), fail)}
    with pytest.raises(OSError, match="no space left"):
        write_tf1(tmp_path / "model.ckpt", lazy, max_shard_bytes=64)
    assert sorted(os.listdir(tmp_path)) == before and equal(open_checkpoint(tmp_path), arrays)


def test_object_checkpoints_of_tf2(tmp_path):
    layer, optimizer = tf.keras.layers.Dense(2), tf.keras.optimizers.Adam()
    layer.build((None, 3))
    optimizer.build(layer.trainable_variables)
    tf.train.Checkpoint(model=layer, optimizer=optimizer).save(str(tmp_path / "ckpt"))
    checkpoint = open_checkpoint(tmp_path)
    assert sorted(checkpoint.shape(name) for name in checkpoint) == [(2,), (3, 2)]
    assert all(name.startswith("model/") for name in checkpoint)


@pytest.mark.parametrize("name, weight", [
    ("w", True), ("w/adam_m", False), ("w/adam_v", False), ("w/Adam", False), ("w/Adam_1", False),
    ("w/LAMB", False), ("w/LAMB/lamb_m", False), ("w_slot_vr", False), ("w/ExponentialMovingAverage", False),
    ("w/adam_m/adam_v", False), ("v/adam_m", True), ("w/kernel", True), ("Adam", True),
    ("global_step", False), ("training/beta1_power", False), ("beta2_power_1", False), ("optimizer/iter", False),
    ("save_counter/.ATTRIBUTES/VARIABLE_VALUE", False), ("model/global_step_embedding", True),
    ("w/.OPTIMIZER_SLOT/optimizer/m/.ATTRIBUTES/VARIABLE_VALUE", False),
])
def test_weights_and_optimizer_variables(name, weight):
    assert is_weight(name, ["w", name]) == weight


def test_the_latest_of_several(tmp_path, arrays):
    write_tf1(tmp_path / "model.ckpt-200", {"a": np.zeros(2)})
    write_tf1(tmp_path / "model.ckpt-100", arrays)
    assert open_checkpoint(tmp_path).path.name == "model.ckpt-100"
    (tmp_path / "checkpoint").write_text('model_checkpoint_path: "gs://bucket/run/model.ckpt-200"\n')
    assert open_checkpoint(tmp_path).path.name == "model.ckpt-200"
    for text in ('model_checkpoint_path: "model.ckpt-300"\n', None):
        (tmp_path / "checkpoint").write_text(text) if text else (tmp_path / "checkpoint").unlink()
        with pytest.raises(ValueError, match=r"several checkpoints: model.ckpt-100, model.ckpt-200"):
            open_checkpoint(tmp_path)
    assert equal(open_checkpoint(tmp_path / "model.ckpt-100"), arrays)


def test_missing_data_file(tmp_path, arrays):
    write_tf1(tmp_path / "model.ckpt", arrays, max_shard_bytes=64)
    (tmp_path / "model.ckpt.data-00001-of-00003").unlink()
    with pytest.raises(FileNotFoundError, match=r"model.ckpt.index exists, but not model.ckpt.data-00001-of-00003"):
        open_checkpoint(tmp_path)
    for path in tmp_path.glob("*.data-*"):
        path.unlink()
    with pytest.raises(FileNotFoundError, match=r"exists, but not model.ckpt.data-00000-of-00001.*put the data file"):
        open_checkpoint(tmp_path)


def test_missing_index(tmp_path, arrays):
    write_tf1(tmp_path / "model.ckpt", arrays)
    (tmp_path / "model.ckpt.index").unlink()
    with pytest.raises(FileNotFoundError, match=r"model.ckpt.index is missing"):
        open_checkpoint(tmp_path / "model.ckpt.data-00000-of-00001")


def test_truncated(tmp_path, data):
    folder = shutil.copytree(data("tiny_checkpoints", "bert_toy"), tmp_path / "bert", copy_function=shutil.copyfile)
    for end, opens in ((".data-00000-of-00001", True), (".index", False)):
        path = folder / f"bert_model.ckpt{end}"
        path.write_bytes(path.read_bytes()[:1000])
        message = "cannot be read .*data file is truncated" if opens else "cannot be read as a TensorFlow checkpoint"
        with pytest.raises(ValueError, match=message):
            [*open_checkpoint(folder).values()]

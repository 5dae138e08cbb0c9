"""Reading MNIST's files, and the errors for missing and damaged ones."""

import gzip
import importlib.util
import struct
import sys

import numpy as np
import pytest

from tfplm.data import mnist
from tfplm.data.mnist import FILES, load_mnist, read_idx, read_idx_folder, write_idx


def idx(array: np.ndarray) -> bytes:
    return struct.pack(f">{array.ndim + 1}I", 0x800 | array.ndim, *array.shape) + array.tobytes()


@pytest.fixture
def arrays() -> dict[str, np.ndarray]:
    generator = np.random.default_rng(0)
    counts = {"train": 12, "test": 5}
    return {f"{split}_{name}": generator.integers(0, high, (count, *shape), np.uint8)
            for split, count in counts.items() for name, high, shape in (("images", 256, (28, 28)), ("labels", 10, ()))}


@pytest.fixture
def folder(tmp_path, arrays):
    for part, name in FILES.items():
        (tmp_path / f"{name}.gz").write_bytes(gzip.compress(idx(arrays[part])))
    return tmp_path


@pytest.mark.parametrize("form", ["{}.gz", "{}", "dot"])
def test_four_files_compressed_or_not(folder, arrays, form):
    for name in FILES.values():
        content = (folder / f"{name}.gz").read_bytes()
        (folder / f"{name}.gz").unlink()
        target = name.replace("-idx", ".idx") if form == "dot" else form.format(name)
        (folder / target).write_bytes(content if form == "{}.gz" else gzip.decompress(content))
    data = load_mnist(folder)
    for part, array in arrays.items():
        np.testing.assert_array_equal(getattr(data, part), array)
    assert str(folder) in data.source


def test_the_real_files(data):
    found = read_idx_folder(data("mnist"))
    assert found.train_images.shape == (60000, 28, 28) and found.test_images.shape == (10000, 28, 28)
    assert found.train_labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert found.test_labels[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    assert found.train_images.mean() == pytest.approx(33.318, abs=0.001)


def test_missing_files_are_named(folder):
    (folder / f"{FILES['test_labels']}.gz").unlink()
    with pytest.raises(FileNotFoundError, match=r"no t10k-labels-idx1-ubyte; expected the four idx files of MNIST"):
        load_mnist(folder)
    with pytest.raises(NotADirectoryError, match="t10k-images-idx3-ubyte.gz is a file; expected the folder of the four"):
        load_mnist(folder / f"{FILES['test_images']}.gz")


@pytest.mark.parametrize(("content", "message"), [
    (struct.pack(">IIII", 2052, 1, 28, 28) + bytes(784), r"magic number is 2052 \(not of an MNIST file\); .* 2051"),
    (idx(np.zeros(3, np.uint8)), r"magic number is 2049 \(that of labels\); expected 2051 for images"),
    (b"<html>", "magic number is 1013478509"),
    (b"", "magic number is 0"),
    (struct.pack(">IIII", 2051, 2, 28, 28) + bytes(1500), "1500 bytes of images follow the header; expected 1568"),
    (struct.pack(">IIII", 2051, 1, 28, 28) + bytes(785), "785 bytes of images follow the header; expected 784"),
    (struct.pack(">II", 2051, 1), "0 bytes of images follow the header"),
])
def test_damaged_files(tmp_path, content, message):
    path = tmp_path / FILES["train_images"]
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_idx(path, "images")


@pytest.mark.parametrize("damage", ["cut off", "changed", "not gzip"])
def test_damaged_gzip(folder, damage):
    path = folder / f"{FILES['train_images']}.gz"
    content = bytearray(path.read_bytes())
    if damage == "changed":
        content[-6] ^= 255  # the checksum
    path.write_bytes({"cut off": content[:-200], "changed": content, "not gzip": b"plain"}[damage])
    with pytest.raises(ValueError, match=r"broken gzip file .*; download it again"):
        load_mnist(folder)


def test_counts_and_sizes_must_agree(folder, arrays):
    path = folder / f"{FILES['train_labels']}.gz"
    path.write_bytes(gzip.compress(idx(arrays["train_labels"][:-1])))
    with pytest.raises(ValueError, match="12 train images but 11 labels; expected one label for each image"):
        load_mnist(folder)
    path.write_bytes(gzip.compress(idx(arrays["train_labels"] + 1)))
    with pytest.raises(ValueError, match=r"with labels up to 10; expected \(28, 28\) and labels 0 to 9"):
        load_mnist(folder)


def test_the_digits_of_scikit_learn():
    pytest.importorskip("sklearn")
    data = mnist.digits()
    assert data.train_images.shape == (1500, 28, 28) and data.test_images.shape == (297, 28, 28)
    assert data.train_images.dtype == np.uint8 and data.train_images.max() == 255
    assert "not MNIST" in data.source


def test_without_a_folder(monkeypatch, caplog, folder):
    def offline(folder, download):
        raise ConnectionError("no network")

    monkeypatch.delenv("TFPLM_DATA", raising=False)
    monkeypatch.setattr(mnist, "_from_tensorflow_datasets", offline)
    if importlib.util.find_spec("sklearn"):
        assert len(load_mnist().train_labels) == 1500
        assert "could not be downloaded (ConnectionError: no network); using scikit-learn's" in caplog.text
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(FileNotFoundError, match=r"no network.*Give --data-dir.*pip install scikit-learn"):
        load_mnist()
    (folder / "mnist").mkdir()
    for path in folder.glob("*.gz"):
        path.rename(folder / "mnist" / path.name)
    monkeypatch.setenv("TFPLM_DATA", str(folder))
    assert len(load_mnist().train_labels) == 12


@pytest.mark.parametrize("exists", [True, False])
def test_an_empty_or_missing_folder_is_filled_once(tmp_path, arrays, monkeypatch, exists):
    prepare(tmp_path / "downloaded", arrays)
    calls, real = [], mnist._from_tensorflow_datasets

    def download(folder, download):
        calls.append((folder, download))
        return real(tmp_path / "downloaded", download=False)

    monkeypatch.setattr(mnist, "_from_tensorflow_datasets", download)
    target = tmp_path / "a" / "MNIST_DATA"
    if exists:
        target.mkdir(parents=True)
    first, second = load_mnist(target), load_mnist(str(target))
    assert calls == [(None, True)] and str(target) in first.source
    assert sorted(path.name for path in target.iterdir()) == sorted(f"{name}.gz" for name in FILES.values())
    for part, array in arrays.items():
        np.testing.assert_array_equal(getattr(first, part), getattr(second, part))
        np.testing.assert_array_equal(np.sort(getattr(first, part), axis=0), np.sort(array, axis=0))


@pytest.mark.parametrize("exists", [True, False])
def test_offline_the_message_names_the_files_and_their_folder(tmp_path, monkeypatch, exists):
    def offline(folder, download):
        raise ConnectionError("no network")

    monkeypatch.setattr(mnist, "_from_tensorflow_datasets", offline)
    target = tmp_path / "MNIST_DATA"
    if exists:
        target.mkdir()
    with pytest.raises(FileNotFoundError) as caught:
        load_mnist(target)
    message = str(caught.value)
    assert message.startswith(f"{target} {'is empty' if exists else 'does not exist'}, and MNIST could not be downloaded")
    assert "ConnectionError: no network" in message and message.endswith(f"into {target}")
    assert all(name in message for name in FILES.values()) and "expected the four idx files there: put" in message
    assert target.exists() == exists and not any(tmp_path.glob("*/*")), "nothing is left behind"


def test_a_folder_of_other_files_is_not_filled(tmp_path):
    (tmp_path / "novel.txt").write_text("mine")
    with pytest.raises(FileNotFoundError, match="no train-images-idx3-ubyte, .*expected the four idx files of MNIST"):
        load_mnist(tmp_path)


@pytest.mark.parametrize("kind", ["images", "labels"])
def test_written_files_are_read_back(tmp_path, arrays, kind):
    write_idx(tmp_path / "file.gz", arrays[f"test_{kind}"])
    assert gzip.decompress((tmp_path / "file.gz").read_bytes()) == idx(arrays[f"test_{kind}"])
    np.testing.assert_array_equal(read_idx(tmp_path / "file.gz", kind), arrays[f"test_{kind}"])


def test_a_folder_of_tensorflow_datasets(tmp_path, arrays):
    prepare(tmp_path, arrays)
    found = load_mnist(tmp_path)
    for part, array in arrays.items():
        np.testing.assert_array_equal(np.sort(getattr(found, part), axis=0), np.sort(array, axis=0))


def prepare(root, arrays):
    """Makes a prepared folder in the layout of `tfds`: features, info and TFRecords."""
    tfds = pytest.importorskip("tensorflow_datasets")
    features = tfds.features.FeaturesDict({"image": tfds.features.Image(shape=(28, 28, 1)),
                                           "label": tfds.features.ClassLabel(num_classes=10)})
    folder = root / "mnist" / "3.0.1"
    folder.mkdir(parents=True)
    splits = []
    for split, count in (("train", 12), ("test", 5)):
        with mnist_writer(folder / f"mnist-{split}.tfrecord-00000-of-00001") as writer:
            for image, label in zip(arrays[f"{split}_images"], arrays[f"{split}_labels"]):
                writer.write(features.serialize_example({"image": image[..., None], "label": int(label)}))
        splits.append(tfds.core.SplitInfo(name=split, shard_lengths=[count], num_bytes=1))
    tfds.folder_dataset.write_metadata(data_dir=folder, features=features, split_infos=splits,
                                       filename_template="{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}")
    info = (folder / "dataset_info.json").read_text()
    (folder / "dataset_info.json").write_text(info.replace('"my_dataset"', '"mnist"').replace('"1.0.0"', '"3.0.1"'))


def mnist_writer(path):
    import tensorflow as tf

    return tf.io.TFRecordWriter(str(path))

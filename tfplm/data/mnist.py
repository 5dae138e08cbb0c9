"""MNIST: 28 x 28 grey images of handwritten digits, from idx files, from tensorflow-datasets, or a small stand-in."""

import dataclasses
import gzip
import logging
import os
import zlib
from pathlib import Path

import numpy as np
import tensorflow as tf

from tfplm.core.files import replacing
from tfplm.options.mnist import MnistOptions

log = logging.getLogger(__name__)
FILES = {"train_images": "train-images-idx3-ubyte", "train_labels": "train-labels-idx1-ubyte",
         "test_images": "t10k-images-idx3-ubyte", "test_labels": "t10k-labels-idx1-ubyte"}
MAGIC = {2049: "labels", 2051: "images"}  # 0x08 for uint8, then the number of dimensions
URL = "https://storage.googleapis.com/cvdf-datasets/mnist/"
WHAT_TO_GET = f"{', '.join(FILES.values())}, each with .gz or without, from {URL}"


@dataclasses.dataclass(frozen=True)
class Mnist:
    """Images uint8 `[N, 28, 28]`, labels uint8 `[N]` in 0..9; `source` describes their origin in words."""

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
    source: str


def _content(path: Path) -> bytes:
    try:
        data = path.read_bytes()
        return gzip.decompress(data) if path.suffix == ".gz" else data
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ValueError(f"{path}: broken gzip file ({error}); download it again") from error


def read_idx(path, kind: str) -> np.ndarray:
    """Reads an idx file of uint8, gzip-compressed (`.gz`) or not: images `[N, H, W]` or labels `[N]`.

    Raises ValueError if the magic number is not that of `kind` ("images" or "labels"), the file is shorter or longer
    than its header states, or the gzip checksum does not match.
    """
    path = Path(path)
    content = _content(path)
    magic = int.from_bytes(content[:4], "big")
    if MAGIC.get(magic) != kind:
        wanted = next(number for number, name in MAGIC.items() if name == kind)
        what = f"that of {MAGIC[magic]}" if magic in MAGIC else "not of an MNIST file"
        raise ValueError(f"{path}: the magic number is {magic} ({what}); expected {wanted} for {kind}: give the right "
                         "file, or download it again")
    header = 4 + 4 * (magic & 0xFF)
    shape = np.frombuffer(content[4:header], ">u4").astype(int).tolist()
    size = int(np.prod(shape))
    if len(shape) != magic & 0xFF or len(content) - header != size:
        raise ValueError(f"{path}: {max(0, len(content) - header)} bytes of {kind} follow the header; expected {size} "
                         f"for the shape {shape}. The file is cut off or damaged: download it again")
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)


def _find(folder: Path, name: str) -> Path | None:
    """The file with this name, compressed or not; some mirrors write a dot for the last dash."""
    for spelling in (name, name.replace("-idx", ".idx")):
        for path in (folder / spelling, folder / f"{spelling}.gz"):
            if path.is_file():
                return path
    return None


def write_idx(path, array: np.ndarray) -> None:
    """Writes uint8 images or labels as a gzip-compressed idx file, which `read_idx` reads."""
    header = (0x800 | array.ndim).to_bytes(4, "big") + np.array(array.shape, ">u4").tobytes()
    Path(path).write_bytes(gzip.compress(header + array.astype(np.uint8).tobytes(), compresslevel=6, mtime=0))


def read_idx_folder(folder) -> Mnist:
    """Reads the four idx files of a folder. Raises FileNotFoundError, naming the missing files, or ValueError."""
    folder = Path(folder)
    paths = {part: _find(folder, name) for part, name in FILES.items()}
    if missing := [FILES[part] for part, path in paths.items() if path is None]:
        raise FileNotFoundError(f"{folder}: no {', '.join(missing)}; expected the four idx files of MNIST: {WHAT_TO_GET}")
    arrays = {part: read_idx(path, part.split("_")[1]) for part, path in paths.items()}
    for split in ("train", "test"):
        images, labels = arrays[f"{split}_images"], arrays[f"{split}_labels"]
        if len(images) != len(labels):
            raise ValueError(f"{folder}: {len(images)} {split} images but {len(labels)} labels; expected one label for "
                             "each image. The files are not of one data set")
        if images.shape[1:] != (28, 28) or labels.max(initial=0) > 9:
            raise ValueError(f"{folder}: {split} images of {images.shape[1:]} pixels with labels up to "
                             f"{labels.max(initial=0)}; expected (28, 28) and labels 0 to 9")
    return Mnist(**arrays, source=f"idx files in {folder}")


def _from_tensorflow_datasets(folder, download: bool) -> Mnist:
    import tensorflow_datasets as tfds

    parts = tfds.load("mnist", data_dir=folder, download=download, batch_size=-1)
    arrays = {f"{split}_{name}s": np.asarray(parts[split][name]).squeeze() for split in ("train", "test")
              for name in ("image", "label")}
    arrays = {name: array.astype(np.uint8) for name, array in arrays.items()}
    return Mnist(**arrays, source="tensorflow-datasets" + (f" in {folder}" if folder else ""))


def digits() -> Mnist:
    """The 1,797 digits of 8 x 8 pixels from scikit-learn, enlarged to 28 x 28: 1,500 for training, 297 for testing.

    Raises ModuleNotFoundError if scikit-learn is not installed.
    """
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    images = (images.reshape(-1, 8, 8) * (255 / 16)).round().astype(np.uint8)
    images = np.pad(images.repeat(3, axis=1).repeat(3, axis=2), [(0, 0), (2, 2), (2, 2)])
    labels = labels.astype(np.uint8)
    return Mnist(images[:1500], labels[:1500], images[1500:], labels[1500:],
                 source="scikit-learn's 8 x 8 digits, enlarged: a small stand-in, not MNIST")


def _reason(error: Exception) -> str:
    """An error in one short line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"


def _without_folder() -> Mnist:
    """Tries tensorflow-datasets (prepared folder or download), then scikit-learn's digits."""
    try:
        return _from_tensorflow_datasets(None, download=True)
    except Exception as error:  # no network, a proxy's page, a missing package: all the same to the user
        reason = _reason(error)
    try:
        found = digits()
    except ModuleNotFoundError as error:
        raise FileNotFoundError(f"MNIST was not found: tensorflow-datasets could not provide it ({reason}), and "
                                f"scikit-learn with its small digits is not installed. Give --data-dir, a folder of "
                                f"{WHAT_TO_GET}; or `pip install scikit-learn`") from error
    log.warning("MNIST could not be downloaded (%s); using %s", reason, found.source)
    return found


def _fill(folder: Path) -> None:
    """Writes the four files, from a download by tensorflow-datasets (in its order), all or none."""
    try:
        found = _from_tensorflow_datasets(None, download=True)
    except Exception as error:
        what = "is empty" if folder.is_dir() else "does not exist"
        raise FileNotFoundError(f"{folder} {what}, and MNIST could not be downloaded into it by tensorflow-datasets "
                                f"({_reason(error)}); expected the four idx files there: put {WHAT_TO_GET} into {folder}"
                                ) from error
    with replacing(folder) as temporary:
        temporary.mkdir()
        for part, name in FILES.items():
            write_idx(temporary / f"{name}.gz", getattr(found, part))


def load_mnist(data_dir=None) -> Mnist:
    """Loads MNIST from `data_dir`: the four idx files, compressed or not, or a folder prepared by tensorflow-datasets.

    An empty or missing folder is filled with the four files first, by a download. Without `data_dir`:
    `$TFPLM_DATA/mnist`, then tensorflow-datasets (its prepared folder, or a download), then, offline, the digits included
    in scikit-learn, with a warning.

    Raises FileNotFoundError, naming the files, if some of them are missing or nothing could be downloaded, and ValueError
    for damaged ones.
    """
    if data_dir is None:
        default = Path(os.environ.get("TFPLM_DATA", ""), "mnist")
        return read_idx_folder(default) if os.environ.get("TFPLM_DATA") and default.is_dir() else _without_folder()
    folder = Path(data_dir).expanduser()
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(f"{folder} is a file; expected the folder of the four idx files of MNIST: give "
                                 "--data-dir its folder")
    if not folder.is_dir() or not any(folder.iterdir()):
        _fill(folder)
    if not any(_find(folder, name) for name in FILES.values()) and any(folder.glob("mnist/*/dataset_info.json")):
        return _from_tensorflow_datasets(folder, download=False)
    return read_idx_folder(folder)


def images_and_labels(images: np.ndarray, labels: np.ndarray) -> tuple[tf.Tensor, tf.Tensor]:
    """uint8 images [N, 28, 28] and labels [N] as float32 [N, 784] in [0, 1] and int32 [N]."""
    return tf.constant(images.reshape(-1, 784).astype(np.float32) / 255.0), tf.constant(labels.astype(np.int32))


def training_batches(data: Mnist, options: MnistOptions) -> tf.data.Dataset:
    """Infinite batches (images float [B, 784] in [0, 1], labels int32 [B]), shuffled in each pass over the examples."""
    images = tf.constant(data.train_images.reshape(-1, 784))
    labels = tf.constant(data.train_labels.astype(np.int32))
    count = len(labels)
    if options.batch_size > count:
        raise ValueError(f"batch_size is {options.batch_size}; the training set has only {count} examples: lower it")
    # indices are shuffled and batched, and a whole batch is gathered at once: much cheaper than single images
    indices = tf.data.Dataset.range(count).shuffle(count, seed=options.seed).repeat()
    return indices.batch(options.batch_size, drop_remainder=True).map(
        lambda chosen: (tf.cast(tf.gather(images, chosen), tf.float32) / 255.0, tf.gather(labels, chosen))).prefetch(4)


def with_masks(batches: tf.data.Dataset, options: MnistOptions) -> tf.data.Dataset:
    """Batches (images, labels) -> (images, labels, kept), with a dropout mask for each batch: bool [B, hidden].

    As a part of the batch, the mask is divided among devices like the images, so that several train like one.
    """
    def add(step, batch):
        shape, seed = (tf.shape(batch[1])[0], options.hidden_size), (options.seed, step)
        return *batch, tf.random.stateless_uniform(shape, seed) < options.keep_probability

    return batches.enumerate().map(add).prefetch(4)

"""AllenNLP's files of an ELMo: `options.json` and an HDF5 file with the names of TensorFlow 1."""

import os
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np

from tfplm.core.files import naming_the_file, replacing, write_text
from tfplm.models.elmo.options import FILE, ElmoOptions

WEIGHTS = "weights.hdf5"


def find(folder: str | os.PathLike) -> tuple[Path, Path]:
    """The files of options and weights in a folder: `options.json` and `weights.hdf5`, maybe with a prefix.

    Raises FileNotFoundError for a folder without them, and ValueError for one with several.
    """
    folder = Path(folder).expanduser()
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no folder {folder}; expected one with {FILE} and {WEIGHTS}")
    found = []
    for name in (FILE, WEIGHTS):
        files = sorted(folder.glob(f"*{name}"))
        if not files:
            raise FileNotFoundError(f"{folder} has no file *{name}; expected the {FILE} and {WEIGHTS} of an ELMo; copy them "
                                    "there")
        if len(files) > 1:
            raise ValueError(f"{folder} has {len(files)} files *{name} ({files[0].name}, {files[1].name}, ...), expected "
                             "one: use a folder for each model")
        found.append(files[0])
    return found[0], found[1]


def names(options: ElmoOptions) -> Iterator[tuple[str, str, tuple[int, ...]]]:
    """Path of a variable of ours, its name in the file, and its shape there."""
    from tfplm.models.elmo.characters import CHARACTERS

    yield "words/characters", "char_embed", (CHARACTERS, options.character_size)
    for index, (width, count) in enumerate(options.filters):
        yield f"words/convolution_{index}/kernel", f"CNN/W_cnn_{index}", (1, width, options.character_size, count)
        yield f"words/convolution_{index}/bias", f"CNN/b_cnn_{index}", (count,)
    size = sum(count for _, count in options.filters)
    for index in range(options.highways):
        for part in ("carry", "transform"):
            yield f"words/highway_{index}/{part}/kernel", f"CNN_high_{index}/W_{part}", (size, size)
            yield f"words/highway_{index}/{part}/bias", f"CNN_high_{index}/b_{part}", (size,)
    yield "words/project/kernel", "CNN_proj/W_proj", (size, options.projection)
    yield "words/project/bias", "CNN_proj/b_proj", (options.projection,)
    for side, path in enumerate(("forward", "backward")):
        for index in range(options.layers):
            cell = f"RNN_{side}/RNN/MultiRNNCell/Cell{index}/LSTMCell"
            yield f"{path}/cell_{index}/kernel", f"{cell}/W_0", (2 * options.projection, 4 * options.units)
            yield f"{path}/cell_{index}/bias", f"{cell}/B", (4 * options.units,)
            yield f"{path}/cell_{index}/projection", f"{cell}/W_P_0", (options.units, options.projection)


def read(path: Path, options: ElmoOptions, options_file: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Path of a variable of ours -> its values. Raises ValueError if a tensor is missing or has another shape."""
    with naming_the_file(path):
        try:
            file = h5py.File(path, "r")
        except OSError as error:
            raise ValueError(f"{path} is no HDF5 file ({error}); expected the weights of an ELMo: the file is truncated "
                             "or of another format; fetch it again") from None
        with file:
            for ours, theirs, shape in names(options):
                if theirs not in file or not isinstance(file[theirs], h5py.Dataset):
                    raise ValueError(f"{path} has no tensor {theirs}, which {options_file.name} asks for: the files do not "
                                     "belong together; fetch both from one place")
                if file[theirs].shape != shape:
                    raise ValueError(f"{path}: {theirs} has the shape {list(file[theirs].shape)}, expected {list(shape)} by "
                                     f"{options_file.name}: the files do not belong together; fetch both from one place")
                values = np.asarray(file[theirs][...], np.float32)
                yield ours, values[0] if len(shape) == 4 else values


def write(folder: str | os.PathLike, options: ElmoOptions, values: dict[str, np.ndarray]) -> None:
    """Writes both files. values: path of a variable of ours -> its values."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with replacing(folder / WEIGHTS) as temporary, h5py.File(temporary, "w") as file:
        for ours, theirs, shape in names(options):
            file.create_dataset(theirs, data=np.asarray(values[ours], np.float32).reshape(shape))
    write_text(folder / FILE, options.to_json())

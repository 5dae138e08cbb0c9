"""Sessions: a file for another program, opened and run by that program's own runtime."""

import abc
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np


class Session(abc.ABC):
    """`session(batch)`: a dict of arrays -> a dict of the outputs, NumPy arrays.

    Attributes:
        inputs: name of each input -> its NumPy dtype.
        outputs: names of the outputs, in the file's order.
        parts: names of further functions in the same file, see `part`.
        takes_texts, takes_pairs: the file has its tokenizer inside, and a signature for texts, and for pairs of texts.
    """

    inputs: dict[str, np.dtype]
    outputs: tuple[str, ...]
    parts: tuple[str, ...] = ()
    takes_texts = takes_pairs = False

    @abc.abstractmethod
    def run(self, batch: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The outputs for arrays of exactly the names and dtypes of `inputs`. Threads can call it at the same time."""

    def __call__(self, batch: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The outputs of a batch: what the file does not read is left out, and what it reads beside `input_ids` has a
        default: all tokens are real, and of segment 0."""
        batch = {**batch, **{name.replace(".", "_"): array for name, array in batch.items()}}  # names of arguments
        ids = np.asarray(batch["input_ids"])
        defaults = {"attention_mask": np.ones_like, "token_type_ids": np.zeros_like}
        return self.run({name: np.ascontiguousarray(batch[name] if name in batch else defaults[name](ids), dtype)
                         for name, dtype in self.inputs.items()})

    def part(self, name: str) -> "Session":
        """A session of one of the `parts`."""
        raise ValueError(f"there is no function {name}; expected one of {', '.join(self.parts) or 'none'}")

    def texts(self, texts: Sequence[str], pairs: Sequence[str] | None = None, seed: int | None = None) -> dict:
        """The outputs for texts or pairs, NumPy arrays. seed: for sampling. Only if the file takes texts."""
        raise TypeError(f"{type(self).__name__} takes no texts; expected a batch of ids: make it with the tokenizer")

    def generate(self, batch: Mapping[str, np.ndarray], seed: int | None = None) -> np.ndarray:
        """The new tokens that follow prompts. Only for files that generate."""
        raise TypeError(f"{type(self).__name__} does not generate; expected a SavedModel of a language model")


def existing_file(folder: Path, name: str, form: str) -> Path:
    """The file that the writer of a format has put into a folder; a file itself is passed on.

    Raises FileNotFoundError if it is not there.
    """
    file = folder / name if folder.is_dir() else folder
    if not file.is_file():
        raise FileNotFoundError(f"there is no {file}; expected a folder that tfplm export --format {form} wrote: export the "
                                "model first")
    return file


def shared_threads() -> int | None:
    """The number of threads that TensorFlow was given, as by a server with several workers; None if it chooses itself."""
    import tensorflow as tf

    return tf.config.threading.get_intra_op_parallelism_threads() or int(os.environ.get("TF_NUM_INTRAOP_THREADS") or 0) \
        or None

"""Word vectors in word2vec's text layout, which GloVe and fastText write as well."""

import os
from collections.abc import Collection, Iterator

import numpy as np

from tfplm.data.text.text_files import open_bytes


def read_word_vectors(path: str | os.PathLike, wanted: Collection[str] | None = None) -> Iterator[tuple[str, np.ndarray]]:
    """The words of a file and their vectors, float32 `[D]`, in the order of the file.

    A line is a word and its numbers, with blanks between; a first line of two whole numbers (how many, D) may stand
    before. gzip is recognised. Bytes that are not UTF-8 become U+FFFD.

    Args:
        wanted: only these words are parsed, and the others are passed over quickly; None: all.

    Raises:
        ValueError: an empty file, or a line whose vector is not like the first one's; names file and line.
    """
    size = None
    with open_bytes(os.fspath(path)) as file:
        for number, line in enumerate(file, start=1):
            word, _, rest = line.decode("utf-8", "replace").rstrip().partition(" ")
            if number == 1 and word.isdecimal() and rest.strip().isdecimal():
                size = int(rest)
                continue
            if size is None:
                size = len(rest.split())
            if not word or (wanted is not None and word not in wanted):
                continue
            yield word, _vector(rest, size, f"{path}:{number}: {word!r}")
    if size is None:
        raise ValueError(f"{path} is empty: expected lines of a word and its numbers")


def _vector(text: str, size: int, place: str) -> np.ndarray:
    numbers = text.split()
    if len(numbers) != size:
        raise ValueError(f"{place} has {len(numbers)} numbers, expected {size} as in the first line")
    try:
        return np.array(numbers, np.float32)
    except ValueError:
        raise ValueError(f"{place} has a vector that is no row of {size} numbers") from None

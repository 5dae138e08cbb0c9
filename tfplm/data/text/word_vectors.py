"""A reader for word vectors in word2vec's text format, which GloVe and fastText share."""

import codecs
import os
from collections.abc import Collection, Iterator

import numpy as np

from tfplm.data.text.text_files import open_bytes


def read_word_vectors(path: str | os.PathLike,
                      wanted: Collection[str] | None = None) -> Iterator[tuple[str, np.ndarray]]:
    """Yields the words of a file with their vectors, float32 `[D]`, in file order.

    Each line is a word and its numbers, separated by blanks; a header of two integers (the number of words, D) is
    optional. gzip is recognised. Bytes that are not UTF-8 become U+FFFD.

    Args:
        wanted: the words to parse; the others are skipped quickly. None: all words.

    Raises:
        ValueError: the file is empty, or a vector differs in length from the first; the message names file and line.
    """
    size = None
    with open_bytes(os.fspath(path)) as file:
        for number, line in enumerate(file, start=1):
            if number == 1:
                line = line.removeprefix(codecs.BOM_UTF8)
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
        raise ValueError(f"{path} is empty; expected lines of a word and its numbers; give a file of word vectors")


def _vector(text: str, size: int, where: str) -> np.ndarray:
    numbers = text.split()
    if len(numbers) != size:
        raise ValueError(f"{where} has {len(numbers)} numbers, expected {size} as in the first line")
    try:
        return np.array(numbers, np.float32)
    except ValueError:
        raise ValueError(f"{where} has a vector that is not {size} numbers") from None

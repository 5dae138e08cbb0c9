"""Files of word vectors: their formats, told apart by the content."""

import io
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tfplm.core.files import naming_the_file, replacing
from tfplm.core.outputs import check_file, date_of, known_files
from tfplm.data.text.text_files import find_files, open_bytes
from tfplm.data.words import binary_format, fasttext_format, text_format

if TYPE_CHECKING:
    from tfplm.data.words.word_vectors import WordVectors

FORMATS = ("word2vec", "word2vec_binary", "glove", "fasttext", "folder")
_WORDS, _TABLE = "words.txt", "vectors.npy"
_HEAD = 1 << 12


def read(path: str | os.PathLike, limit: int | None, only: frozenset[str] | None, encoding_errors: str) -> tuple[Any, ...]:
    """The arguments of `WordVectors` for a file or folder."""
    path = Path(path).expanduser()
    if encoding_errors not in ("strict", "replace", "ignore"):
        raise ValueError(f"encoding_errors is {encoding_errors!r}, expected 'strict', 'replace' or 'ignore'")
    if limit is not None and limit < 1:
        raise ValueError(f"limit is {limit}, expected a number of words of at least 1, or None for all")
    if path.is_dir():
        found = _read_folder(path, limit, only)
    else:
        (name,) = find_files(str(path)) if not path.exists() else [str(path)]
        with naming_the_file(path), open_bytes(name) as file:
            form = _format(file)
            found = form.read(file, path, limit, only, encoding_errors)
    if len(set(found[0])) != len(found[0]):
        refuse_duplicate(found[0], f"{path}: ")
    return found


def _format(file: io.BufferedReader):
    head = file.peek(_HEAD)[:_HEAD]
    if head.startswith(fasttext_format.MAGIC):
        return fasttext_format
    first, _, rest = head.partition(b"\n")
    cells = first.split()
    numbers = len(cells) == 2 and all(cell.isdigit() for cell in cells)
    # among the bytes of a few float32 numbers, some are control characters, which texts do not have
    return binary_format if numbers and any(byte < 9 or 13 < byte < 32 for byte in rest) else text_format


def refuse_duplicate(words: list[str], where: str = "") -> None:
    """Raises ValueError, which names the first word that is repeated."""
    seen: dict[str, int] = {}
    for index, word in enumerate(words, start=1):
        if word in seen:
            raise ValueError(f"{where}the words {seen[word]:,} and {index:,} are both {word!r}; expected different words: "
                             "delete one of them, or correct the encoding")
        seen[word] = index


def _read_folder(path: Path, limit: int | None, only: frozenset[str] | None) -> tuple[list[str], np.ndarray]:
    if not (path / _WORDS).is_file() or not (path / _TABLE).is_file():
        raise FileNotFoundError(f"{path} lacks {_WORDS} or {_TABLE}; expected a folder of word vectors; give a file in the "
                                "format of word2vec, GloVe or fastText, or what save(..., format='folder') wrote")
    words = (path / _WORDS).read_text(encoding="utf-8").split("\n")[:-1]
    with naming_the_file(path / _TABLE):
        vectors = np.load(path / _TABLE, mmap_mode="r", allow_pickle=False)
    if vectors.ndim != 2 or vectors.dtype != np.float32 or len(vectors) != len(words):
        raise ValueError(f"{path / _TABLE} has {vectors.dtype} numbers of the shape {list(vectors.shape)}, expected float32 "
                         f"[{len(words)}, D] for the lines of {_WORDS}: the files do not belong together; write them again")
    words = words[:limit]
    if only is None:
        return words, vectors[:limit]
    rows = [index for index, word in enumerate(words) if word in only]
    return [words[row] for row in rows], np.array(vectors[rows])


def check_target(path: str | os.PathLike, form: str, overwrite: bool) -> Path:
    """The path of a file or folder that may be written in one of `FORMATS`.

    Raises FileExistsError if it exists, unless `overwrite`; a folder with other files is never written.
    """
    if form != "folder":
        return check_file(path, overwrite)
    path = Path(path).expanduser()
    if (found := known_files(path, (_WORDS, _TABLE))) and not overwrite:
        raise FileExistsError(f"{path} was written before ({date_of(found[0])}); expected a new folder: add --overwrite to "
                              "write it again, or use another --output")
    if found and (others := {file.name for file in path.iterdir()} - {_WORDS, _TABLE}):
        raise FileExistsError(f"{path} has other files as well ({min(others)}); expected {_WORDS} and {_TABLE} alone, as "
                              "the folder is replaced: move them, or use another --output")
    return path


def write(vectors: "WordVectors", path: str | os.PathLike, form: str, overwrite: bool) -> None:
    """Writes a file or folder in one of `FORMATS`."""
    if form not in FORMATS:
        raise ValueError(f"the format is {form!r}, expected one of {', '.join(FORMATS)}")
    _check_words(vectors.index_to_key, form)
    path = check_target(path, form, overwrite)
    with replacing(path) as temporary:
        if form == "folder":
            temporary.mkdir()
            (temporary / _WORDS).write_text("".join(f"{word}\n" for word in vectors.index_to_key), encoding="utf-8",
                                            newline="\n")
            np.save(temporary / _TABLE, np.asarray(vectors.vectors, np.float32))
            shutil.rmtree(path, ignore_errors=True)  # a folder cannot replace one with files
        elif form == "word2vec_binary":
            binary_format.write(temporary, vectors.index_to_key, vectors.vectors)
        elif form == "fasttext":
            whole = vectors.subwords is not None and vectors.subwords.words == len(vectors)
            subwords = vectors.subwords if whole else None
            table = vectors.vectors if subwords is None else subwords.table
            fasttext_format.write(temporary, vectors.index_to_key, table, subwords, vectors.counts)
        else:
            text_format.write(temporary, vectors.index_to_key, vectors.vectors, header=form == "word2vec")


def _check_words(words: list[str], form: str) -> None:
    forbidden = {"folder": "\n\r", "fasttext": "\0"}.get(form, " \n\r")
    for word in words:
        if not word or any(sign in word for sign in forbidden):
            raise ValueError(f"the word {word!r} is empty, or has a space or line end, which the format {form} cannot hold; "
                             "expected other words: replace them, or use format='fasttext'")

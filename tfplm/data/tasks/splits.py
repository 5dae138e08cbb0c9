"""The train, dev and test files of a folder, and the names of its numeric labels."""

import logging
import os
import re
from pathlib import Path

from tfplm.data.tasks.reading import Reading
from tfplm.data.text.text_files import read_lines

log = logging.getLogger(__name__)

_WORDS = {"train": ("train", "training", "trn"), "dev": ("dev", "valid", "validation", "val", "devel", "testa"),
          "test": ("test", "testing", "testb")}
_SECOND = {"train": (), "dev": ("eval",), "test": ("trial",)}  # tried if no file has one of the words above
_NOT_DATA = (".md", ".py", ".sh", ".zip", ".tar", ".tgz", ".tar.gz", ".tfrecord", ".tf_record", ".npy", ".npz", ".h5",
             ".ckpt", ".index", ".log", ".yaml", ".yml")
_SIDES = ("text", "texts", "sentence", "sentences", "source", "src", "input", "inputs", "in", "seq",
          "label", "labels", "tag", "tags", "target", "targets", "tgt", "output", "outputs", "out")
_NAME_FILES = ("class.txt", "classes.txt", "labels.txt", "label.txt", "mapping.txt")


def find_splits(folder: str | os.PathLike, reading: Reading | None = None) -> dict[str, str]:
    """Maps the splits `train`, `dev`, `test` of a folder, as far as present, to sources for `read_examples`.

    A file belongs to a split if its name has a word for it: `train.tsv`, `sts-b-dev.txt`, `example.test`,
    `wnut17train.conll`, `valid.jsonl`. An exact name (`train.tsv`) takes precedence over others
    (`msr_paraphrase_train.txt`), `matched` over `mismatched`. Files with different contents (`train.en` and `train.de`;
    `train_text.txt` and `train_labels.txt`) are read in parallel: "train.en,train.de", in the order of the reading's
    text and target column, else texts before labels, else in alphabetical order.

    Raises ValueError, listing the files, if no file or several files match.
    """
    path = Path(folder)
    if not path.is_dir():
        raise FileNotFoundError(f"there is no folder {folder}; expected one with files such as train.tsv and dev.tsv")
    names = sorted(p.name for p in path.iterdir() if p.is_file() and not p.name.startswith("."))
    data = [name for name in names if not name.lower().endswith(_NOT_DATA)]
    found = {}
    for split, words in _WORDS.items():
        fitting = [name for name in data if _has_word(name, words)] or \
            [name for name in data if _has_word(name, _SECOND[split])]
        if fitting := _choose(fitting, words, reading or Reading()):
            if len(fitting) > 1 and not _side_by_side(fitting):
                raise ValueError(f"{folder}: several files may be the {split} data: {', '.join(fitting)}; name one of "
                                 "them instead of the folder")
            found[split] = ",".join(str(path / name) for name in fitting)
    if not found:
        raise ValueError(f"{folder}: no file is named as train, dev or test data (such as train.tsv); the folder has "
                         f"{', '.join(names) or 'no files'}")
    log.info("%s: %s", folder, "; ".join(f"{split} is {source}" for split, source in found.items()))
    return found


def _tokens(name: str) -> list[str]:
    """The words of a file name: `weiboNER_2nd.conll.train` has weibo, ner, 2, nd, conll, train."""
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name)]


def _has_word(name: str, words: tuple[str, ...]) -> bool:
    return any(token in words for token in _tokens(name))


def _choose(names: list[str], words: tuple[str, ...], reading: Reading) -> list[str]:
    """The file with the best name, or the files to be read in parallel, in order."""
    if len(names) < 2:
        return names
    plain = [name for name in names if name.removesuffix(".gz").rpartition(".")[0].lower() in words]
    if len(plain) == 1:
        return plain
    names = plain or names
    matched = [name for name in names if "matched" in _tokens(name)]
    if len(matched) == 1 and all("mismatched" in _tokens(name) for name in names if name not in matched):
        return matched
    wanted = [column for column in (reading.text_column, reading.pair_column, reading.target_column,
                                    reading.label_column) if column]
    sides = {side_of(name): name for name in names}
    if wanted and len(sides) == len(names) and all(column in sides for column in wanted):
        return [sides[column] for column in wanted]
    return sorted(names, key=lambda name: (_SIDES.index(side_of(name)) if side_of(name) in _SIDES else len(_SIDES), name))


def side_of(name: str) -> str:
    """The content of one of several parallel files: `train.en.gz` gives en, `train_labels.txt` labels."""
    stem, _, ending = os.path.basename(name).removesuffix(".gz").rpartition(".")
    if ending.lower() in ("txt", "text", "tok", "raw") and stem:
        return next((token for token in reversed(_tokens(stem)) if token in _SIDES), stem)
    return ending


def _side_by_side(names: list[str]) -> bool:
    """Returns True if the names differ only by a language or a side."""
    tables = (".tsv", ".csv", ".json", ".jsonl", ".conll", ".bio", ".txt")
    sides = [side_of(name) for name in names]
    if len(set(sides)) < len(sides):
        return False
    rests = {" ".join(token for token in _tokens(name) if token not in (side, "gz"))
             for name, side in zip(names, map(str.lower, sides))}
    bare = [name.removesuffix(".gz") for name in names]
    return len(rests) == 1 and (all(side in _SIDES for side in sides) or not any(n.endswith(tables) for n in bare))


def label_names(files: list[str], labels: set[str], reading: Reading) -> dict[str, str]:
    """Maps numeric labels to names from a file next to the data (or `reading.label_names`).

    Empty if there is no such file. The file has one name per line, in order, or `number<TAB>name`. Raises ValueError if
    the file given by `reading.label_names` does not fit the labels.
    """
    if reading.label_names == "none" or not labels or not all(re.fullmatch(r"\d+", label) for label in labels):
        return {}
    given = reading.label_names
    paths = [given] if given else [str(Path(files[0]).parent / name) for name in _NAME_FILES] if files else []
    for path in paths:
        if not os.path.isfile(path) or any(os.path.samefile(path, file) for file in files if os.path.isfile(file)):
            if given:
                raise FileNotFoundError(f"there is no file {given} (--label-names); expected a file with one name per "
                                        "line")
            continue
        names = _read_names(path, reading.encoding)
        if names and labels <= set(names) and len(set(names.values())) == len(names):
            log.info("the names of the labels are from %s: 0 is %s", path, names.get("0"))
            return names
        if given:
            raise ValueError(f"{given}: {len(names)} names for the labels {', '.join(sorted(labels, key=int)[:20])}; "
                             "expected a different name for each, one per line")
    return {}


def _read_names(path: str, encoding: str) -> dict[str, str]:
    lines = [line.strip() for line in read_lines(path, encoding) if line.strip()]
    cells = [line.split("\t") for line in lines]
    if all(len(row) > 1 and row[0].strip().isdecimal() for row in cells):
        return {row[0].strip(): row[1].strip() for row in cells}
    return {str(index): line for index, line in enumerate(lines)} if all(len(row) == 1 for row in cells) else {}

"""The reader of labelled data, for all supported formats."""

import dataclasses
import logging
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, get_args

from tfplm.data.tasks.build import tagged_examples, target_examples, text_examples
from tfplm.data.tasks.choices import choice_examples
from tfplm.data.tasks.columns import rows_of_split
from tfplm.data.tasks.conll import read_conll
from tfplm.data.tasks.dataset_rows import read_dataset
from tfplm.data.tasks.examples import ChoiceExample, QuestionExample, TaggedExample, TargetExample, TextExample
from tfplm.data.tasks.json_rows import is_json, read_json, rows_table
from tfplm.data.tasks.questions import question_examples
from tfplm.data.tasks.reading import Kind, Reader, Reading, Report, Row, Table
from tfplm.data.tasks.splits import find_splits, label_names, side_of
from tfplm.data.tasks.tables import lines_table, read_table
from tfplm.data.text.text_files import find_files

log = logging.getLogger(__name__)

_EXAMPLES: dict[str, tuple[type, Callable[[Table, Reader], list]]] = {
    "text": (TextExample, text_examples), "tagging": (TaggedExample, tagged_examples),
    "question": (QuestionExample, question_examples), "choice": (ChoiceExample, choice_examples),
    "target": (TargetExample, target_examples)}
# the meanings of the values of a tuple, in order
_TUPLES = {"text": ("text", "pair", "label"), "tagging": ("tokens", "tags"), "choice": ("text", "choices", "label"),
           "question": ("question", "context", "answers"), "target": ("text", "target")}


def read_examples(source: str | os.PathLike | Iterable, kind: Kind, reading: Reading | None = None,
                  split: str | None = "train", report: Report | None = None) -> list:
    """Reads examples of a kind: `text`, `tagging`, `question`, `choice` or `target` (see `tasks.examples`).

    Args:
        source: a file (TSV, CSV, JSON lines, JSON, CoNLL, gzip files of these, `-`), a glob, a folder (of which the
            file of the split is read, see `find_splits`), parallel files "train.en,train.de" or "texts.txt,labels.txt",
            `tfds:NAME[:SPLIT]`, or an iterable of examples, dicts, or tuples: (text, label), (text, pair, label),
            (words, tags), (question, context, answers), (text, choices, label), (text, target).
        reading: settings that override the automatic detection.
        split: selects a file of a folder, the rows of a file with a split column, or a part of a `tfds:` data set.
            None: all rows.
        report: filled with counts.

    Raises FileNotFoundError for a wrong path, and ValueError for an empty source, a missing column, and a bad row, with
    its file and line; with `reading.skip_bad_rows`, bad rows are skipped and counted.
    """
    if kind not in get_args(Kind):
        raise ValueError(f"kind {kind!r}: expected {', '.join(get_args(Kind))}")
    reader = Reader(reading or Reading(), Report() if report is None else report)
    files: list[str] = []
    if isinstance(source, (str, os.PathLike)):
        examples: list = []
        for table, names in _tables(os.fspath(source), kind, reader, split):
            table = rows_of_split(table, reader.reading, split)
            examples += _EXAMPLES[kind][1](table, reader)
            files += names
        name = str(source)
    else:
        examples, name = _from_python(source, kind, reader), "the examples"
    if not examples:
        why = f"all {reader.report.skipped} rows are bad; the first: {reader.report.reasons[0]}" \
            if reader.report.skipped else "there is none"
        raise ValueError(f"{name}: no {kind} example could be read: {why}")
    if kind == "text":
        examples = _named_labels(examples, files, reader.reading)
    reader.report.rows += len(examples)
    reader.summarise(name)
    return examples


def _tables(source: str, kind: Kind, reader: Reader, split: str | None):
    """(table, its files) for every file of a source."""
    if source.startswith("tfds:"):
        yield read_dataset(source.removeprefix("tfds:"), split), []
    elif "," in source and not Path(source).exists():
        files = [file for part in source.split(",") for file in find_files(part.strip())]
        yield lines_table(files, _side_columns(files, kind), reader), files
    elif source == "-":
        yield _file_table("-", kind, reader), []
    elif Path(source).expanduser().is_dir():
        splits = find_splits(Path(source).expanduser(), reader.reading)
        for name in [split] if split else splits:
            if name not in splits:
                raise ValueError(f"{source}: the folder has no {name} data, only {', '.join(splits)}; name a file")
            yield from _tables(splits[name], kind, reader, split)
    else:
        for file in find_files(source):
            yield _file_table(file, kind, reader), [file]


def _file_table(name: str, kind: Kind, reader: Reader) -> Table:
    if name != "-" and is_json(name, reader.reading.encoding):
        return read_json(name, reader)
    if kind == "tagging" and not name.lower().removesuffix(".gz").endswith(".csv"):
        return read_conll(name, reader)
    if kind in ("question",) and not name.lower().removesuffix(".gz").endswith((".csv", ".tsv")):
        raise ValueError(f"{name}: expected questions as JSON (SQuAD's layout, or one object per line), or as a table "
                         "with columns question, context and answer named .tsv or .csv")
    return read_table(name, reader)


def _side_columns(files: list[str], kind: Kind) -> list[str]:
    """The columns of parallel files: for targets by file name if those are distinct, else by order."""
    usual = {"text": ("text", "label") if len(files) == 2 else ("text", "pair", "label"), "tagging": ("tokens", "tags"),
             "target": ("text", "target"), "question": ("question", "context", "answer")}.get(kind, ())
    sides = [side_of(file) for file in files]
    if len(usual) != len(files):
        raise ValueError(f"{', '.join(files)}: {len(files)} parallel files for {kind}; expected {len(usual) or 'one'}: "
                         f"{', '.join(usual)}")
    named = kind == "target" and len(set(sides)) == len(sides) and not set(sides) <= {"txt", "source", "target"}
    return sides if named else list(usual)


def _from_python(source: Iterable, kind: Kind, reader: Reader) -> list:
    wanted, build = _EXAMPLES[kind]
    items = list(source)
    if all(isinstance(item, wanted) for item in items):
        return [item if item.origin else dataclasses.replace(item, origin=f"example {index}")
                for index, item in enumerate(items)]
    rows = []
    for index, item in enumerate(items):
        origin = f"example {index}"
        if isinstance(item, wanted):
            raise TypeError(f"{origin} is a {wanted.__name__}, others are not; expected all examples of one type")
        if isinstance(item, str):
            item = (item,)
        if isinstance(item, (tuple, list)):
            item = dict(zip(_tuple_names(kind, item, origin), item))
        rows.append((origin, item))
    return build(rows_table("the examples", rows, reader), reader)


def _tuple_names(kind: Kind, item: Sequence, origin: str) -> tuple[str, ...]:
    names = _TUPLES[kind]
    if kind == "text" and len(item) == 2:
        return "text", "label"
    if len(item) > len(names):
        raise ValueError(f"{origin}: {len(item)} values; expected {', '.join(names)}")
    return names


def _named_labels(examples: list[TextExample], files: list[str], reading: Reading) -> list[TextExample]:
    """Replaces numeric labels by their names if a file next to the data has them."""
    if reading.label_kind == "number":
        return examples

    def labels(example: TextExample) -> tuple[Any, ...]:
        return example.label if isinstance(example.label, tuple) else () if example.label is None else (example.label,)

    names: dict[Any, str] = label_names(files, {label for example in examples for label in labels(example)}, reading)
    if not names:
        return examples
    return [example if example.label is None else dataclasses.replace(
        example, label=tuple(names[label] for label in example.label) if isinstance(example.label, tuple)
        else names[example.label]) for example in examples]


__all__ = ["Reading", "Report", "Row", "find_splits", "read_examples"]

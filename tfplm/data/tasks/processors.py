"""BERT's data processors: classes that read the folder of a task (`run_classifier.py` of google-research/bert).

A processor of a TensorFlow 1 script runs unchanged once its imports are replaced by this module (and by
`tfplm.tokenizers.tokenization`); so does a class that inherits nothing, as long as it has the four methods:

    class MyProcessor(DataProcessor):
        def get_train_examples(self, data_dir):
            return [InputExample(f"train-{i}", row[0], label=row[1])
                    for i, row in enumerate(self._read_tsv(os.path.join(data_dir, "train.tsv")))]
        ...
        def get_labels(self):
            return ["0", "1"]

`PROCESSORS["my"] = MyProcessor` makes it the task "my".
"""

import dataclasses
import os
from collections.abc import Callable, Iterable, Mapping, Sequence

from tfplm.core.suggest import did_you_mean
from tfplm.data.tasks.examples import TextExample
from tfplm.data.tasks.reading import Reader, Reading
from tfplm.data.tasks.tables import split_rows
from tfplm.data.text.text_files import read_lines
from tfplm.tokenizers.tokenization import convert_to_unicode

SPLITS = ("train", "dev", "test")


class InputExample:
    """A text or a pair with a label; `label` is a string or None (for regression a number, or a string of one)."""

    def __init__(self, guid, text_a: str, text_b: str | None = None, label=None):
        self.guid, self.text_a, self.text_b, self.label = guid, text_a, text_b, label


class DataProcessor:
    """Base class of data processors.

    Not abstract: as in BERT, a subclass defines the methods that its script calls; the others raise
    NotImplementedError.
    """

    def get_train_examples(self, data_dir: str) -> list[InputExample]:
        raise NotImplementedError(f"{type(self).__name__} does not define get_train_examples")

    def get_dev_examples(self, data_dir: str) -> list[InputExample]:
        raise NotImplementedError(f"{type(self).__name__} does not define get_dev_examples")

    def get_test_examples(self, data_dir: str) -> list[InputExample]:
        raise NotImplementedError(f"{type(self).__name__} does not define get_test_examples")

    def get_labels(self) -> Sequence[str | None]:
        """All labels, in the order of their ids."""
        raise NotImplementedError(f"{type(self).__name__} does not define get_labels")

    @classmethod
    def _read_tsv(cls, input_file: str, quotechar: str | None = None) -> list[list[str]]:
        """The rows of a TSV file, including the header; quotes are special only if a quote character is given."""
        lines = list(read_lines(os.fspath(input_file), "utf-8", longest=-1))
        reader = Reader(Reading(quoting="csv" if quotechar == '"' else "none"))
        return [row for _, row in split_rows(os.fspath(input_file), lines, "\t", reader)]


@dataclasses.dataclass(frozen=True)
class GlueLayout:
    """The layout of a GLUE task: column indices in train and dev, and in test; labels (None: a number); file names.

    Test files have no labels: BERT's scripts use the first label there, these examples have None.
    """

    text: int
    pair: int | None
    label: int
    test_text: int
    test_pair: int | None
    labels: tuple[str, ...] | None
    dev: str = "dev"
    test: str = "test"
    header: bool = True


class GlueProcessor(DataProcessor):
    """A processor that follows a `GlueLayout`; for regression the labels are [None]."""

    layout: GlueLayout

    def get_train_examples(self, data_dir: str) -> list[InputExample]:
        return self._examples(data_dir, "train", "train")

    def get_dev_examples(self, data_dir: str) -> list[InputExample]:
        return self._examples(data_dir, self.layout.dev, "dev")

    def get_test_examples(self, data_dir: str) -> list[InputExample]:
        return self._examples(data_dir, self.layout.test, "test")

    def get_labels(self) -> Sequence[str | None]:
        return [None] if self.layout.labels is None else list(self.layout.labels)

    def _examples(self, data_dir: str, file: str, split: str) -> list[InputExample]:
        path = os.path.join(data_dir, f"{file}.tsv")
        rows = self._read_tsv(path)
        skip = 1 if split == "test" or self.layout.header else 0
        return [self._example(path, split, index, row) for index, row in enumerate(rows) if index >= skip]

    def _example(self, path: str, split: str, index: int, row: list[str]) -> InputExample:
        layout, test = self.layout, split == "test"
        text, pair = (layout.test_text, layout.test_pair) if test else (layout.text, layout.pair)
        needed = max(text, pair or 0) if test else max(text, pair or 0, layout.label, 1)
        if len(row) <= needed:
            raise ValueError(f"{path}:{index + 1}: found {len(row)} columns, expected at least {needed + 1}; correct the "
                             "row, or read the file with tfplm finetune --skip-bad-rows")
        label = None if test else row[layout.label]
        return InputExample(f"{split}-{index if test else row[0] if self._named else index}", row[text],
                            None if pair is None else row[pair], label)

    _named = False  # True if the first column is the id of the row


def _glue(name: str, doc: str, *layout, named: bool = False, **more) -> type[GlueProcessor]:
    return type(name, (GlueProcessor,), {"layout": GlueLayout(*layout, **more), "_named": named, "__doc__": doc})


_NLI, _TWO = ("contradiction", "entailment", "neutral"), ("0", "1")
_ENTAILS = ("entailment", "not_entailment")
ColaProcessor = _glue("ColaProcessor", "CoLA: linguistic acceptability.", 3, None, 1, 1, None, _TWO, header=False)
MnliProcessor = _glue("MnliProcessor", "MultiNLI, the matched development set.", 8, 9, -1, 8, 9, _NLI, dev="dev_matched",
                      test="test_matched", named=True)
MnliMismatchedProcessor = _glue("MnliMismatchedProcessor", "MultiNLI, the mismatched development set.", 8, 9, -1, 8, 9,
                                _NLI, dev="dev_mismatched", test="test_mismatched", named=True)
MrpcProcessor = _glue("MrpcProcessor", "MRPC: paraphrases.", 3, 4, 0, 3, 4, _TWO)
Sst2Processor = _glue("Sst2Processor", "SST-2: sentiment.", 0, None, 1, 1, None, _TWO)
StsbProcessor = _glue("StsbProcessor", "STS-B: similarity from 0 to 5, a regression.", 7, 8, 9, 7, 8, None, named=True)
QqpProcessor = _glue("QqpProcessor", "QQP: duplicate questions.", 3, 4, 5, 1, 2, _TWO, named=True)
QnliProcessor = _glue("QnliProcessor", "QNLI: question-answering entailment.", 1, 2, -1, 1, 2, _ENTAILS, named=True)
RteProcessor = _glue("RteProcessor", "RTE: entailment.", 1, 2, -1, 1, 2, _ENTAILS, named=True)
WnliProcessor = _glue("WnliProcessor", "WNLI: coreference of a pronoun.", 1, 2, -1, 1, 2, _TWO, named=True)


class XnliProcessor(DataProcessor):
    """XNLI in one language: train on machine-translated MultiNLI, evaluate on `xnli.dev.tsv` and `xnli.test.tsv`."""

    def __init__(self, language: str = "zh"):
        self.language = language

    def get_train_examples(self, data_dir: str) -> list[InputExample]:
        rows = self._read_tsv(os.path.join(data_dir, "multinli", f"multinli.train.{self.language}.tsv"))
        return [InputExample(f"train-{index}", row[0], row[1], "contradiction" if row[2] == "contradictory" else row[2])
                for index, row in enumerate(rows) if index]

    def get_dev_examples(self, data_dir: str) -> list[InputExample]:
        return self._of_language(data_dir, "dev")

    def get_test_examples(self, data_dir: str) -> list[InputExample]:
        return self._of_language(data_dir, "test")

    def get_labels(self) -> list[str]:
        return ["contradiction", "entailment", "neutral"]

    def _of_language(self, data_dir: str, split: str) -> list[InputExample]:
        rows = self._read_tsv(os.path.join(data_dir, f"xnli.{split}.tsv"))
        return [InputExample(f"{split}-{index}", row[6], row[7], row[1])
                for index, row in enumerate(rows) if index and row[0] == self.language]


PROCESSORS: dict[str, type[DataProcessor]] = {
    "cola": ColaProcessor, "mnli": MnliProcessor, "mnli-mm": MnliMismatchedProcessor, "mrpc": MrpcProcessor,
    "xnli": XnliProcessor, "sst-2": Sst2Processor, "sts-b": StsbProcessor, "qqp": QqpProcessor, "qnli": QnliProcessor,
    "rte": RteProcessor, "wnli": WnliProcessor}


def find_processor(task_name: str, processors: Mapping[str, Callable[[], DataProcessor]] = PROCESSORS) -> DataProcessor:
    """The processor for a task name, ignoring case and hyphens. Raises ValueError, listing the names, if unknown."""
    names = {_plain(name): name for name in processors}
    if _plain(task_name) not in names:
        raise ValueError(f"task {task_name!r} not found; there are {', '.join(processors)}"
                         f"{did_you_mean(task_name, processors)}")
    return processors[names[_plain(task_name)]]()


def _plain(task_name: str) -> str:
    return task_name.lower().replace("-", "").replace("_", "")


def processor_examples(processor, data_dir: str, split: str) -> list[TextExample]:
    """The examples of a split ("train", "dev", "test") in the library's own form; those of "test" have no labels.

    processor: any object with `get_SPLIT_examples` and `get_labels`. If `get_labels` returns [None], [] or None, the
    labels become numbers. Raises ValueError if there are no examples, and for a label that `get_labels` does not
    return; but labels of the test split are ignored, because processors invent them.
    """
    found = [example for example in getattr(processor, f"get_{split}_examples")(data_dir) if hasattr(example, "text_a")]
    labels = processor_labels(processor)
    name = type(processor).__name__
    if not found:
        raise ValueError(f"{name}.get_{split}_examples returned no examples of {data_dir}; expected at least one: check "
                         f"the rows of the {split} file, and that the method appends them all")
    return [_text_example(example, None if split == "test" else example.label, labels, f"{name} {split} {example.guid}")
            for example in found]


def processor_labels(processor) -> list[str] | None:
    """The labels in order, as strings; None for regression."""
    labels = list(processor.get_labels() or ())
    return None if not labels or labels == [None] else [_text(label) for label in labels]


def _text_example(example: InputExample, label, labels: Sequence[str] | None, origin: str) -> TextExample:
    if label is not None and labels is None:
        try:
            label = float(label)
        except ValueError:
            raise ValueError(f"{origin}: label {label!r}; expected a number, because get_labels() returns no labels"
                             ) from None
    elif isinstance(label, (list, tuple)):
        label = tuple(map(_text, label))
    elif label is not None:
        label = _text(label)
    if labels is not None and (unknown := set(_as_tuple(label)) - set(labels)):
        raise ValueError(f"{origin}: label {sorted(unknown)[0]!r} is not among get_labels(): {', '.join(labels[:20])}")
    return TextExample(_text(example.text_a), None if example.text_b is None else _text(example.text_b), label,
                       _text(example.guid), origin)


def _as_tuple(label) -> Iterable[str]:
    return () if label is None else label if isinstance(label, tuple) else (label,)


def _text(value) -> str:
    return convert_to_unicode(value) if isinstance(value, bytes) else str(value)

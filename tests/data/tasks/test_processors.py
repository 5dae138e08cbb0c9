import os

import pytest

from tfplm.data.tasks.examples import TextExample
from tfplm.data.tasks.processors import (
    PROCESSORS,
    DataProcessor,
    InputExample,
    find_processor,
    processor_examples,
    processor_labels,
)

LONG = ["index", "promptID", "pairID", "genre", "s1b", "s2b", "s1p", "s2p", "sentence1", "sentence2", "l1", "gold_label"]
# task -> train and dev rows, test rows, the first training example
LAYOUTS = {
    "CoLA": ([["gj04", "1", "", "Our friends."], ["gj04", "0", "*", "One more."]], [["index", "sentence"], ["0", "Bill."]],
             ("Our friends.", None, "1")),
    "MRPC": ([["Quality", "#1 ID", "#2 ID", "#1 String", "#2 String"], ["1", "7", "8", 'He "said" a', "b"]],
             [["index", "#1 ID", "#2 ID", "#1 String", "#2 String"], ["0", "7", "8", "a", "b"]], ('He "said" a', "b", "1")),
    "SST-2": ([["sentence", "label"], ["hide new", "0"]], [["index", "sentence"], ["0", "uneasy"]], ("hide new", None, "0")),
    "QQP": ([["id", "qid1", "qid2", "question1", "question2", "is_duplicate"], ["133", "2", "3", "a?", "b?", "0"]],
            [["id", "question1", "question2"], ["0", "c?", "d?"]], ("a?", "b?", "0")),
    "QNLI": ([["index", "question", "sentence", "label"], ["0", "a?", "b.", "entailment"]],
             [["index", "question", "sentence"], ["0", "c?", "d."]], ("a?", "b.", "entailment")),
    "RTE": ([["index", "sentence1", "sentence2", "label"], ["0", "a", "b", "not_entailment"]],
            [["index", "sentence1", "sentence2"], ["0", "c", "d"]], ("a", "b", "not_entailment")),
    "WNLI": ([["index", "sentence1", "sentence2", "label"], ["0", "a", "b", "1"]],
             [["index", "sentence1", "sentence2"], ["0", "c", "d"]], ("a", "b", "1")),
    "STS-B": ([["index", "genre", "f", "y", "o", "s1", "s2", "sentence1", "sentence2", "score"],
               ["0", "g", "f", "y", "o", "n", "n", "a", "b", "5.000"]],
              [["index", "genre", "f", "y", "o", "s1", "s2", "sentence1", "sentence2"],
               ["0", "g", "f", "y", "o", "n", "n", "c", "d"]], ("a", "b", 5.0)),
    "MNLI": ([LONG, ["0", "p", "q", "g", "t", "t", "t", "t", "One.", "Two.", "neutral", "entailment"]],
             [LONG[:10], ["0", "p", "q", "g", "t", "t", "t", "t", "Three.", "Four."]], ("One.", "Two.", "entailment"))}


def write(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join("\t".join(row) + "\n" for row in rows), encoding="utf-8")


@pytest.mark.parametrize("task", LAYOUTS)
def test_glue(tmp_path, task):
    train, test, expected = LAYOUTS[task]
    suffix = "_matched" if task == "MNLI" else ""
    for name, rows in (("train", train), (f"dev{suffix}", train), (f"test{suffix}", test)):
        write(tmp_path / f"{name}.tsv", rows)
    processor = find_processor(task)
    for split in ("train", "dev"):
        found = processor_examples(processor, str(tmp_path), split)
        assert len(found) == len(train) - (task != "CoLA") and (found[0].text, found[0].pair, found[0].label) == expected
        assert found[0].id.startswith(f"{split}-")
    (found,) = processor_examples(processor, str(tmp_path), "test")
    assert (found.text, found.pair) == (tuple(test[1][-2:]) if expected[1] else (test[1][-1], None))
    assert found.label is None
    assert processor_labels(processor) is None if task == "STS-B" else expected[2] in processor_labels(processor)


def test_every_processor_is_tested_here():
    assert {name.lower() for name in LAYOUTS} | {"xnli", "mnli-mm"} == set(PROCESSORS)


def test_xnli(tmp_path):
    write(tmp_path / "multinli" / "multinli.train.zh.tsv", [["premise", "hypo", "label"], ["他说", "她说", "contradictory"]])
    row = ["zh", "neutral", "", "", "", "", "天气好", "下雨"]
    write(tmp_path / "xnli.dev.tsv", [["language", "gold_label", *"abcdef"], ["en", *row[1:]], row])
    processor = find_processor("XNLI")
    train, dev = (processor_examples(processor, tmp_path, split) for split in ("train", "dev"))
    assert [(e.text, e.pair, e.label) for e in train] == [("他说", "她说", "contradiction")]
    assert [(e.text, e.pair, e.label) for e in dev] == [("天气好", "下雨", "neutral")]


class SentimentProcessor(DataProcessor):  # as in scripts of TensorFlow 1
    def get_train_examples(self, data_dir):
        return self._create_examples(self._read_tsv(os.path.join(data_dir, "train.tsv")), "train")

    def get_dev_examples(self, data_dir):
        return self._create_examples(self._read_tsv(os.path.join(data_dir, "dev.tsv"), quotechar='"'), "dev")

    def get_labels(self):
        return ["-1", "0", "1"]

    def _create_examples(self, lines, set_type):
        examples = []
        for (i, line) in enumerate(lines):
            if i == 0:
                continue
            guid = "%s-%s" % (set_type, i)  # noqa: UP031
            examples.append(InputExample(guid=guid, text_a=line[1].encode(), text_b=None, label=line[0]))
        return [*examples, object()]  # as BERT's scripts fill up a batch


def test_a_user_defined_processor(tmp_path):
    for name in ("train", "dev"):
        write(tmp_path / f"{name}.tsv", [["\ufefflabel", "text"], ["-1", '"差评"'], ["1", "好评"]])
    processor = SentimentProcessor()
    assert processor_examples(processor, str(tmp_path), "train") == [
        TextExample('"差评"', None, "-1", "train-1", "SentimentProcessor train train-1"),
        TextExample("好评", None, "1", "train-2", "SentimentProcessor train train-2")]
    assert processor_examples(processor, str(tmp_path), "dev")[0].text == "差评"
    assert processor_labels(processor) == ["-1", "0", "1"]
    with pytest.raises(NotImplementedError, match="SentimentProcessor does not define get_test_examples"):
        processor_examples(processor, str(tmp_path), "test")


def test_a_processor_without_a_base_class():
    class Own:
        def __init__(self, labels):
            self.labels = labels

        def get_labels(self):
            return self.labels

        def get_dev_examples(self, data_dir):
            return [InputExample(0, "a", "b", label) for label in (1, 0)]

        get_test_examples = get_dev_examples

        def get_train_examples(self, data_dir):
            return []

    assert [e.label for e in processor_examples(Own([0, 1]), "", "dev")] == ["1", "0"]
    assert [e.label for e in processor_examples(Own([None]), "", "dev")] == [1.0, 0.0]
    with pytest.raises(ValueError, match=r"Own dev 0: label '1' is not among get_labels\(\): 0, 2"):
        processor_examples(Own([0, 2]), "", "dev")
    assert [e.label for e in processor_examples(Own([0, 2]), "", "test")] == [None, None]  # they are placeholders
    with pytest.raises(ValueError, match="Own.get_train_examples returned no examples of folder; expected at least one"):
        processor_examples(Own([0, 1]), "folder", "train")


def test_errors(tmp_path):
    with pytest.raises(ValueError, match="task 'colla' not found; there are cola, mnli.*cola"):
        find_processor("colla")
    assert type(find_processor("STS_B")) is PROCESSORS["sts-b"]
    write(tmp_path / "train.tsv", [["sentence", "label"], ["hide new"]])
    with pytest.raises(ValueError, match=r"train.tsv:2: found 1 columns, expected at least 2; correct the row"):
        find_processor("sst-2").get_train_examples(str(tmp_path))
    with pytest.raises(FileNotFoundError):
        find_processor("sst-2").get_dev_examples(str(tmp_path))

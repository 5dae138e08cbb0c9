import pytest

from tfplm.data.tasks.read import read_examples
from tfplm.data.tasks.reading import Reading
from tfplm.data.tasks.splits import find_splits, label_names


def folder(path, *names, text="x\t1\ny\t0\n"):
    path.mkdir(exist_ok=True)
    for name in names:
        (path / name).write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("names, expected", [
    ("train.tsv dev.tsv test.tsv README.md class.txt", "train.tsv dev.tsv test.tsv"),
    ("train.csv valid.csv", "train.csv valid.csv"), ("train.jsonl validation.jsonl", "train.jsonl validation.jsonl"),
    ("train.json val.json", "train.json val.json"), ("example.train example.dev example.test",) * 2,
    ("weiboNER_2nd_conll.train weiboNER_2nd_conll.dev", "weiboNER_2nd_conll.train weiboNER_2nd_conll.dev"),
    ("weiboNER.conll.train", "weiboNER.conll.train"),
    ("wnut17train.conll emerging.dev.conll emerging.test.annotated",) * 2, ("sts-b-train.txt sts-b-dev.txt",) * 2,
    ("cmrc2018_train.json cmrc2018_dev.json cmrc2018_trial.json",) * 2, ("eng.train eng.testa eng.testb",) * 2,
    ("train-v2.0.json dev-v2.0.json",) * 2, ("MyTrainData.csv myDevData.csv",) * 2,
    ("train.tsv msr_paraphrase_train.txt dev_ids.tsv dev.tsv test.tsv msr_paraphrase_test.txt",
     "train.tsv dev.tsv test.tsv"),
    ("train.tsv dev_matched.tsv dev_mismatched.tsv test_matched.tsv test_mismatched.tsv",
     "train.tsv dev_matched.tsv test_matched.tsv"),
    ("train.tsv.gz latest.txt contest.txt", "train.tsv.gz"),
    ("cola_public_train.tsv eval.tsv", "cola_public_train.tsv eval.tsv")])
def test_file_names(tmp_path, names, expected):
    found = find_splits(folder(tmp_path / "d", *names.split()))
    words = ("train", "dev", "test")
    assert sorted(found, key=words.index) == [*words][:len(expected.split())]
    assert [found[split] for split in sorted(found, key=words.index)] == [str(tmp_path / "d" / n) for n in expected.split()]


@pytest.mark.parametrize("names, reading, expected", [
    ("train.en train.de val.en val.de", Reading(text_column="en", target_column="de"), "train.en,train.de"),
    ("train.en train.de val.en val.de", Reading(text_column="de", target_column="en"), "train.de,train.en"),
    ("train.en.gz train.de.gz", None, "train.de.gz,train.en.gz"),
    ("train_labels.txt train_text.txt", None, "train_text.txt,train_labels.txt"),
    ("train.target train.source", None, "train.source,train.target"), ("train.in train.out", None, "train.in,train.out"),
    ("train.seq.out train.seq.in", None, "train.seq.in,train.seq.out")])
def test_parallel_files(tmp_path, names, reading, expected):
    path = folder(tmp_path / "d", *names.split())
    assert find_splits(path, reading)["train"] == ",".join(str(path / name) for name in expected.split(","))


def test_errors(tmp_path):
    with pytest.raises(ValueError, match="d: several files may be the train data: train.csv, train.json; name one of them"):
        find_splits(folder(tmp_path / "d", "train.csv", "train.json"))
    with pytest.raises(ValueError, match="several files may be the dev data: dev_a.tsv, dev_b.tsv"):
        find_splits(folder(tmp_path / "e", "train.tsv", "dev_a.tsv", "dev_b.tsv"))
    with pytest.raises(ValueError, match=r"no file is named as train, dev or test data .*; the folder has a.tsv, b.tsv"):
        find_splits(folder(tmp_path / "f", "a.tsv", "b.tsv"))
    with pytest.raises(ValueError, match="the folder has no files"):
        find_splits(folder(tmp_path / "g"))
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        find_splits(tmp_path / "zzz")
    with pytest.raises(ValueError, match="the folder has no test data, only train; name a file"):
        read_examples(folder(tmp_path / "h", "train.tsv"), "text", split="test")


def test_parallel_files_need_equally_many_lines(tmp_path):
    (tmp_path / "a.txt").write_text("one\ntwo\n")
    (tmp_path / "b.txt").write_text("1\n")
    with pytest.raises(ValueError, match=r"parallel files need equally many lines; found .*a.txt: 2, .*b.txt: 1"):
        read_examples(f"{tmp_path / 'a.txt'},{tmp_path / 'b.txt'}", "text")
    with pytest.raises(ValueError, match="2 parallel files for choice; expected one"):
        read_examples(f"{tmp_path / 'a.txt'},{tmp_path / 'b.txt'}", "choice")
    (tmp_path / "b.txt").write_text("1\n0\n")
    (tmp_path / "c.txt").write_text("ONE\nTWO\n")
    found = read_examples(",".join(str(tmp_path / name) for name in ("a.txt", "c.txt", "b.txt")), "text")
    assert [(e.text, e.pair, e.label) for e in found] == [("one", "ONE", "1"), ("two", "TWO", "0")]
    odd = folder(tmp_path / "one,two", "train.tsv")  # a comma in a path that exists is part of it
    assert len(read_examples(odd / "train.tsv", "text")) == 2


def test_names_of_labels(tmp_path):
    path = folder(tmp_path / "d", "train.tsv", text="甲\t0\n乙\t2\n")
    assert [e.label for e in read_examples(path, "text")] == ["0", "2"]
    (path / "class.txt").write_text("好\n一般\n坏", encoding="utf-8")
    assert [e.label for e in read_examples(path, "text")] == ["好", "坏"]
    assert [e.label for e in read_examples(path, "text", Reading(label_kind="multi"))] == [("好",), ("坏",)]
    assert [e.label for e in read_examples(path, "text", Reading(label_kind="number"))] == [0.0, 2.0]
    assert [e.label for e in read_examples(path, "text", Reading(label_names="none"))] == ["0", "2"]
    (path / "class.txt").write_text("好\n坏", encoding="utf-8")
    assert [e.label for e in read_examples(path, "text")] == ["0", "2"]
    with pytest.raises(ValueError, match=r"class.txt: 2 names for the labels 0, 2; expected a different name for each"):
        read_examples(path, "text", Reading(label_names=str(path / "class.txt")))
    with pytest.raises(FileNotFoundError, match=r"there is no file zzz \(--label-names\)"):
        read_examples(path, "text", Reading(label_names="zzz"))
    (path / "names.tsv").write_text("2\tBAD\tx\n0\tGOOD\ty\n")
    assert label_names([], {"0", "2"}, Reading(label_names=str(path / "names.tsv"))) == {"2": "BAD", "0": "GOOD"}
    assert label_names([str(path / "train.tsv")], {"0", "x"}, Reading()) == {}


def test_a_file_of_labels_is_not_a_file_of_names(tmp_path):
    (tmp_path / "text.txt").write_text("a\nb\n")
    (tmp_path / "labels.txt").write_text("1\n0\n")
    found = read_examples(f"{tmp_path / 'text.txt'},{tmp_path / 'labels.txt'}", "text")
    assert [e.label for e in found] == ["1", "0"]

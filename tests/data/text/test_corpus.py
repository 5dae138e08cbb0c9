import functools
import gzip
import io
import json
import subprocess
import sys

import numpy as np
import pytest

from tfplm.data.records.example import encode_example
from tfplm.data.records.tfrecord import write_records
from tfplm.data.text.corpus import LONGEST_DOCUMENT, guess_layout, read_documents

BERT = "第一句。\n第二句。\n\n另一篇的第一句。\n"


def write(path, text, encoding="utf-8"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode(encoding) if isinstance(text, str) else text)
    return str(path)


def test_sentence_layout_with_crlf_and_byte_order_mark(tmp_path):
    expected = [["第一句。", "第二句。"], ["另一篇的第一句。"]]
    for index, text in enumerate([BERT, BERT.replace("\n", "\r\n"), "\ufeff" + BERT, BERT.replace("\n", "\r")]):
        name = write(tmp_path / f"{index}.txt", text)
        assert list(read_documents(name, "sentences")) == expected
        assert list(read_documents(name)) == expected


def test_layouts(tmp_path):
    text = "One. Two.\nThree.\n\nFour. Five.\n"
    name = write(tmp_path / "a.txt", text)
    assert list(read_documents(name, "paragraphs")) == [["One.", "Two.", "Three."], ["Four.", "Five."]]
    assert list(read_documents(name, "documents")) == [["One.", "Two."], ["Three."], ["Four.", "Five."]]
    assert list(read_documents(name, "sentences")) == [["One. Two.", "Three."], ["Four. Five."]]
    wrapped = write(tmp_path / "b.txt", "A line that\ngoes on. Next\nsentence.\n\nMore.")
    assert list(read_documents(wrapped, "wrapped")) == [["A line that goes on.", "Next sentence.", "More."]]
    chinese = write(tmp_path / "c.txt", "一行\n没有完。")
    assert list(read_documents(chinese, "wrapped")) == [["一行没有完。"]]
    with pytest.raises(ValueError, match="layout 'lines': expected auto, sentences"):
        list(read_documents(name, "lines"))


def test_layout_is_guessed():
    line = "These lines were wrapped by hand at about the same width as in"
    assert guess_layout([line, line, "old files.", "", line, line, line, "end."] * 9) == "wrapped"
    assert guess_layout(["A sentence.", "Another one.", "", "Third."] * 9) == "sentences"
    assert guess_layout(["Two here. And there it goes.", "", "Third. Fourth."] * 9) == "paragraphs"
    assert guess_layout([]) == "paragraphs"


def test_real_layouts(data):
    assert len(list(read_documents(str(data("zh_news_sample"))))) == 10
    chapters = list(read_documents(str(data("zh_novels", "honglou_meng.txt"))))
    assert len(chapters) >= 120 and all(sum(map(len, c)) <= LONGEST_DOCUMENT for c in chapters)
    assert all(len(s) > 2 for c in chapters for s in c[:1])


def test_files_globs_folders_gzip(tmp_path):
    write(tmp_path / "b" / "2.txt", "Two.\n")
    write(tmp_path / "b" / ".hidden" / "no.txt", "Hidden.\n")
    write(tmp_path / "1.txt.gz", gzip.compress(b"One.\n"))
    write(tmp_path / "3", gzip.compress(b"Three.\n"))
    assert list(read_documents(str(tmp_path))) == [["One."], ["Three."], ["Two."]]
    assert list(read_documents([str(tmp_path / "b" / "*.txt"), str(tmp_path / "3")])) == [["Two."], ["Three."]]


def test_json_lines(tmp_path):
    rows = [{"text": "甲。乙。", "title": "t"}, {"text": "Second.", "title": "u"}]
    name = write(tmp_path / "a.jsonl", "\n".join(json.dumps(r, ensure_ascii=False) for r in rows) + "\n\n")
    assert list(read_documents(name)) == [["甲。", "乙。"], ["Second."]]
    assert list(read_documents(name, field="title")) == [["t"], ["u"]]
    long = write(tmp_path / "long.jsonl", json.dumps({"text": "A line.\n\n" * 200_000}))
    assert sum(map(len, read_documents(long))) == 200_000
    with pytest.raises(ValueError, match=r"line 1: no text in field 'body', found fields 'text', 'title'; give"):
        list(read_documents(name, field="body"))
    bad = write(tmp_path / "b.jsonl", "[1]\n")
    with pytest.raises(ValueError, match=r"line 1: no text in field 'text', found list"):
        list(read_documents(bad))
    with pytest.raises(ValueError, match=r"line 1: not JSON"):
        list(read_documents(write(tmp_path / "c.jsonl", "{oops\n")))


def test_standard_input(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("你好。\n\nHello.\n".encode())))
    assert list(read_documents("-", "sentences")) == [["你好。"], ["Hello."]]


def test_tensorflow_datasets(tmp_path, monkeypatch):
    tfds = pytest.importorskip("tensorflow_datasets")
    folder = tmp_path / "films" / "1.0.0"
    folder.mkdir(parents=True)
    rows = [("Good film. Really.", 1), ("坏电影。", 0)]
    write_records(folder / "films-train.tfrecord-00000-of-00001",
                  [encode_example({"text": text.encode(), "label": np.array([label])}) for text, label in rows], False)
    features = tfds.features.FeaturesDict({"text": tfds.features.Text(), "label": np.int64})
    template = tfds.core.ShardedFileTemplate(data_dir=folder, dataset_name="films", split="train",
                                             filetype_suffix="tfrecord")
    split = tfds.core.SplitInfo(name="train", shard_lengths=[2], num_bytes=0, filename_template=template)
    tfds.folder_dataset.write_metadata(data_dir=folder, features=features, split_infos=[split], check_data=False)
    monkeypatch.setattr(tfds, "load", functools.partial(tfds.load, data_dir=str(tmp_path)))
    assert list(read_documents("tfds:films")) == [["Good film.", "Really."], ["坏电影。"]]
    assert list(read_documents("tfds:films:train[1:]", field="text")) == [["坏电影。"]]
    with pytest.raises(ValueError, match="no text field 'body'; there are text"):
        list(read_documents("tfds:films", field="body"))


@pytest.mark.parametrize("encoding", ["gbk", "gb18030"])
@pytest.mark.parametrize("lead", ["", "English first, for a while. " * 2000])
def test_gbk_is_recognised(tmp_path, encoding, lead):
    name = write(tmp_path / "a.txt", lead + "话说天下大势，分久必合，合久必分。" * 100, encoding)
    with pytest.raises(ValueError, match="it looks like GBK: give --encoding gb18030"):
        list(read_documents(name))
    assert list(read_documents(name, encoding="gb18030"))


def test_other_encodings(tmp_path):
    with pytest.raises(ValueError, match=r"not utf-8 text \(byte 0xe9\); give the right --encoding") as error:
        list(read_documents(write(tmp_path / "a.txt", "Un café très cher. " * 10, "latin-1")))
    assert "gb18030" not in str(error.value)
    with pytest.raises(ValueError, match="give --encoding utf-16"):
        list(read_documents(write(tmp_path / "b.txt", "Hello.", "utf-16")))
    assert list(read_documents(str(tmp_path / "b.txt"), encoding="utf-16")) == [["Hello."]]
    with pytest.raises(ValueError, match="there is no encoding 'klingon'"):
        list(read_documents(str(tmp_path / "b.txt"), encoding="klingon"))


def test_bad_files(tmp_path):
    with pytest.raises(ValueError, match="a binary file"):
        list(read_documents(write(tmp_path / "a.bin", b"\x00\x01\x02" * 99)))
    with pytest.raises(ValueError, match="not a whole gzip file"):
        list(read_documents(write(tmp_path / "a.gz", gzip.compress(b"word. " * 99999)[:-40])))
    for name, text in (("empty.txt", ""), ("blank.txt", "\n \n\n")):
        with pytest.raises(ValueError, match=f"{name}: the corpus is empty"):
            list(read_documents(write(tmp_path / name, text)))
    (tmp_path / "folder").mkdir()
    with pytest.raises(ValueError, match="the folder has no files"):
        read_documents(str(tmp_path / "folder"))


def test_wrong_path_is_reported_at_once_with_the_nearest_names(tmp_path):
    write(tmp_path / "novels.txt", "x")
    with pytest.raises(FileNotFoundError, match=r"the nearest: .*novels\.txt"):
        read_documents([str(tmp_path / "novels.txt"), str(tmp_path / "novel.txt")])
    with pytest.raises(FileNotFoundError, match="no file matches"):
        read_documents(str(tmp_path / "*.json"))
    with pytest.raises(FileNotFoundError, match="looked in"):
        read_documents(str(tmp_path / "zzz" / "q.md"))
    with pytest.raises(ValueError, match="no corpus was given"):
        read_documents([])


def test_one_line_of_ten_megabytes(tmp_path):
    text = "甲乙丙丁。" * 700_000  # 10.5 MB
    name = write(tmp_path / "a.txt", text)
    documents = list(read_documents(name))
    assert "".join(sentence for document in documents for sentence in document) == text
    assert len(documents) > 100
    unbroken = write(tmp_path / "b.txt", "x" * 10_000_000)
    assert sum(len(s) for d in read_documents(unbroken) for s in d) == 10_000_000


def test_one_line_corpus(tmp_path):
    assert list(read_documents(write(tmp_path / "a.txt", "Only this"))) == [["Only this"]]


def test_reading_streams(tmp_path):
    pytest.importorskip("resource")
    write(tmp_path / "a.txt", ("A sentence of the text. " * 40 + "\n\n") * 10_000)  # 10 MB
    write(tmp_path / "b.txt", "一句话。" * 300_000)  # 4 MB in a line
    code = ("import resource, sys\nfrom tfplm.data.text.corpus import read_documents\n"
            "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\nbefore = peak()\n"
            "count = sum(1 for _ in read_documents(sys.argv[1:]))\n"
            "assert count > 10_000, count\nassert peak() - before < 15_000, (before, peak())")
    subprocess.run([sys.executable, "-c", code, tmp_path / "a.txt", tmp_path / "b.txt"], check=True)


def test_builtin_corpus():
    documents = list(read_documents("builtin:python"))
    text = [sentence for document in documents for sentence in document]
    assert 1e6 < sum(map(len, text)) < 2e7 and len(documents) > 200
    assert documents[:50] == [d for _, d in zip(range(50), read_documents("builtin:python"))]
    assert not any(">>>" in sentence or "::" in sentence for sentence in text)
    letters = sum(c.isalpha() or c == " " for sentence in text for c in sentence)
    assert letters > 0.93 * sum(map(len, text))
    with pytest.raises(ValueError, match="there is no built-in corpus 'cobol'; use builtin:python"):
        list(read_documents("builtin:cobol"))

import argparse
import gzip
import json
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from tests.data.text_cases import make_text, make_tokenizer, write_vocabulary
from tfplm.cli import add_flags
from tfplm.data.records.build import records
from tfplm.data.records.example import decode_example
from tfplm.data.records.features import read_features
from tfplm.data.records.index import load_index
from tfplm.data.records.reader import TokenRecords
from tfplm.data.records.tfrecord import read_records
from tfplm.data.sequences.documents import encode_documents
from tfplm.data.text.corpus import read_documents
from tfplm.options.records import RecordsOptions
from tfplm.tokenizers import Tokenizer


@pytest.fixture
def corpus(tmp_path):
    """Keyword arguments of `records` for a corpus of about 60 KB in about ten shards."""
    (tmp_path / "text.txt").write_text(make_text(200), encoding="utf-8")
    return {"text": [str(tmp_path / "text.txt")], "tokenizer": write_vocabulary(tmp_path / "vocab.txt"), "quiet": True,
            "processes": 1, "shard_megabytes": 0.006, "output": str(tmp_path / "out")}


def contents(folder):
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir()) if file.is_file()}


def all_documents(folder, split="train"):
    return [document for window in TokenRecords(folder, split).windows() for document in window]


def test_token_records_hold_the_corpus(tmp_path, corpus):
    index = records(**corpus)
    documents = all_documents(tmp_path / "out")
    expected = list(encode_documents(read_documents(corpus["text"]), make_tokenizer(tmp_path)))
    assert len(documents) == len(expected) == 200
    for a, b in zip(documents, expected):
        assert all(np.array_equal(getattr(a, name), getattr(b, name)) for name in a.__dataclass_fields__)
    total = index["totals"]["train"]
    assert total["records"] == 200 and total["tokens"] == sum(map(len, documents)) and total["files"] > 5
    assert total["sentences"] == sum(len(document.sentence_lengths) for document in documents)
    assert total["bytes"] == sum(len(data) for name, data in contents(tmp_path / "out").items() if "tfrecord" in name)
    assert index == load_index(tmp_path / "out")
    reader = TokenRecords(tmp_path / "out")
    assert reader.vocabulary.mask == 4 and len(Tokenizer.from_pretrained(reader.tokenizer_folder)) > 50


def test_any_number_of_processes_gives_the_same_bytes(tmp_path, corpus):
    for layout, several in (("tokens", 3), ("bert", 2)):
        for processes in (1, several):
            records(**corpus | {"output": str(tmp_path / f"{layout}{processes}"), "processes": processes, "repeats": 2,
                                "layout": layout, "max_length": 32})
        one, more = (contents(tmp_path / f"{layout}{processes}") for processes in (1, several))
        assert len(one) > 5 and one == more


def test_seed_of_static_masks(tmp_path, corpus):
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        records(**corpus | {"output": str(tmp_path / name), "layout": "bert", "repeats": 1, "seed": seed})
    a, b, c = (contents(tmp_path / name) for name in "abc")
    assert a == b and a["train-00000.tfrecord"] != c["train-00000.tfrecord"]


def test_second_run_keeps_everything(tmp_path, corpus):
    records(**corpus)
    times = {file: file.stat().st_mtime_ns for file in (tmp_path / "out").glob("*.gz")}
    before = contents(tmp_path / "out")
    records(**corpus)
    assert {file: file.stat().st_mtime_ns for file in (tmp_path / "out").glob("*.gz")} == times
    assert contents(tmp_path / "out") == before


def test_changed_text_rewrites_only_the_changed_shards(tmp_path, corpus):
    records(**corpus)
    path = tmp_path / "text.txt"
    before = contents(tmp_path / "out")
    text = path.read_text(encoding="utf-8")
    path.write_text(text[:len(text) // 2], encoding="utf-8")
    records(**corpus)
    after = contents(tmp_path / "out")
    assert len(after) < len(before), "shards of the longer text are gone"
    assert after["train-00000.tfrecord.gz"] == before["train-00000.tfrecord.gz"]
    fresh = corpus | {"output": str(tmp_path / "fresh")}
    records(**fresh)
    assert contents(tmp_path / "fresh") == after


def test_killed_and_restarted(tmp_path, corpus):
    (tmp_path / "text.txt").write_text(make_text(1000), encoding="utf-8")
    corpus = corpus | {"processes": 2, "shard_megabytes": 0.006}
    records(**corpus | {"output": str(tmp_path / "whole")})
    script = tmp_path / "run.py"
    script.write_text("import json, sys\nfrom tfplm.data.records.build import records\n"
                      "if __name__ == '__main__':\n    records(**json.loads(sys.argv[1]))\n")
    kept = 0
    for _ in range(2):
        process = subprocess.Popen([sys.executable, str(script), json.dumps(corpus)], start_new_session=True)
        deadline = time.time() + 60
        while len(list((tmp_path / "out").glob("train-*.gz"))) < kept + 4 and time.time() < deadline:
            assert process.poll() is None, "it ended before it could be killed"
            time.sleep(0.005)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        kept = len(list((tmp_path / "out").glob("train-*.gz")))
        with pytest.raises(FileNotFoundError, match="the records are unfinished; run the same `tfplm records`"):
            TokenRecords(tmp_path / "out")
    (tmp_path / "out" / "train-99999.tfrecord.gz.123.part").write_bytes(b"half a shard")
    first = {file.name: file.stat().st_mtime_ns for file in (tmp_path / "out").glob("train-*.gz")}
    journal = (tmp_path / "out" / "shards.jsonl").read_text()
    (tmp_path / "out" / "shards.jsonl").write_text(journal + '{"number": 7, "dig')  # killed while writing a line
    records(**corpus)
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")
    same = [name for name, at in first.items() if (tmp_path / "out" / name).stat().st_mtime_ns == at]
    assert len(same) >= kept - 4, "finished shards were kept"


def test_workers_end_with_a_killed_parent(tmp_path, corpus):
    (tmp_path / "text.txt").write_text(make_text(3000), encoding="utf-8")
    script = tmp_path / "run.py"
    script.write_text("import json, sys\nfrom tfplm.data.records.build import records\n"
                      "if __name__ == '__main__':\n    records(**json.loads(sys.argv[1]))\n")
    # standard output stays open as long as any worker lives
    process = subprocess.Popen([sys.executable, str(script), json.dumps(corpus | {"processes": 2})],
                               stdout=subprocess.PIPE)
    while not list((tmp_path / "out").glob("train-*.gz")):
        assert process.poll() is None, "it ended before it could be killed"
        time.sleep(0.005)
    process.kill()
    assert process.communicate(timeout=30)[0] == b""


def test_a_script_that_starts_workers_on_import_gets_an_error(tmp_path, corpus):
    with (tmp_path / "vocab.txt").open("a", encoding="utf-8") as file:  # larger than a pipe holds
        file.writelines(f"token{index}\n" for index in range(20_000))
    script = tmp_path / "run.py"
    script.write_text("import json, sys\nfrom tfplm.data.records.build import records\nrecords(**json.loads(sys.argv[1]))\n")
    run = subprocess.run([sys.executable, str(script), json.dumps(corpus | {"processes": 2})], capture_output=True,
                         text=True, timeout=300)
    assert run.returncode == 1
    assert "must do so below `if __name__ == '__main__':`, or with processes=1" in run.stderr


def test_other_options_are_refused_or_overwritten(tmp_path, corpus):
    records(**corpus)
    with pytest.raises(ValueError, match=r"made with other options \(held_out 0.0, now 0.1\); choose another"):
        records(**corpus | {"held_out": 0.1})
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "vocab.txt").write_text((tmp_path / "vocab.txt").read_text(encoding="utf-8") + "more\n",
                                              encoding="utf-8")
    with pytest.raises(ValueError, match=r"tokenizer 'bert, \d+ tokens, \w+', now 'bert, \d+ tokens, \w+'"):
        records(**corpus | {"tokenizer": str(tmp_path / "b" / "vocab.txt")})
    assert TokenRecords(tmp_path / "out").tokens, "nothing was harmed"
    records(**corpus | {"compression": "none", "overwrite": True})
    assert {name.split(".", 1)[1] for name in contents(tmp_path / "out") if "train" in name} == {"tfrecord"}


def test_held_out_text(tmp_path, corpus):
    index = records(**corpus | {"held_out": 0.1})
    whole = list(encode_documents(read_documents(corpus["text"]), make_tokenizer(tmp_path)))
    train, held = all_documents(tmp_path / "out"), all_documents(tmp_path / "out", "held-out")
    tokens = sum(map(len, whole))
    assert sum(map(len, train)) + sum(map(len, held)) == tokens
    assert abs(sum(map(len, held)) / tokens - 0.1) < 0.03
    assert index["totals"]["held-out"]["files"] == index["totals"]["train"]["files"]
    assert sum(len(d.sentence_lengths) for d in train + held) == sum(len(d.sentence_lengths) for d in whole)
    with pytest.raises(ValueError, match=r"has no split 'test'; it has train, held-out"):
        TokenRecords(tmp_path / "out", "test")


def test_bert_features(tmp_path, corpus):
    records(**corpus | {"layout": "bert", "max_length": 48, "max_predictions": 6, "repeats": 3})
    files = sorted(str(file) for file in (tmp_path / "out").glob("train-*.tfrecord"))
    features = [decode_example(record) for file in files for record in read_records(file)]
    assert load_index(tmp_path / "out")["totals"]["train"]["records"] == len(features) > 500
    for example in features:
        assert {name: (len(value), value.dtype.name) for name, value in example.items()} == {
            "input_ids": (48, "int32"), "input_mask": (48, "int32"), "segment_ids": (48, "int32"),
            "masked_lm_positions": (6, "int32"), "masked_lm_ids": (6, "int32"), "masked_lm_weights": (6, "float32"),
            "next_sentence_labels": (1, "int32")}
        length = example["input_mask"].sum()
        assert example["input_ids"][0] == 2 and example["input_ids"][length - 1] == 3
        assert not example["input_ids"][length:].any()
        assert example["masked_lm_weights"].sum() == min(max(round(length * 0.15), 1), 6)
    ours = list(read_features(files))
    assert len(ours) == len(features)
    assert all(len(a["input_ids"]) == b["input_mask"].sum() for a, b in zip(ours, features))
    with pytest.raises(ValueError, match="layout 'bert', whose noise is fixed"):
        TokenRecords(tmp_path / "out")


def test_google_s_parser_reads_our_features_and_we_read_google_s(tmp_path, corpus):
    import tensorflow as tf

    records(**corpus | {"layout": "bert", "max_length": 48, "max_predictions": 6, "repeats": 1})
    files = sorted(str(file) for file in (tmp_path / "out").glob("train-*.tfrecord"))
    # the specification of `input_fn_builder` in run_pretraining.py
    specification = {name: tf.io.FixedLenFeature([48], tf.int64) for name in ("input_ids", "input_mask", "segment_ids")}
    specification |= {name: tf.io.FixedLenFeature([6], tf.int64) for name in ("masked_lm_positions", "masked_lm_ids")}
    specification |= {"masked_lm_weights": tf.io.FixedLenFeature([6], tf.float32),
                      "next_sentence_labels": tf.io.FixedLenFeature([1], tf.int64)}
    batch = tf.io.parse_example(list(tf.data.TFRecordDataset(files)), specification)
    parsed = [{name: value[row].numpy() for name, value in batch.items()} for row in range(batch["input_ids"].shape[0])]
    assert len(parsed) > 100
    theirs = str(tmp_path / "theirs.tfrecord")
    with tf.io.TFRecordWriter(theirs) as writer:  # as write_instance_to_example_files does
        for row in parsed:
            features = {name: tf.train.Feature(float_list=tf.train.FloatList(value=value))
                        if value.dtype == np.float32 else
                        tf.train.Feature(int64_list=tf.train.Int64List(value=value))
                        for name, value in row.items()}
            writer.write(tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString())
    for a, b in zip(read_features(files), read_features([theirs]), strict=True):
        assert all(np.array_equal(a[key], b[key]) for key in a)


def test_wrong_files_for_features(tmp_path, corpus):
    records(**corpus)
    with pytest.raises(ValueError, match=r"no feature input_ids, input_mask, .*; found ids, sentence_lengths"):
        list(read_features([str(next((tmp_path / "out").glob("train-*")))]))
    with pytest.raises(FileNotFoundError, match="it is not a records folder"):
        TokenRecords(tmp_path)


def test_bad_input_leaves_no_trace(tmp_path, corpus):
    (tmp_path / "empty.txt").write_text("\n")
    with pytest.raises(ValueError, match="the corpus is empty"):
        records(**corpus | {"text": [str(tmp_path / "empty.txt")]})
    (tmp_path / "gbk.txt").write_bytes("自然语言处理是人工智能的一个重要方向。".encode("gbk") * 20)
    with pytest.raises(ValueError, match="give --encoding gb18030"):
        records(**corpus | {"text": [str(tmp_path / "gbk.txt")]})
    with pytest.raises(ValueError, match=r"held_out 1\.5: expected a share"):
        records(**corpus | {"held_out": 1.5})
    assert not (tmp_path / "out").exists()
    assert records(**corpus | {"text": [str(tmp_path / "gbk.txt")], "encoding": "gb18030"})["totals"]["train"]["tokens"]


def test_one_line(tmp_path, corpus):
    (tmp_path / "one.txt").write_text("我们去看书", encoding="utf-8")
    for layout in ("tokens", "bert"):
        index = records(**corpus | {"text": [str(tmp_path / "one.txt")], "layout": layout, "repeats": 1,
                                    "output": str(tmp_path / layout)})
        assert index["totals"]["train"]["tokens"] == 5


def test_full_disk(tmp_path, corpus):
    pytest.importorskip("resource")
    corpus = corpus | {"compression": "none"}
    whole = records(**corpus | {"output": str(tmp_path / "whole")})
    sizes = [shard["files"][0]["bytes"] for shard in whole["shards"]]
    assert max(sizes) > sizes[0]
    code = ("import json, resource, sys\nfrom tfplm.data.records.build import records\n"
            f"resource.setrlimit(resource.RLIMIT_FSIZE, ({max(sizes) - 1}, {max(sizes) - 1}))\n"
            "try:\n    records(**json.loads(sys.argv[1]))\nexcept OSError as error:\n    print(error)\n")
    run = subprocess.run([sys.executable, "-c", code, json.dumps(corpus)], capture_output=True, text=True, check=True)
    assert "the disk is full, or a size limit was reached; the finished shards are complete" in run.stdout, run
    written = sorted(file for file in contents(tmp_path / "out") if "tfrecord" in file)
    assert written == [f"train-{number:05d}.tfrecord" for number in range(sizes.index(max(sizes)))]
    records(**corpus)
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_command_line_flags():
    parser = argparse.ArgumentParser()
    add_flags(parser, RecordsOptions)
    given = vars(parser.parse_args(["a.txt", "b.txt", "--output", "out", "--tokenizer", "vocab.txt", "--layout", "bert",
                                    "--max-length", "64"]))
    options = RecordsOptions(**given)
    assert options.text == ["a.txt", "b.txt"] and options.max_length == 64


def test_workers_do_not_load_tensorflow(tmp_path, corpus):
    code = ("import json, sys\nfrom tfplm.data.records.build import records\nrecords(**json.loads(sys.argv[1]))\n"
            "assert 'tensorflow' not in sys.modules")
    subprocess.run([sys.executable, "-c", code, json.dumps(corpus)], check=True)


def test_summary_is_printed(corpus, capsys):
    records(**corpus | {"quiet": False})
    assert re.search(r"train: 200 documents of [\d,]+ tokens in \d+ file\(s\)", capsys.readouterr().out)


def test_gzip_text_gives_the_same_records(tmp_path, corpus):
    (tmp_path / "text.gz").write_bytes(gzip.compress((tmp_path / "text.txt").read_bytes()))
    records(**corpus)
    records(**corpus | {"text": [str(tmp_path / "text.gz")], "output": str(tmp_path / "b")})
    a, b = (contents(tmp_path / name) for name in ("out", "b"))
    assert {k: v for k, v in a.items() if "tfrecord" in k} == {k: v for k, v in b.items() if "tfrecord" in k}

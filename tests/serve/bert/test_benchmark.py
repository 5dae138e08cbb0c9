"""`bert-serving-benchmark` with engines that need no model."""

import builtins

import pytest

pytest.importorskip("bert_serving.client", reason="pip install bert-serving-client==1.10.0")

from tests.serve.fake_engines import FakeEngine
from tfplm.serve import command
from tfplm.serve.bert import benchmark as bert_benchmark

SMALL = ["-model_dir", "m", "-client_vocab_file", "words.txt", "-num_repeat", "3", "-client_batch_size", "4",
         "-test_client_batch_size", "-test_max_batch_size", "-test_max_seq_len", "-test_num_client", "-test_pooling_layer"]


@pytest.fixture
def served(tmp_path, monkeypatch):
    """The options and the engine of each server."""
    (tmp_path / "words.txt").write_text("你好 hello world hello\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    made = []

    def make_engines(options):
        if options.pooling_layer == [-7]:
            raise ValueError("layer -7 of 6")
        made.append((options, FakeEngine()))
        return [made[-1][1]]

    monkeypatch.setattr(command, "make_engines", make_engines)
    return made


def test_defaults():
    """Those of bert-as-service, one by one."""
    options = vars(bert_benchmark.benchmark_parser().parse_args(["-model_dir", "m"]))
    expected = {
        "test_client_batch_size": [1, 16, 256, 4096], "test_max_batch_size": [8, 32, 128, 512],
        "test_max_seq_len": [32, 64, 128, 256], "test_num_client": [1, 4, 16, 64],
        "test_pooling_layer": [-1, -2, -3, -4, -5, -6, -7, -8, -9, -10, -11, -12], "num_client": 1,
        "client_batch_size": 4096, "num_repeat": 10, "wait_till_ready": 30, "client_vocab_file": "README.md"}
    assert {name: options[name] for name in expected} == expected


def test_one_setting_after_the_other(served, tmp_path, capsys):
    arguments = [*SMALL, "-num_worker", "1", "-test_client_batch_size", "1", "3", "-test_max_seq_len", "5",
                 "-test_max_batch_size", "8", "-test_num_client", "3"]
    assert bert_benchmark.benchmark(arguments) == 0
    tables = (tmp_path / "benchmark-1.result").read_text()
    shown = capsys.readouterr().out
    assert all(line in shown for line in tables.split("\n"))
    assert [line.split("|")[1] for line in tables.split("\n") if line.startswith("|")] == [
        "`client_batch_size`", "---", "1", "3", "`max_batch_size`", "---", "8", "`max_seq_len`", "---", "5", "`num_client`",
        "---", "3"]
    assert all(int(line.split("|")[2]) > 0 for line in tables.split("\n") if line[1:2].isdigit())
    texts = [[text for batch in engine.batches for text in batch] for _, engine in served]
    assert [len(each) for each in texts] == [3, 9, 12, 12, 36]  # three requests of each client
    assert [options.max_batch_size for options, _ in served] == [256, 256, 8, 256, 256]
    assert {len(text.split()) for text in texts[0]} == {25} and {len(text.split()) for text in texts[3]} == {5}
    assert set(" ".join(texts[0]).split()) <= {"你好", "hello", "world"}


def test_layers_that_the_model_has_not(served, tmp_path, capsys):
    assert bert_benchmark.benchmark([*SMALL, "-fp16", "-test_pooling_layer", "-6", "-7"]) == 0
    assert [options.pooling_layer for options, _ in served] == [[-6]] and served[0][0].fp16
    assert (tmp_path / "benchmark-1-fp16.result").read_text().endswith("|-7|-|\n")
    assert "pooling_layer -7: layer -7 of 6" in capsys.readouterr().err


@pytest.mark.parametrize("file, reason", [("nothing.txt", "No such file or directory"), ("empty.txt", "it is empty")])
def test_words_that_are_not_there(served, tmp_path, capsys, file, reason):
    (tmp_path / "empty.txt").touch()
    assert bert_benchmark.benchmark([*SMALL, "-client_vocab_file", file]) == 1
    assert f"no words in {file} ({reason}): name a text file by -client_vocab_file" in capsys.readouterr().err


def test_a_server_that_fails(served, monkeypatch, capsys):
    def fail(engine, sequences):
        raise ValueError("no vectors")

    monkeypatch.setattr(FakeEngine, "encode", fail)
    assert bert_benchmark.benchmark([*SMALL, "-test_num_client", "2"]) == 1
    assert "bert-serving-benchmark: the server could not encode the texts" in capsys.readouterr().err


def test_without_the_client(served, capsys, monkeypatch):
    real = builtins.__import__

    def refuse(name, *rest, **keywords):
        if name.startswith("bert_serving"):
            raise ImportError(name)
        return real(name, *rest, **keywords)

    monkeypatch.setattr(builtins, "__import__", refuse)
    assert bert_benchmark.benchmark(SMALL) == 1
    assert "pip install bert-serving-client==1.10.0" in capsys.readouterr().err and not served


@pytest.mark.parametrize("arguments, reason", [
    (["-num_repeat", "2"], "num_repeat is below 3"), (["-test_num_client", "0"], "num_client is below 1"),
    (["-client_batch_size", "0"], "client_batch_size is below 1"), (["-port", "70000"], "port is 70000, expected 0 to")])
def test_wrong_options(served, capsys, arguments, reason):
    with pytest.raises(SystemExit) as stop:
        bert_benchmark.benchmark([*SMALL, *arguments])
    assert stop.value.code == 2 and reason in capsys.readouterr().err

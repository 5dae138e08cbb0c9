"""`tfplm serve` and bert-as-service's commands as programs: options, signals, termination, a real model."""

import os
import re
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

pytest.importorskip("bert_serving.client", reason="pip install bert-serving-client==1.10.0")
from bert_serving.client import BertClient

import tfplm
from tests.serve.conftest import client, serving
from tests.serve.engines.test_sentence_engine import save_model
from tests.serve.fake_engines import FakeEngine, vectors_of
from tfplm import cli
from tfplm.embed.encoder.sentence_encoder import SentenceEncoder
from tfplm.options.serve import ServeOptions
from tfplm.serve import command
from tfplm.serve.bert import commands as bert_serving


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("served") / "tiny"
    save_model(path)
    return path


class Program:
    """A server in a process of its own."""

    def __init__(self, code: str):
        environment = {**os.environ, "PYTHONUNBUFFERED": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
        self.process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True,
                                        env=environment)
        self.lines = []
        for line in self.process.stderr:
            self.lines.append(line)
            if found := re.search(r"ports (\d+) \(requests\) and (\d+)", line):
                self.ports = {"port": int(found[1]), "port_out": int(found[2])}
                break
        else:
            raise AssertionError("".join(self.lines))

    def client(self) -> BertClient:
        return BertClient(**self.ports, timeout=30_000)

    def wait(self) -> int:
        rest = self.process.communicate(timeout=60)[1]
        self.lines.append(rest)
        return self.process.returncode

    def __enter__(self):
        return self

    def __exit__(self, *error):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


def program(folder, **options) -> Program:
    options = {"source": str(folder), "port": 0, "port_out": 0, "pooling_layer": [-1], "warm_up": False, **options}
    return Program("import tfplm.serve.command as c\n"
                   f"if __name__ == '__main__':\n    c.serve(**{options!r})")


@pytest.fixture(scope="module")
def expected(folder):
    encoder = SentenceEncoder.from_pretrained(folder, max_length=25)
    return lambda texts: encoder.encode(texts)


@pytest.mark.slow
@pytest.mark.parametrize("signal_name", ["SIGTERM", "SIGINT"])
def test_a_signal_ends_it_after_its_work(folder, expected, signal_name):
    texts = [f"hello {'a ' * (i % 9)}" for i in range(3000)]
    with program(folder) as running, running.client() as bert:
        np.testing.assert_allclose(bert.encode(["我爱语言", "hello"]), expected(["我爱语言", "hello"]), atol=1e-5)
        bert.encode(texts, blocking=False)
        number = bert.request_id
        while bert.server_status["tfplm"]["requests"] < 2:
            time.sleep(0.01)
        running.process.send_signal(getattr(signal, signal_name))
        vectors = bert._recv_ndarray(number).embedding
        np.testing.assert_allclose(vectors, expected(texts), atol=1e-5)
        assert running.wait() == 0 and "stopping" in "".join(running.lines)


@pytest.mark.slow
def test_bert_serving_terminate(folder, capsys):
    with program(folder) as running, running.client() as bert:
        assert bert.encode(["a"]).shape == (1, 12)
        assert bert_serving.terminate(["-port", str(running.ports["port"])]) == 0
        assert running.wait() == 0
    assert bert_serving.terminate(["-port", str(running.ports["port"]), "-timeout", "200"]) == 1
    assert "nobody listens at localhost" in capsys.readouterr().err


@pytest.mark.slow
def test_two_workers_with_a_real_model(folder, expected):
    texts = [f"我{'爱' * (i % 20)}" for i in range(2000)]
    with program(folder, num_worker=2) as running, running.client() as bert:
        np.testing.assert_allclose(bert.encode(texts), expected(texts), atol=1e-5)
        assert bert.server_status["tfplm"]["workers_alive"] == 2
        running.process.send_signal(signal.SIGTERM)
        assert running.wait() == 0


def test_a_real_model_within_a_program(folder, expected):
    options = ServeOptions(source=str(folder), port=0, port_out=0, pooling_layer=[-1], show_tokens_to_client=True,
                           warm_up=False)
    with command.make_server(options) as server, client(server) as bert:
        vectors, tokens = bert.encode(["a ||| 我爱", "hello nonsense"], show_tokens=True)
        np.testing.assert_allclose(vectors, expected([("a", "我爱"), "hello nonsense"]), atol=1e-5)
        assert tokens == [["[CLS]", "a", "[SEP]", "我", "爱", "[SEP]"], ["[CLS]", "hello", "[UNK]", "[SEP]"]]
        np.testing.assert_allclose(bert.encode([["hello", "nonsense"]], is_tokenized=True)[0], vectors[1], atol=1e-5)
        same = {bert.encode(["我爱语言"] * n)[0].tobytes() for n in (1, 2)}
        config = bert.server_config
        assert len(same) == 1 and config["max_seq_len"] == 25 and config["pooling_layer"] == [-1]


def test_failures_are_told_at_once(folder, tmp_path):
    """Not `NoneType is not iterable`, which bert-as-service said to a wrong path."""
    with pytest.raises(FileNotFoundError, match="no .*nowhere"):
        command.serve(source=str(tmp_path / "nowhere"), quiet=True)
    with serving() as server, pytest.raises(OSError, match=rf"cannot listen at 127\.0\.0\.1:{server.port}.*--port"):
        command.serve(source=str(folder), port=server.port, port_out=0, quiet=True, warm_up=False)


@pytest.mark.parametrize("host", ["nowhere.invalid", "x" * 100, "192.0.2.1", "[2001:db8::1]"])
def test_a_host_that_is_not_this_machine(host):
    with pytest.raises(OSError, match=rf"cannot listen at {re.escape(host)}: .*--host"), serving(host=host):
        pass


def test_termination_is_for_those_who_may():
    with serving(host="0.0.0.0") as server, client(server) as bert:
        bert_serving.terminate(["-port", str(server.port)])
        bert.encode(["a"])
        assert not server.ended.is_set() and server.service.counters.numbers["refused"] == 1
    for options in ({}, {"host": "0.0.0.0", "allow_termination": True}):
        with serving(**options) as server:
            bert_serving.terminate(["-port", str(server.port)])
            assert server.ended.wait(10)


def test_stopping_answers_what_was_asked():
    found = []
    with serving(FakeEngine(seconds=0.2)) as server:
        clients = [client(server) for _ in range(5)]
        for bert in clients:
            bert.encode([f"{i}" for i in range(600)], blocking=False)
        while server.service.scheduler.pending < 1500:
            time.sleep(0.01)
        stopper = threading.Thread(target=server.stop)
        stopper.start()
        found = [bert.fetch_all()[0] for bert in clients]
        stopper.join()
    for vectors in found:
        np.testing.assert_array_equal(vectors, vectors_of([f"{i}" for i in range(600)]))


def test_stopping_in_haste_tells_the_rest():
    with serving(FakeEngine(seconds=0.3), drain_seconds=0.5, max_batch_size=10) as server:
        bert = client(server)
        bert.encode([f"{i}" for i in range(200)], blocking=False)
        while not server.service.scheduler.pending:
            time.sleep(0.01)
    (vectors,) = bert.fetch_all()
    assert vectors.shape == (200, 4) and np.isnan(vectors).all()


def test_bert_serving_start_options():
    options = bert_serving.start_options(
        "-model_dir m -num_worker=4 -max_seq_len NONE -pooling_layer -4 -3 -pooling_strategy CLS_TOKEN -port_in 1 "
        "-port_result 2 -http_port 8125 -cpu -show_tokens_to_client -device_map 0 1 -gpu_memory_fraction 0.3".split())
    assert (options.source, options.num_worker, options.max_seq_len, options.pooling_layer) == ("m", 4, "NONE", [-4, -3])
    assert (options.pooling_strategy, options.port, options.port_out, options.http_port) == ("CLS_TOKEN", 1, 2, 8125)
    assert options.cpu and options.show_tokens_to_client and options.device_map == [0, 1]


def test_bert_serving_start_defaults():
    """Those of bert-serving-start, one by one; only cors is stricter."""
    options = vars(bert_serving.start_options(["-model_dir", "m"]))
    expected = {
        "tuned_model_dir": None, "ckpt_name": "bert_model.ckpt", "config_name": "bert_config.json",
        "graph_tmp_dir": None, "max_seq_len": 25, "cased_tokenization": False, "pooling_layer": [-2],
        "pooling_strategy": "REDUCE_MEAN", "mask_cls_sep": False, "no_special_token": False,
        "show_tokens_to_client": False, "no_position_embeddings": False, "port": 5555, "port_out": 5556,
        "http_port": None, "http_max_connect": 10, "cors": "localhost", "num_worker": 1, "max_batch_size": 256,
        "priority_batch_size": 16, "cpu": False, "xla": False, "fp16": False, "gpu_memory_fraction": 0.5,
        "device_map": [], "prefetch_size": 10, "fixed_embed_length": False, "verbose": False, "host": "127.0.0.1"}
    assert {name: options[name] for name in expected} == expected


@pytest.mark.parametrize("arguments, reason", [
    ([], "required: -model_dir"), (["-model_dir", "m", "-max_seq_len", "3"], "max_seq_len is '3', expected NONE or"),
    (["-model_dir", "m", "-pooling_strategy", "MEAN"], "invalid choice: 'MEAN'"),
    (["-model_dir", "m", "-port", "70000"], "port is 70000, expected 0 to 65535"),
    (["-model_dir", "m", "-num_worker", "0"], "num_worker is 0, expected at least 1")])
def test_wrong_options(arguments, reason, capsys):
    with pytest.raises(SystemExit) as stop:
        bert_serving.start_options(arguments)
    assert stop.value.code == 2 and reason in capsys.readouterr().err


def test_options_of_the_verb(monkeypatch, capsys):
    """`tfplm serve` has the same options, with two dashes."""
    monkeypatch.setitem(cli.VERBS, "serve", ("tfplm.options.serve:ServeOptions", "serve sentence vectors"))
    options, _ = cli.parse("serve", "model --num-worker=2 --max-seq-len none --pooling-layer -4 -3 --pooling_strategy "
                                    "NONE --no-normalize --host 0.0.0.0 --device-map 1".split())
    assert (options.source, options.num_worker, options.max_seq_len) == ("model", 2, "NONE")
    assert options.pooling_layer == [-4, -3] and options.normalize is False and options.device_map == [1]
    assert not options.allow_termination and cli.parse("serve", ["model"])[0].allow_termination
    with pytest.raises(SystemExit):
        cli.main(["serve", "--help"])
    assert "--priority-batch-size" in capsys.readouterr().out


def test_version(capsys):
    with pytest.raises(SystemExit):
        bert_serving.start_options(["-version"])
    assert capsys.readouterr().out.strip() == f"bert-serving 1.10.0, tfplm {tfplm.__version__}"


def test_start_says_why_it_fails(tmp_path, capsys):
    assert bert_serving.start(["-model_dir", str(tmp_path / "nowhere"), "-quiet"]) == 1
    assert "bert-serving-start: " in capsys.readouterr().err

"""Every call of bert-serving-client 1.10.0, unmodified, against the server."""

import threading
import time

import numpy as np
import pytest

pytest.importorskip("bert_serving.client", reason="pip install bert-serving-client==1.10.0")
from bert_serving.client import BertClient, ConcurrentBertClient

from tests.serve.conftest import client, serving
from tests.serve.fake_engines import FakeEngine, vectors_of
from tfplm.serve.engines.vectors import VectorInfo
from tfplm.serve.zmq.protocol import VERSION

TEXTS = ["First do it", "然后做对", "then do it better", "把两句话放在一起 ||| 隔开"]


@pytest.fixture
def bert(server):
    with client(server) as connected:
        yield connected


def test_encode(bert):
    vectors = bert.encode(TEXTS)
    assert vectors.dtype == np.float32
    np.testing.assert_array_equal(vectors, vectors_of(TEXTS))


def test_encode_tokenized(bert):
    tokens = [["First", "do", "it"], ["然", "后"]]
    np.testing.assert_array_equal(bert.encode(tokens, is_tokenized=True), vectors_of(tokens))


def test_encode_many(bert):
    texts = [f"第{i}句" for i in range(5000)]
    np.testing.assert_array_equal(bert.encode(texts), vectors_of(texts))


def test_show_tokens(bert):
    vectors, tokens = bert.encode(["你好", "ab"], show_tokens=True)
    assert tokens == [["[CLS]", "你", "好", "[SEP]"], ["[CLS]", "a", "b", "[SEP]"]] and vectors.shape == (2, 4)


def test_tokens_that_the_server_does_not_show():
    with serving(FakeEngine()) as other, client(other) as bert, pytest.warns(UserWarning, match="does not support"):
        bert.encode(["a"], show_tokens=True)


def test_output_as_lists(server):
    with client(server, output_fmt="list") as bert:
        assert bert.encode(["a", "b"]) == vectors_of(["a", "b"]).tolist()


def test_encode_async(bert):
    batches = [[f"{i} {j}" for j in range(i % 5 + 1)] for i in range(40)]
    found = {reply.id: reply.embedding for reply in bert.encode_async(iter(batches), max_num_batch=30, delay=0.2)}
    first = min(found)  # the handshake was the request before
    assert sorted(found) == list(range(first, first + 30))
    for number, vectors in found.items():
        np.testing.assert_array_equal(vectors, vectors_of(batches[number - first]))


def test_fetch(bert):
    for text in TEXTS:
        bert.encode([text], blocking=False)
    assert {tuple(reply.embedding[0]) for reply in bert.fetch(delay=0.1)} == set(map(tuple, vectors_of(TEXTS)))


@pytest.mark.parametrize("concat", [False, True])
def test_fetch_all(bert, concat):
    for i in range(20):
        bert.encode([f"{i}a", f"{i}b"], blocking=False)
    found = bert.fetch_all(sort=True, concat=concat)
    expected = vectors_of([f"{i}{x}" for i in range(20) for x in "ab"])
    np.testing.assert_array_equal(found if concat else np.concatenate(found), expected)
    assert bert.fetch_all() is None


def test_answers_out_of_order(bert):
    """A blocking call in front of an answer that nobody has fetched. `fetch` of this client does not find an answer
    that came during such a call, but `_recv` does."""
    bert.encode(["a"] * 2000, blocking=False)
    number = bert.request_id
    np.testing.assert_array_equal(bert.encode(["b"]), vectors_of(["b"]))
    assert bert._recv_ndarray(number).embedding.shape == (2000, 4)


def test_concurrent_client(server):
    bert = ConcurrentBertClient(max_concurrency=5, port=server.port, port_out=server.port_out, timeout=20_000)
    found = {}

    def ask(number):
        found[number] = bert.encode([f"{number}"])

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i in range(5):
        np.testing.assert_array_equal(found[i], vectors_of([f"{i}"]))
    assert bert.server_config["server_version"] == VERSION
    bert.close()


RUNTIME = {"client", "num_process", "ventilator -> worker", "worker -> sink", "ventilator <-> sink",
           "server_current_time", "device_map", "num_concurrent_socket"}
ARGUMENTS = {
    "ckpt_name", "config_name", "cors", "cpu", "device_map", "do_lower_case", "fixed_embed_length", "fp16",
    "gpu_memory_fraction", "graph_tmp_dir", "http_max_connect", "http_port", "mask_cls_sep", "max_batch_size",
    "max_seq_len", "model_dir", "no_position_embeddings", "no_special_token", "num_labels", "num_worker",
    "pooling_layer", "pooling_strategy", "port", "port_out", "prefetch_size", "priority_batch_size",
    "show_tokens_to_client", "tuned_model_dir", "verbose", "xla"}
STATIC = {"tensorflow_version", "python_version", "server_version", "pyzmq_version", "zmq_version",
          "server_start_time"}
STATISTIC = {"num_data_request", "num_total_seq", "num_sys_request", "num_total_request", "num_total_client",
             "num_active_client"} | {
    f"{kind}_{name}" for kind in ("avg", "min", "max", "num_min", "num_max")
    for name in ("request_per_client", "size_per_request", "last_two_interval", "request_per_second")}


def test_server_config(server, bert):
    config = bert.server_config
    assert set(config) >= RUNTIME | ARGUMENTS | STATIC
    assert config["server_version"] == "1.10.0" and config["tfplm_version"]
    assert config["client"] == bert.identity.decode()
    assert (config["port"], config["port_out"]) == (server.port, server.port_out)
    assert config["pooling_strategy"] == 2 and config["pooling_layer"] == [-2] and config["max_seq_len"] is None
    assert config["show_tokens_to_client"] is True and config["num_concurrent_socket"] == 8
    assert all(isinstance(part, str) for part in config["tensorflow_version"])


def test_server_status():
    with serving() as server, client(server) as bert:
        bert.encode(["a", "b", "c"])
        bert.encode(["d"])
        status = bert.server_status
    statistic = status["statistic"]
    assert set(statistic) == STATISTIC and set(status) >= RUNTIME | ARGUMENTS | STATIC
    assert statistic["num_data_request"] == 2 and statistic["num_total_seq"] == 4
    assert statistic["num_sys_request"] == 2 and statistic["num_total_request"] == 4  # the handshake, and this
    assert statistic["num_total_client"] == statistic["num_active_client"] == 1
    assert (statistic["avg_size_per_request"], statistic["max_size_per_request"]) == (2.0, 3)


def test_a_server_with_a_length_limit(recwarn):
    with serving(max_seq_len=5) as server, client(server) as bert:
        assert bert.length_limit == 5
        with pytest.warns(UserWarning, match='more tokens than "max_seq_len=5"'):
            bert.encode(["one two three four five six"])


def test_without_checks(server):
    """No handshake: the first answer may be ready before the client listens."""
    for i in range(30):
        with client(server, ignore_all_checks=True) as bert:
            np.testing.assert_array_equal(bert.encode([f"{i}"]), vectors_of([f"{i}"]))


def test_show_server_config(server, capsys):
    client(server, show_server_config=True).close()
    assert "server_version" in capsys.readouterr().out


def test_timeout():
    with serving(FakeEngine(seconds=1.0)) as server, client(server) as bert:
        bert.timeout = 100
        with pytest.raises(TimeoutError, match="no response from the server"):
            bert.encode(["a"])
        bert.timeout = 20_000
        np.testing.assert_array_equal(bert.encode(["b"]), vectors_of(["b"]))


def test_a_server_that_is_not_there_yet():
    """Clients may come first: the ports are known from a server that is gone."""
    with serving() as server:
        ports = {"port": server.port, "port_out": server.port_out}
    found = []
    thread = threading.Thread(target=lambda: found.append(BertClient(**ports, timeout=20_000)))
    thread.start()
    time.sleep(0.3)
    with serving(**ports):
        thread.join()
        np.testing.assert_array_equal(found[0].encode(["a"]), vectors_of(["a"]))
        found[0].close()


def test_a_server_that_was_restarted():
    with serving() as server:
        ports = {"port": server.port, "port_out": server.port_out}
        bert = client(server)
        bert.encode(["a"])
    with serving(**ports):
        np.testing.assert_array_equal(bert.encode(["b"]), vectors_of(["b"]))
        bert.close()


def test_clones_receive_the_same(server):
    """Two clients of one identity: the documented way of multicast."""
    keywords = {"identity": b"twins", "ignore_all_checks": True}
    with client(server, **keywords) as first, client(server, **keywords) as second:
        time.sleep(0.2)
        first.encode(["a"], blocking=False)
        second.pending_request.add(first.request_id)
        for bert in (first, second):
            np.testing.assert_array_equal(bert.fetch_all()[0], vectors_of(["a"]))


def test_one_after_the_other_with_the_same_identity(server):
    """The connection of the first may still be there when the second asks."""
    for i in range(50):
        with client(server, identity=b"always me", ignore_all_checks=bool(i % 2)) as bert:
            np.testing.assert_array_equal(bert.encode([f"{i}"]), vectors_of([f"{i}"]))


def test_vectors_of_tokens_and_float16():
    info = VectorInfo(4, dtype="float16", per_token=True, fixed_length=6)
    with serving(FakeEngine(info=info), pooling_strategy="NONE", max_seq_len=6, fp16=True) as server, \
            client(server) as bert:
        vectors = bert.encode(["a", "ab"])
    assert vectors.shape == (2, 6, 4) and vectors.dtype == np.float16 and not vectors[0, 3:].any()


def test_a_failed_request_is_answered(server):
    with client(server) as bert:
        vectors = bert.encode(["a", "poison", "b"])
        assert vectors.shape == (3, 4) and np.isnan(vectors).all()
        np.testing.assert_array_equal(bert.encode(["a"]), vectors_of(["a"]))

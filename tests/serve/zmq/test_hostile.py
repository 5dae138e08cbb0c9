"""The server under many clients, dying clients, garbage, scans, huge requests, idle connections and dying workers."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading

import numpy as np
import pytest

pytest.importorskip("bert_serving.client", reason="pip install bert-serving-client==1.10.0")
import zmq

from tests.serve.conftest import client, eventually, serving, works
from tests.serve.fake_engines import FakeEngine, make_engine, vectors_of
from tfplm.serve.engines.process_engine import start_engines
from tfplm.serve.engines.vectors import VectorInfo


class Raw:
    """Frames of one's own choice."""

    def __init__(self, server, identity: bytes = b"raw"):
        self.context = zmq.Context()
        self.out, self.back = self.context.socket(zmq.PUSH), self.context.socket(zmq.SUB)
        self.out.linger = self.back.linger = 0
        self.back.rcvtimeo = 20_000
        self.out.connect(f"tcp://127.0.0.1:{server.port}")
        self.back.subscribe(identity)
        self.back.connect(f"tcp://127.0.0.1:{server.port_out}")
        self.identity = identity

    def ask(self, message: bytes, length: int = 1, number: int = 1):
        self.out.send_multipart([self.identity, message, b"%d" % number, b"%d" % length])
        frames = self.back.recv_multipart()
        assert frames[0] == self.identity and int(frames[3]) == number
        info = json.loads(frames[1])
        return info, np.frombuffer(frames[2], info["dtype"]).reshape(info["shape"])

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.context.destroy(linger=0)


@pytest.mark.parametrize("checks", [True, False])
def test_500_fresh_clients_in_a_row(server, checks):
    for i in range(250):
        with client(server, ignore_all_checks=not checks) as bert:
            np.testing.assert_array_equal(bert.encode([f"第{i}位"]), vectors_of([f"第{i}位"]))


def test_100_clients_at_once():
    with serving(FakeEngine(seconds=0.002)) as server:
        wrong, barrier = [], threading.Barrier(100)

        def ask(number):
            with client(server) as bert:
                barrier.wait()
                for i in range(5):
                    texts = [f"{number} {i} {j}" for j in range(number % 20 + 1)]
                    if not np.array_equal(bert.encode(texts), vectors_of(texts)):
                        wrong.append(number)

        threads = [threading.Thread(target=ask, args=(i,)) for i in range(100)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert not wrong and not any(thread.is_alive() for thread in threads)
        assert server.service.counters.numbers["batches"] < 500  # requests shared batches


def test_a_client_killed_in_the_middle_of_a_request():
    with serving(FakeEngine(seconds=0.05)) as server:
        server.zmq.outbox.grace = 0.2
        code = ("from bert_serving.client import BertClient\n"
                f"bc = BertClient(port={server.port}, port_out={server.port_out})\n"
                "bc.encode(['a'] * 200000, blocking=False)\nprint('sent', flush=True)\nimport time; time.sleep(60)")
        victim = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
        assert victim.stdout.readline().strip() == b"sent"
        assert eventually(lambda: server.service.scheduler.pending)
        assert works(server)  # a small request passes the large one
        victim.kill()
        victim.communicate()
        assert eventually(lambda: server.service.scheduler.pending == 0)
        assert server.service.counters.numbers["cancelled"] == 1
        assert works(server)


GARBAGE = [
    [b""], [b"a"], [b"a", b"b"], [b""] * 4, [b"a"] * 4, [b"\xff" * 300, b"[]", b"1", b"1"], [b"x"] * 500,
    [b"raw", b"\x00\x01\x02", b"1", b"-5"], [b"raw", b"[" * 100_000, b"1", b"1"], [b"x", b"SHOW_CONFIG", b"x", b"0"],
    [b"y", b"SHOW_STATUS ", b"1", b"0"], [b"\xff\xfe", b"SHOW_CONFIG", b"1", b"0"], [b"z", b"[1e999]", b"1", b"9"],
]


def test_garbage_frames(server):
    with Raw(server) as raw:
        for frames in GARBAGE * 20:
            raw.out.send_multipart(frames)
        random = np.random.default_rng(0)
        for _ in range(500):
            raw.out.send_multipart([random.bytes(random.integers(0, 40)) for _ in range(random.integers(1, 7))])
        assert works(server)
        assert eventually(lambda: server.service.counters.numbers["malformed"] > 500)
    # who speaks the protocol, and says nonsense, is told so
    with Raw(server, b"nonsense") as raw:
        for message, reason in ((b"nonsense", "no JSON"), (b"[]", "at least one"), (b'["a", 1]', "sequence 1 is 1"),
                                (b"{}", "expected a list"), (b'["\\ud800"]', "not Unicode")):
            info, vectors = raw.ask(message, 2)
            assert reason in info["error"] and vectors.shape == (2, 4) and np.isnan(vectors).all()
        info, vectors = raw.ask(b'["a"]')
        assert "error" not in info and (vectors == vectors_of(["a"])).all()
    assert server.service.counters.numbers["internal_errors"] == 0


def test_garbage_from_subscribers(server):
    with Raw(server) as raw:
        for _ in range(200):
            raw.back.subscribe(os.urandom(30))
        publisher = raw.context.socket(zmq.XSUB)
        publisher.linger = 0
        publisher.connect(f"tcp://127.0.0.1:{server.port_out}")
        for frame in (b"", b"\x07abc", b"\x01" + b"t" * 3000, b"\x00never"):
            publisher.send(frame)
        assert works(server)


@pytest.mark.parametrize("topic", [b"", b"v"])
def test_a_subscriber_to_the_replies_of_others_that_does_not_read(topic):
    """To all of them, or to those of many clients: nobody waits for it."""
    large = FakeEngine(info=VectorInfo(4, per_token=True, fixed_length=1000))
    with serving(large) as server, Raw(server, b"raw") as raw:
        server.zmq.outbox.stuck_seconds = 0.1
        stuck = raw.context.socket(zmq.SUB)
        stuck.linger, stuck.rcvhwm = 0, 1
        stuck.subscribe(topic)
        stuck.subscribe(b"raw")  # so that one sees when it is there
        stuck.connect(f"tcp://127.0.0.1:{server.port_out}")
        assert eventually(lambda: server.zmq.outbox.subscribers and server.zmq.outbox._topics[b"raw"] == 2)
        with client(server, identity=b"victim", check_length=False) as bert:
            for _ in range(100):  # more than its pipe and TCP keep for it
                assert bert.encode(["a"] * 100).shape == (100, 1000, 4)


def test_a_port_scan(server):
    for port in (server.port, server.port_out):
        probes = []
        for message in (b"", b"GET / HTTP/1.0\r\n\r\n", b"\x00" * 64, os.urandom(2000), b"\xff" + b"\x00" * 8 + b"\x7f",
                        b"\xff\x00\x00\x00\x00\x00\x00\x00\x01\x7f\x03\x00NULL") * 10:
            probe = socket.create_connection(("127.0.0.1", port), timeout=5)
            probe.sendall(message)
            probes.append(probe)
        for probe in probes[::2]:
            probe.close()
        assert works(server)
        for probe in probes[1::2]:
            probe.close()
    assert works(server)


def test_a_request_of_100_megabytes():
    """Above the limit: told so; far above it: cut off. Others are served."""
    with serving(max_request_mb=32) as server, Raw(server) as raw:
        sentences = 4000
        message = json.dumps(["x" * 26_000] * sentences).encode()
        assert len(message) > 100_000_000
        info, vectors = raw.ask(message, sentences)
        assert "104,016,000 bytes, more than 33,554,432" in info["error"] and vectors.shape == (sentences, 4)
        raw.out.send_multipart([b"raw", bytes(140 << 20), b"2", b"1"])
        assert works(server)


def test_a_request_within_the_limits_is_served_whatever_its_size():
    with serving(FakeEngine(), max_request_mb=128) as server, client(server) as bert:
        texts = [f"{i} " + "很长" * 1000 for i in range(6000)]
        np.testing.assert_array_equal(bert.encode(texts)[[0, 5999]], vectors_of([texts[0], texts[5999]]))


def test_too_many_sequences_and_too_large_replies():
    with serving(max_request_sequences=10, max_reply_mb=1) as server, Raw(server) as raw:
        info, vectors = raw.ask(json.dumps(["a"] * 11).encode(), 11)
        assert "11 sequences in one request, more than 10" in info["error"] and vectors.shape == (11, 4)
        server.service.limits = type(server.service.limits)()
        info, vectors = raw.ask(json.dumps(["a"] * 70_000).encode(), 70_000, 2)
        assert "take 1,120,000 bytes, more than 1,048,576" in info["error"]
        info, vectors = raw.ask(b"[]", 10**17, 3)
        assert vectors.nbytes <= 1 << 24


def test_a_killed_worker():
    engines = start_engines(make_engine, [(0.001,), (0.001,)])
    with serving(*engines, num_worker=2, max_batch_size=16) as server, client(server) as bert:
        for round_ in range(3):
            for i in range(40):
                bert.encode([f"{round_} {i} {j}" for j in range(30)], blocking=False)
            os.kill(engines[round_ % 2].pid, getattr(signal, "SIGKILL", signal.SIGTERM))
            found = bert.fetch_all(sort=True, concat=True)
            np.testing.assert_array_equal(
                found, vectors_of([f"{round_} {i} {j}" for i in range(40) for j in range(30)]))
            assert eventually(lambda: all(server.service.workers.alive))
        assert np.isnan(bert.encode(["die"])).all()  # it kills two workers, then is given up
        np.testing.assert_array_equal(bert.encode(["a"]), vectors_of(["a"]))


def test_memory_stays_bounded_under_clients_that_never_listen(server):
    """Requests whose senders never subscribe, and subscribers who never ask."""
    with Raw(server) as raw:
        for i in range(3000):
            raw.out.send_multipart([b"ghost %d" % i, b"SHOW_CONFIG", b"1", b"0"])
            raw.out.send_multipart([b"ghost %d" % i, b'["a"]', b"2", b"1"])
        assert works(server)
        box = server.zmq.outbox  # while `raw` is open: what it has not sent by then, it would drop
        assert eventually(lambda: 6000 <= box.waiting <= 10_000)
    assert box.bytes < 20_000_000
    server.service.statistics.count(b"x", 1)
    assert len(server.service.statistics._requests) <= 500

"""Clients that send faster than they are served, do not read, or say nothing for long."""

import socket
import threading
import time

import numpy as np
import pytest

pytest.importorskip("bert_serving.client", reason="pip install bert-serving-client==1.10.0")
from bert_serving.client import BertClient

from tests.serve.conftest import client, eventually, serving, works
from tests.serve.fake_engines import FakeEngine, HeldEngine, vectors_of
from tfplm.serve.zmq import outbox


def test_back_pressure():
    """More than the queue holds: clients wait, nothing is lost, memory stays."""
    engine = HeldEngine()
    with serving(engine, max_queue=500, max_batch_size=100) as server, client(server) as bert:
        try:
            for i in range(300):
                bert.encode([f"{i} {j}" for j in range(20)], blocking=False)
            assert eventually(lambda: server.service.scheduler.pending >= 500)
            time.sleep(0.2)  # for what would come on top
            assert server.service.scheduler.pending == 500
        finally:
            engine.go.set()
        found = bert.fetch_all(sort=True, concat=True)
        np.testing.assert_array_equal(found, vectors_of([f"{i} {j}" for i in range(300) for j in range(20)]))


def test_back_pressure_of_long_texts():
    """Few sequences, but many bytes."""
    engine = HeldEngine()
    with serving(engine, max_request_mb=1, max_batch_size=1) as server, client(server) as bert:
        try:
            for i in range(20):
                bert.encode([f"{i} " + "x" * 500_000], blocking=False)
            assert eventually(lambda: server.service.scheduler.full)
            assert server.service.scheduler.pending == 9
        finally:
            engine.go.set()
        assert len(bert.fetch_all()) == 20


def test_a_client_that_does_not_read(monkeypatch):
    """More replies than sockets buffer: they are kept, however many, and come when the client reads."""
    monkeypatch.setattr(outbox, "REPLIES", 1)
    with serving(FakeEngine()) as server, client(server) as slow:
        slow.receiver.rcvhwm = 1  # holds for connections made later
        slow.receiver.disconnect(f"tcp://localhost:{server.port_out}")
        slow.receiver.connect(f"tcp://localhost:{server.port_out}")
        time.sleep(0.5)  # a reply that goes to the old connection, while it ends, is lost
        assert slow.encode(["a"]).shape == (1, 4)  # the new connection has subscribed: no reply is unclaimed
        for i in range(100):
            slow.encode([f"{i} {j}" for j in range(5000)], blocking=False)
        assert eventually(lambda: server.service.scheduler.pending == 0 and server.service.counters.numbers["requests"])
        assert works(server)
        assert eventually(lambda: server.zmq.outbox.waiting > 1)
        found = slow.fetch_all(sort=True)
        assert len(found) == 100 and all(vectors.shape == (5000, 4) for vectors in found)


class Proxy(threading.Thread):
    """A TCP relay that forgets connections that were silent for `patience` looks of 0.05 s, as firewalls do. Looks,
    not time: a machine that pauses must not look like silence."""

    def __init__(self, port: int, patience: int):
        super().__init__(daemon=True)
        self.target, self.patience, self.looks, self.forgotten = port, patience, 0, 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.start()

    def run(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self.target))
            state = {"silent": 0}
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self.relay, args=(source, sink, state), daemon=True).start()

    def relay(self, source, sink, state):
        source.settimeout(0.05)
        while True:
            try:
                data = source.recv(1 << 16)
            except TimeoutError:
                self.looks += 1
                state["silent"] += 1  # by both directions
                if state["silent"] > 2 * self.patience:
                    self.forgotten += 1
                    return  # silently: neither side is told
                continue
            except OSError:
                return
            if not data:
                sink.close()
                return
            state["silent"] = 0
            sink.sendall(data)


@pytest.mark.parametrize("heartbeat", [0.2, 0.0])
def test_an_idle_connection_behind_a_firewall(heartbeat):
    """Signs of life keep the connection; without them it is forgotten, and the client waits in vain."""
    with serving(heartbeat=heartbeat) as server:
        proxies = Proxy(server.port, 20), Proxy(server.port_out, 20)
        with BertClient(port=proxies[0].port, port_out=proxies[1].port, timeout=20_000) as bert:
            assert bert.encode(["a"]).shape == (1, 4)
            assert eventually(lambda: all(proxy.looks > 80 if heartbeat else proxy.forgotten == 2 for proxy in proxies))
            if heartbeat:
                assert bert.encode(["a"]).shape == (1, 4) and not proxies[0].forgotten + proxies[1].forgotten
            else:
                bert.timeout = 2000
                with pytest.raises(TimeoutError):
                    bert.encode(["a"])
        for proxy in proxies:
            proxy.listener.close()

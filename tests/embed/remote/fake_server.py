"""A server that speaks bert-as-service's protocol by pyzmq's own sockets, and fails when it is told to."""

import contextlib
import json
import threading

import numpy as np
import zmq


class FakeServer(threading.Thread):
    """Answers with the vectors of `encoder`.

    ends, falls_silent: after so many requests for vectors it closes its sockets, or answers none any more. config: changes
    of what SHOW_CONFIG tells. about: changes of what is told with the vectors. content: their bytes.
    """

    def __init__(self, encoder, ends: int = 10**9, falls_silent: int = 10**9, config: dict | None = None,
                 about: dict | None = None, content: bytes | None = None):
        super().__init__(daemon=True)
        self.encoder, self.left, self.heard, self.config = encoder, ends, falls_silent, config or {}
        self.about, self.content, self.requests = about or {}, content, []
        self.context, self.over = zmq.Context(), threading.Event()
        self.pull, self.pub = self.context.socket(zmq.PULL), self.context.socket(zmq.PUB)
        self.port, self.port_out = (each.bind_to_random_port("tcp://127.0.0.1") for each in (self.pull, self.pub))
        self.url = f"tcp://127.0.0.1:{self.port}?port_out={self.port_out}"

    def run(self) -> None:
        while not self.over.is_set() and self.left:
            if self.pull.poll(20):
                self._answer(*self.pull.recv_multipart())
        self.pull.close(0)
        self.pub.close(0)

    def _answer(self, identity: bytes, message: bytes, number: bytes, count: bytes) -> None:
        if message == b"SHOW_CONFIG":
            config = {"server_version": "1.10.0", "max_seq_len": None, "pooling_strategy": 2, "pooling_layer": [-2]}
            self.pub.send_multipart([identity, json.dumps({**config, **self.config}).encode(), number])
            return
        texts = json.loads(message)
        assert len(texts) == int(count)
        self.requests.append(texts)
        if self.heard:
            self.heard -= 1
            vectors = np.asarray(self.encoder.encode(texts), np.float32)
            about = {"dtype": "float32", "shape": vectors.shape, "tokens": "", **self.about}
            self.pub.send_multipart([identity, json.dumps(about).encode(), self.content or vectors.tobytes(), number])
        self.left -= 1

    def stop(self) -> None:
        self.over.set()
        self.join()
        self.context.destroy(0)


@contextlib.contextmanager
def serving(encoder, **changes):
    server = FakeServer(encoder, **changes)
    server.start()
    try:
        yield server
    finally:
        server.stop()

"""The whole server: engines, and ZeroMQ and HTTP in front of them."""

import threading
from collections.abc import Sequence

from tfplm.options.serve import ServeOptions
from tfplm.serve.engines.engine import Engine
from tfplm.serve.engines.vectors import VectorInfo
from tfplm.serve.ports import Ports, open_ports
from tfplm.serve.queue.service import Service
from tfplm.serve.zmq.server import ZmqServer


class Server:
    """Serves from `start` to `stop`, or as long as a `with` block lasts; the work is done in threads.

    ZeroMQ is for vectors; other engines are served over HTTP alone.

        with Server(ServeOptions(source="bert-base-chinese", port=0, port_out=0), engines) as server:
            client = BertClient(port=server.port, port_out=server.port_out)

    Args:
        engines: one for each worker, alike; `tfplm.serve.command.make_engines` makes them. They are closed by `stop`.
        ports: that were opened before the engines were made; None: those that the options name.

    Attributes: `port`, `port_out`, `http_port`, None for an interface that is not served.

    Raises:
        OSError: a port is not to be had. ValueError: no interface would be served.
    """

    def __init__(self, options: ServeOptions, engines: Sequence[Engine], ports: Ports | None = None):
        self.options, self.engines, self.ended = options, engines, threading.Event()
        self._stopping, self._served = threading.Lock(), False
        self._stopped = False
        self.service = Service(options, engines)
        vectors = isinstance(self.service.info, VectorInfo)
        if not vectors and options.http_port is None:
            raise ValueError("http_port is None, but an engine without vectors is served over HTTP alone: give a port")
        self._ports = ports or open_ports(options, vectors)
        try:
            self._http = self._make_http()
            self.zmq = ZmqServer(self.service, self.ended.set, self._ports) if vectors else None
        except BaseException:
            self._ports.close()
            raise
        self.port = self.zmq.port if self.zmq else None
        self.port_out = self.zmq.port_out if self.zmq else None
        self.http_port = self._http.port if self._http else None

    def _make_http(self):
        if self._ports.http is None:
            return None
        from tfplm.serve.http.thread import HttpThread

        return HttpThread(self.service, self._ports.http)

    def start(self) -> "Server":
        self.service.start()
        if self.zmq:
            self.zmq.start()
        if self._http:
            self._http.start()
        return self

    def wait(self) -> None:
        """Returns when a client has asked the server to stop (TERMINATION), or a signal's handler has set `ended`.

        RuntimeError if an interface has ended by itself, so that nobody is answered any more.
        """
        while not self.ended.wait(0.5):  # with a timeout, signals get through on every system
            for name, interface in (("ZeroMQ", self.zmq), ("HTTP", self._http)):
                if interface is not None and not interface.alive:
                    raise RuntimeError(f"the thread of {name} has ended; the log tells why: start the server again")

    def stop(self) -> bool:
        """Drains pending requests for up to `drain_seconds`; returns True if all were answered. Idempotent."""
        with self._stopping:
            if not self._stopped:
                seconds = self.options.drain_seconds
                if self._http:
                    self._http.stop(seconds)
                served = self.zmq.stop(seconds) if self.zmq else True
                self._served = self.service.stop(1.0 if seconds else 0.0) and served
                self._stopped = True
                self.ended.set()
            return self._served

    def __enter__(self) -> "Server":
        return self.start()

    def __exit__(self, *error) -> None:
        self.stop()

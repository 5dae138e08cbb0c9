"""The whole server: engines, and ZeroMQ and HTTP in front of them."""

import threading
from collections.abc import Sequence

from tfplm.options.serve import ServeOptions
from tfplm.serve.engines.engine import Engine
from tfplm.serve.engines.vectors import VectorInfo
from tfplm.serve.queue.service import Service
from tfplm.serve.zmq.server import ZmqServer


class Server:
    """Serves from `start` to `stop`, or as long as a `with` block lasts; the work is done in threads.

    ZeroMQ is for vectors; other engines are served over HTTP alone.

        with Server(ServeOptions(source="bert-base-chinese", port=0, port_out=0), engines) as server:
            client = BertClient(port=server.port, port_out=server.port_out)

    Args:
        engines: one for each worker, alike; `tfplm.serve.command.make_engines` makes them. They are closed by `stop`.

    Attributes: `port`, `port_out`, `http_port`, None for an interface that is not served.

    Raises:
        OSError: a port is not to be had. ValueError: no interface would be served.
    """

    def __init__(self, options: ServeOptions, engines: Sequence[Engine]):
        self.options, self.engines, self.ended = options, engines, threading.Event()
        self._stopping, self._served = threading.Lock(), False
        self._stopped = False
        self.service = Service(options, engines)
        self.zmq = ZmqServer(self.service, self.ended.set) if isinstance(self.service.info, VectorInfo) else None
        self.port = self.zmq.port if self.zmq else None
        self.port_out = self.zmq.port_out if self.zmq else None
        self._http = self.http_port = None
        if options.http_port is not None:
            try:
                from tfplm.serve.http.thread import HttpThread

                self._http = HttpThread(self.service)
            except BaseException:
                if self.zmq:
                    self.zmq.start()
                    self.zmq.stop(0)
                raise
            self.http_port = self._http.port
        elif not self.zmq:
            raise ValueError("http_port is None, but an engine without vectors is served over HTTP alone: give a port")

    def start(self) -> "Server":
        self.service.start()
        if self.zmq:
            self.zmq.start()
        if self._http:
            self._http.start()
        return self

    def wait(self) -> None:
        """Returns when a client has asked the server to stop (TERMINATION), or a signal's handler has set `ended`."""
        while not self.ended.wait(0.5):  # with a timeout, signals get through on every system
            pass

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

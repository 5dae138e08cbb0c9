"""uvicorn in a thread."""

import logging
import socket
import threading
import time

import uvicorn

from tfplm.serve.http.app import make_app
from tfplm.serve.http.connections import Connections, guarded
from tfplm.serve.ports import listen, port_of
from tfplm.serve.queue.limits import connections_of_a_protocol
from tfplm.serve.queue.service import Service


class HttpThread:
    """Serves the HTTP interface of a service from `start` to `stop`; the port is taken at once.

    Args:
        listener: None: a socket at the port that the options name. OSError where it is not to be had.
    """

    def __init__(self, service: Service, listener: socket.socket | None = None):
        self._socket = listener or listen(service.options, "http_port")
        self.port = port_of(self._socket)
        service.listens_at(http_port=self.port)
        self.connections = Connections(connections_of_a_protocol())
        self._app = make_app(service)
        config = uvicorn.Config(self._app, log_level=logging.WARNING, access_log=False, lifespan="off",
                                limit_concurrency=None, timeout_keep_alive=30, log_config=None, ws="none",
                                http=guarded(self.connections), server_header=False)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._socket]},
                                        name="tfplm-http", daemon=True)

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def start(self) -> None:
        self._thread.start()
        while not self._server.started and self._thread.is_alive():
            time.sleep(0.005)

    def stop(self, seconds: float) -> None:
        """Drains pending requests for up to `seconds`; those that do not come in whole are given up."""
        self._server.config.timeout_graceful_shutdown = max(1, int(seconds))
        self._server.should_exit = True
        end = time.monotonic() + seconds + 5
        while self._thread.is_alive() and time.monotonic() < end:
            if (limits := getattr(self._app.state, "limits", None)) is not None:
                limits.give_up_still()
            self._thread.join(0.2)
        self._socket.close()

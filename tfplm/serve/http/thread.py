"""uvicorn in a thread."""

import logging
import socket
import threading
import time

import uvicorn

from tfplm.serve.http.app import make_app
from tfplm.serve.queue.service import Service


class HttpThread:
    """Serves the HTTP interface of a service from `start` to `stop`; the port is taken at once.

    OSError where the port is not to be had.
    """

    def __init__(self, service: Service):
        options = service.options
        host, port = ("0.0.0.0" if options.host == "*" else options.host), options.http_port
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            self._socket = socket.create_server((host, port), family=family, backlog=256)
        except OSError as error:
            raise OSError(f"cannot listen at {host}:{port}: {error.strerror}; choose another --http-port, or stop the "
                          "program that has it") from None
        self.port = self._socket.getsockname()[1]
        service.listens_at(http_port=self.port)
        config = uvicorn.Config(make_app(service), log_level=logging.WARNING, access_log=False, lifespan="off",
                                limit_concurrency=None, timeout_keep_alive=30, log_config=None)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._socket]},
                                        name="tfplm-http", daemon=True)

    def start(self) -> None:
        self._thread.start()
        while not self._server.started and self._thread.is_alive():
            time.sleep(0.005)

    def stop(self, seconds: float) -> None:
        """Drains pending requests for up to `seconds`."""
        self._server.config.timeout_graceful_shutdown = max(1, int(seconds))
        self._server.should_exit = True
        self._thread.join(seconds + 5)
        self._socket.close()

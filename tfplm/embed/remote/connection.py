"""The client's side of bert-as-service's protocol (Xiao 2018): a question, and the wait for its answer.

    question   PUSH to `port`        identity | message | number | count of sequences
    answer     SUB to `port_out`     identity | ... | number         subscribed to the identity

bert-serving-client waits for ever where a server is missing or ends; here each of that is an error.
"""

import contextlib
import socket
import threading
import time
import uuid

from tfplm.embed.remote.address import Address, endpoint

CONNECTING = 30.0  # the most seconds until a server answers at all
_AGAIN = 1.0  # seconds until it is asked again: an answer before the subscription is lost
_HEARTBEAT, _SILENCE = 5_000, 60_000  # ms between signs of life, and without one until the connection counts as closed


class Connection:
    """A connection that is made with the first question, and after an error with the next one. For several threads.

    seconds: the most that an answer may take, once the server has told who it is.
    """

    def __init__(self, address: Address, seconds: float):
        try:
            import zmq
        except ImportError:
            raise ImportError("asking a server of vectors needs pyzmq: pip install -e '.[serve]'") from None
        if not seconds > 0:
            raise ValueError(f"the timeout of {address} is {seconds}, expected more than 0 seconds")
        self.address, self.seconds, self._greeting = address, seconds, b""
        self._zmq, self._turn = zmq, threading.Lock()
        self._identity, self._number = uuid.uuid4().hex.encode(), 0
        self._context = self._sender = self._receiver = None

    def ask(self, message: bytes, count: int = 0, what: str = "a request") -> list[bytes]:
        """The frames of the answer. what: names the question in errors.

        Raises ConnectionError if there is no server, or if it ends, and TimeoutError if it does not answer.
        """
        with self._turn:
            try:
                if self._context is None:
                    self._open()
                end = time.monotonic() + self.seconds
                frames = self._answer({self._ask(message, count)}, end)
                if frames is None:
                    raise TimeoutError(f"{self.address} has not answered {what} within {self.seconds:g} s, expected an "
                                       "answer by then: look whether it is overloaded, or give it more time (timeout=, "
                                       "--encoder-timeout)")
                return frames
            except BaseException:
                self._close()
                raise

    def close(self) -> None:
        with self._turn:
            self._close()

    def hello(self) -> bytes:
        """The server's description of itself, in JSON."""
        with self._turn:
            try:
                if self._context is None:
                    self._open()
                return self._greeting
            except BaseException:
                self._close()
                raise

    def _reached(self, port: int) -> str:
        """The address of the host at which this port is open: ZeroMQ would try one alone, again and again without a word."""
        try:
            with socket.create_connection((self.address.host, port), CONNECTING) as connected:
                return connected.getpeername()[0]
        except (OSError, UnicodeError) as error:
            reason = getattr(error, "strerror", None) or error
            raise ConnectionError(f"nobody answers at {self.address.host}:{port} ({reason}), expected a server of "
                                  f"bert-as-service at {self.address}: start one (tfplm serve MODEL), or give its address "
                                  "(tcp://HOST:PORT)") from None

    def _open(self) -> None:
        ports = self.address.port, self.address.port_out
        hosts = [self._reached(port) for port in ports]
        zmq = self._zmq
        self._context = zmq.Context()
        self._sender, self._receiver = self._context.socket(zmq.PUSH), self._context.socket(zmq.SUB)
        self._poller = zmq.Poller()
        self._poller.register(self._receiver, zmq.POLLIN)
        for each, host, port in zip((self._sender, self._receiver), hosts, ports, strict=True):
            each.linger, each.ipv6, each.heartbeat_ivl, each.heartbeat_timeout = 0, ":" in host, _HEARTBEAT, _SILENCE
            self._poller.register(each.get_monitor_socket(zmq.EVENT_DISCONNECTED), zmq.POLLIN)
            each.connect(endpoint(host, port))
        self._receiver.subscribe(self._identity)
        self._greeting = self._greeted()

    def _greeted(self) -> bytes:
        end, asked = time.monotonic() + CONNECTING, set()
        while time.monotonic() < end:
            asked.add(self._ask(b"SHOW_CONFIG", 1))
            if (frames := self._answer(asked, min(end, time.monotonic() + _AGAIN))) is not None:
                return frames[1]
        raise TimeoutError(f"{self.address} does not tell its configuration, expected a server of bert-as-service: look "
                           "whether another program has this port, or the server is overloaded")

    def _ask(self, message: bytes, count: int) -> bytes:
        """Sends a question and returns its number."""
        self._number += 1
        number = b"%d" % self._number
        self._sender.send_multipart([self._identity, message, number, b"%d" % count])
        return number

    def _answer(self, numbers: set[bytes], end: float) -> list[bytes] | None:
        """The answer to one of these questions; None if it has not come by then."""
        while (left := end - time.monotonic()) > 0:
            ready = dict(self._poller.poll(1000 * left))
            if self._receiver in ready:
                frames = self._receiver.recv_multipart()
                if frames[-1] in numbers and len(frames) > 2:
                    return frames
            elif ready:
                raise ConnectionError(f"{self.address} has closed the connection before it answered, expected a server that "
                                      "keeps running: start it again, and repeat the call")
        return None

    def _close(self) -> None:
        if self._context is not None:
            for each in (self._sender, self._receiver):
                with contextlib.suppress(self._zmq.ZMQError):
                    each.disable_monitor()
                each.close()
            self._context.destroy(0)
        self._context = self._sender = self._receiver = None

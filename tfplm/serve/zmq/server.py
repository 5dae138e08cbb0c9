"""The sockets of bert-as-service: requests in at one port, replies out at another, one loop for both."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable

from tfplm.serve.engines.vectors import Vectors, vector_info
from tfplm.serve.ports import Ports, open_ports, port_of
from tfplm.serve.queue.job import Job
from tfplm.serve.queue.limits import Refused, connections_of_a_protocol
from tfplm.serve.queue.service import Service
from tfplm.serve.zmq import in_flight, protocol
from tfplm.serve.zmq.connection import Connection
from tfplm.serve.zmq.description import Description
from tfplm.serve.zmq.in_flight import InFlight
from tfplm.serve.zmq.net import Net, Port
from tfplm.serve.zmq.outbox import Outbox
from tfplm.serve.zmq.protocol import Malformed, Request
from tfplm.serve.zmq.publisher import Publisher
from tfplm.serve.zmq.zmtp import Frame

log = logging.getLogger("tfplm.serve")
STOPPING = "the server is stopping"
TICK = 0.25  # seconds between checks of the replies that wait
LINGER = 2.0  # seconds that replies on their way have at the end
LAST = 1.0  # seconds for reading what came before the end
MESSAGES = 4  # requests of the largest size that may be unfinished at once; a request so many times as large is cut off


class ZmqServer:
    """A thread that owns the sockets, from `start` to `stop`. Nothing a client sends ends it.

    Args:
        service: of an engine that gives vectors.
        terminate: called when a client asks the server to stop, and is allowed to.
        ports: None: those that the options name. OSError where one is not to be had.
    """

    def __init__(self, service: Service, terminate: Callable[[], None] = lambda: None, ports: Ports | None = None):
        self.service, self.terminate, self._description = service, terminate, Description(service)
        self.info, self._in_flight = vector_info(service.info), InFlight()
        self._replies: deque[list] = deque()  # made by workers, not yet posted
        self._stop_at: float | None = None
        self._idle_since = self._next_tick = 0.0
        self._draining = self._all_served = False
        ports = ports or open_ports(service.options)
        assert ports.requests is not None and ports.replies is not None, "ports of a server of vectors"
        most = service.limits.message_bytes
        self.net = Net(connections_of_a_protocol(), MESSAGES * most, service.options.heartbeat,
                       lambda: service.counters.add("cut_connections"))
        self.port, self.port_out = port_of(ports.requests), port_of(ports.replies)
        # above the limit there is a reply that says so; far above it the connection is cut
        self.net.listen(Port(ports.requests, b"PULL", (b"PUSH",), most, MESSAGES * most, self._receive,
                             full=lambda: not self._draining and service.scheduler.full))
        self.publisher = Publisher(self.net, ports.replies, service, self._in_flight.forget)
        self.outbox = Outbox(self.publisher, max_bytes=service.options.max_reply_mb << 20)
        service.listens_at(port=self.port, port_out=self.port_out)
        service.scheduler.changed = self.wake
        self._awake = False
        self._thread = threading.Thread(target=self._run, name="tfplm-zmq", daemon=True)

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def start(self) -> None:
        self._thread.start()

    def stop(self, seconds: float) -> bool:
        """Sends what is answered within `seconds`, answers later requests with an error, and closes the sockets. Returns
        whether all earlier requests were answered."""
        self._idle_since = time.monotonic()
        self._stop_at = self._idle_since + seconds
        self.wake()
        self._thread.join()
        return self._all_served

    def wake(self) -> None:
        """Makes the loop check its state; from any thread."""
        if not self._awake:
            self._awake = True
            self.net.wake()

    # ---- the loop

    def _run(self) -> None:
        while not self._finished():
            self._turn(TICK)
        self._all_served = not self.service.scheduler.jobs
        self.service.scheduler.fail_all(STOPPING)
        self._read_all()
        self._turn(0.0)
        self.net.close(LINGER)

    def _turn(self, seconds: float) -> None:
        """What is there to do, or within `seconds`. No error ends the loop, not even a `SystemExit` of a library."""
        try:
            self._awake = False  # first: what happens from here on ends the waiting
            self.net.resume()
            self.net.poll(0.0 if self._replies else seconds)
            for topic, joins in self.publisher.read():
                self.outbox.subscription(topic, joins)
            while self._replies:
                self.outbox.post(self._replies.popleft())
            self.outbox.retry()
            if time.monotonic() >= self._next_tick:
                self.outbox.tick()
                self.net.tick()
                self._next_tick = time.monotonic() + TICK
        except BaseException:
            self._log_error()
            time.sleep(0.01)  # what fails at once, and again, leaves time for others

    def _finished(self) -> bool:
        if self._stop_at is None:
            return False
        if not self._draining:
            self._read_all()  # what came before the end counts, as far as there is room for it
            self._draining = True
        now = time.monotonic()
        if self.service.scheduler.jobs or self._replies or self.outbox.wanted():
            self._idle_since = now
        # a client that has not subscribed within a second will not
        return (not self.outbox.waiting and self._idle_since < now) or now >= min(self._stop_at, self._idle_since + 1)

    def _read_all(self) -> None:
        end = time.monotonic() + LAST
        try:
            self.net.resume()
            while self.net.poll(0.0) and time.monotonic() < end:
                pass
        except BaseException:
            self._log_error()

    def _log_error(self) -> None:
        log.exception("an error in the server's loop, which continues")
        self.service.counters.add("internal_errors")

    # ---- requests

    def _receive(self, connection: Connection, frames: list[Frame]) -> None:
        try:
            request = protocol.parse_request(frames)
        except Malformed as reason:
            self.service.counters.add("malformed")
            log.debug("malformed: %s", reason)
            return
        if request.request_id == b"1":
            self.outbox.new_client(request.identity)
        self.service.statistics.count(request.identity, request.length if request.kind == "encode" else None)
        if request.kind == "encode":
            self._encode(request, connection)
        elif request.kind == "terminate":
            self._terminate()
        else:
            describe = self._description.config if request.kind == "config" else self._description.status
            self.outbox.post(protocol.status_reply(request, describe(request.identity)))

    def _encode(self, request: Request, connection: Connection) -> None:
        identity, number = request.identity, request.request_id  # not the request, whose message may be long

        def done(job: Job) -> None:
            wanted = self._in_flight.end(identity, int(number))
            if job.error is None and wanted:
                result: Vectors = job.result
                reply = protocol.vectors_reply(identity, number, result.vectors, result.tokens)
            else:
                reply = self._failure(identity, number, len(job), job.error or in_flight.CONTESTED)
            self._replies.append(reply)
            self.wake()

        if reason := self._in_flight.begin(identity, int(number), connection):
            self.service.counters.add("refused")
            self.outbox.post(self._failure(identity, number, request.length, reason))
            return
        try:
            if self._draining:
                raise RuntimeError(STOPPING)
            sequences = protocol.parse_sequences(request.message, self.service.limits)
            self.service.submit(sequences, done, identity)
        except Exception as error:  # whatever it is, the client waits for an answer
            if not isinstance(error, Refused | RuntimeError):
                self._log_error()
            self._in_flight.end(identity, int(number))
            self.service.counters.add("refused")
            self.outbox.post(self._failure(identity, number, request.length, str(error)))

    def _failure(self, identity: bytes, number: bytes, length: int, reason: str) -> list:
        vectors = protocol.failed_vectors(max(1, length), self.info.row_shape, self.info.dtype)
        log.info("a request of %d sequences: %s", length, reason)
        return protocol.vectors_reply(identity, number, vectors, error=reason)

    def _terminate(self) -> None:
        if self.service.options.allow_termination:
            log.info("a client asked the server to stop")
            self.terminate()
        else:
            self.service.counters.add("refused")
            log.warning("a client asked the server to stop and is not allowed to, since the server is reached from other "
                        "machines (--allow-termination lets clients stop it)")

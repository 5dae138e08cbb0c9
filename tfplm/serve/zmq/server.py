"""The sockets of bert-as-service: requests in at one port, replies out at another, one loop for both."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable

import zmq

from tfplm.serve.engines.vectors import Vectors, vector_info
from tfplm.serve.queue.job import Job
from tfplm.serve.queue.limits import Refused
from tfplm.serve.queue.service import Service
from tfplm.serve.zmq import protocol
from tfplm.serve.zmq.description import Description
from tfplm.serve.zmq.outbox import Outbox
from tfplm.serve.zmq.protocol import Malformed, Request
from tfplm.serve.zmq.publisher import Publisher
from tfplm.serve.zmq.sockets import bind, port_of

log = logging.getLogger("tfplm.serve")
AT_ONCE, LAST = 64, 10_000  # requests read before replies are sent; at the start and the end of stopping
STOPPING = "the server is stopping"
REQUESTS_AHEAD = 4  # that ZeroMQ keeps for each connection
TICK = 0.25  # seconds between checks of the replies that wait


class ZmqServer:
    """A thread that owns the sockets, from `start` to `stop`. Nothing a client sends ends it.

    Args:
        service: of an engine that gives vectors.
        terminate: called when a client asks the server to stop, and is allowed to.
    """

    def __init__(self, service: Service, terminate: Callable[[], None] = lambda: None):
        self.service, self.terminate, self._description = service, terminate, Description(service)
        self.info = vector_info(service.info)
        self._replies: deque[list] = deque()  # made by workers, not yet posted
        self._stop_at: float | None = None
        self._idle_since = 0.0
        self._draining = self._closed = self._all_served = False
        self.context = zmq.Context()
        try:
            # above the limit there is a reply that says so; far above it the connection is cut
            self._requests = bind(self.context, zmq.PULL, service.options, "port", {
                zmq.RCVHWM: REQUESTS_AHEAD, zmq.MAXMSGSIZE: 4 * service.limits.message_bytes})
            self.publisher = Publisher(self.context, service)
        except BaseException:
            self.context.destroy(linger=0)
            raise
        self.outbox = Outbox(self.publisher, max_bytes=service.options.max_reply_mb << 20)
        self.port, self.port_out = port_of(self._requests), self.publisher.port
        service.listens_at(port=self.port, port_out=self.port_out)
        self._wake_lock, self._awake = threading.Lock(), False
        self._wakes, self._waker = self.context.socket(zmq.PULL), self.context.socket(zmq.PUSH)
        self._wakes.bind("inproc://wake")
        self._waker.connect("inproc://wake")
        service.scheduler.changed = self.wake
        self._thread = threading.Thread(target=self._run, name="tfplm-zmq", daemon=True)

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
        with self._wake_lock:
            if not self._awake and not self._closed:
                self._awake = True
                self._waker.send(b"")

    # ---- the loop

    def _run(self) -> None:
        poller = zmq.Poller()
        poller.register(self._wakes, zmq.POLLIN)
        next_tick = 0.0
        while not self._finished():
            reading = self._draining or not self.service.scheduler.full
            poller.register(self._requests, zmq.POLLIN if reading else 0)
            self.publisher.watch(poller, blocked := bool(self.outbox.blocked))
            ready = dict(poller.poll(20 if blocked else int(1000 * TICK)))
            try:
                if self._wakes in ready:
                    with self._wake_lock:
                        self._wakes.recv()
                        self._awake = False
                if blocked or self.publisher.socket in ready:
                    for topic, joins in self.publisher.read(AT_ONCE):
                        self.outbox.subscription(topic, joins)
                if reading and self._requests in ready:
                    self._read(AT_ONCE)
                while self._replies:
                    self.outbox.post(self._replies.popleft())
                self.outbox.retry()
                if time.monotonic() >= next_tick:
                    self.outbox.tick()
                    next_tick = time.monotonic() + TICK
            except Exception:
                self._log_error()
        self._all_served = not self.service.scheduler.jobs
        self.service.scheduler.fail_all(STOPPING)
        self._read(LAST)
        while self._replies:
            self.outbox.post(self._replies.popleft())
        self._close()

    def _finished(self) -> bool:
        if self._stop_at is None:
            return False
        if not self._draining:
            self._read(LAST)  # what came before the end counts, as far as there is room for it
            self._draining = True
        now = time.monotonic()
        if self.service.scheduler.jobs or self._replies or self.outbox.wanted():
            self._idle_since = now
        # a client that has not subscribed within a second will not
        return (not self.outbox.waiting and self._idle_since < now) or now >= min(self._stop_at, self._idle_since + 1)

    def _read(self, most: int) -> None:
        for _ in range(most):
            if self.service.scheduler.full and not self._draining:
                return
            try:
                self._receive(self._requests.recv_multipart(zmq.NOBLOCK))
            except zmq.Again:
                return
            except Exception:
                self._log_error()

    def _log_error(self) -> None:
        log.exception("an error in the server's loop, which continues")
        self.service.counters.add("internal_errors")

    def _close(self) -> None:
        with self._wake_lock:
            self._closed = True
            self._waker.close(0)
        self._wakes.close(0)
        self._requests.close(0)
        self.publisher.socket.close()
        self.context.term()

    # ---- requests

    def _receive(self, frames: list[bytes]) -> None:
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
            self._encode(request)
        elif request.kind == "terminate":
            self._terminate()
        else:
            describe = self._description.config if request.kind == "config" else self._description.status
            self.outbox.post(protocol.status_reply(request, describe(request.identity)))

    def _encode(self, request: Request) -> None:
        identity, number = request.identity, request.request_id  # not the request, whose message may be long

        def done(job: Job) -> None:
            if job.error is None:
                result: Vectors = job.result
                reply = protocol.vectors_reply(identity, number, result.vectors, result.tokens)
            else:
                reply = self._failure(identity, number, len(job), job.error)
            self._replies.append(reply)
            self.wake()

        try:
            if self._draining:
                raise RuntimeError(STOPPING)
            sequences = protocol.parse_sequences(request.message, self.service.limits)
            self.service.submit(sequences, done, identity)
        except (Refused, RuntimeError) as error:
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

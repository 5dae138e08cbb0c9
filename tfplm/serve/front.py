"""The sockets of bert-as-service: requests in at one port, replies out at another, one loop for both."""

import logging
import socket
import threading
import time
from collections import deque
from collections.abc import Callable

import zmq

from tfplm.serve import protocol
from tfplm.serve.job import Job
from tfplm.serve.outbox import Outbox
from tfplm.serve.protocol import Malformed, Refused, Request
from tfplm.serve.service import Service

log = logging.getLogger("tfplm.serve")
AT_ONCE, LAST = 64, 10_000  # requests read before replies have their turn, and when the server stops
REQUESTS_AHEAD, REPLIES_AHEAD = 4, 64  # that ZeroMQ keeps for each connection
TICK = 0.25  # seconds between looks at what is held
LARGEST_SUBSCRIPTION = 1024  # bytes


class Front:
    """A thread that owns the sockets, from `start` to `stop`. Nothing a client sends ends it.

    Args:
        terminate: called when a client asks for the end of the server, and may.
    """

    def __init__(self, service: Service, terminate: Callable[[], None] = lambda: None):
        self.service, self.terminate = service, terminate
        options = service.options
        self.outbox = Outbox(self._send, self._gone, lambda number: service.counters.add("dropped_replies", number),
                             max_bytes=options.max_reply_mb << 20)
        self._replies: deque[list] = deque()  # made by workers, not yet posted
        self._stop_at: float | None = None
        self._idle_since = 0.0
        self._last_read = self._closed = self._all_served = False
        self.context = zmq.Context()
        try:
            self._requests = self._bind(zmq.PULL, options.port, "port")
            self._subscribers = self._bind(zmq.XPUB, options.port_out, "port_out")
        except BaseException:
            self.context.destroy(linger=0)
            raise
        self.port, self.port_out = self._port(self._requests), self._port(self._subscribers)
        service.listens_at(port=self.port, port_out=self.port_out)
        self._wake_lock, self._awake = threading.Lock(), False
        self._wakes, self._waker = self.context.socket(zmq.PULL), self.context.socket(zmq.PUSH)
        self._wakes.bind("inproc://wake")
        self._waker.connect("inproc://wake")
        service.scheduler.changed = self.wake
        self._thread = threading.Thread(target=self._run, name="tfplm-front", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, seconds: float) -> bool:
        """Reads no more requests, sends what is answered within `seconds`, and closes the sockets; whether that was
        all that had been asked."""
        self._idle_since = time.monotonic()
        self._stop_at = self._idle_since + seconds
        self.wake()
        self._thread.join()
        return self._all_served

    def wake(self) -> None:
        """Makes the loop look at its state; from any thread."""
        with self._wake_lock:
            if not self._awake and not self._closed:
                self._awake = True
                self._waker.send(b"")

    # ---- sockets

    def _bind(self, kind: int, port: int, name: str) -> zmq.Socket:
        options = self.service.options
        result = self.context.socket(kind)
        result.linger = 2000
        result.set(zmq.TCP_KEEPALIVE, 1)
        result.set(zmq.TCP_KEEPALIVE_IDLE, 120)
        result.set(zmq.HANDSHAKE_IVL, 10_000)  # who connects and says nothing is shut out
        if options.heartbeat:  # so that no firewall forgets a silent connection, and the dead are noticed
            interval = max(1, int(1000 * options.heartbeat))
            result.set(zmq.HEARTBEAT_IVL, interval)
            result.set(zmq.HEARTBEAT_TIMEOUT, 4 * interval)
            result.set(zmq.HEARTBEAT_TTL, min(4 * interval, 6_553_500))
        if kind == zmq.PULL:
            result.rcvhwm = REQUESTS_AHEAD
            # above the limit there is a reply that says so; far above it the connection is cut
            result.set(zmq.MAXMSGSIZE, 4 * self.service.limits.message_bytes)
        else:
            result.sndhwm = REPLIES_AHEAD
            result.set(zmq.XPUB_NODROP, 1)
            result.set(zmq.XPUB_VERBOSER, 1)  # every subscription is told, that of a twin too
            result.set(zmq.MAXMSGSIZE, LARGEST_SUBSCRIPTION)
        host = options.host
        if ":" in host:
            result.set(zmq.IPV6, 1)
            host = f"[{host.strip('[]')}]"
        elif host != "*":
            host = socket.gethostbyname(host)
        try:
            result.bind(f"tcp://{host}:{port or '*'}")
        except zmq.ZMQError as error:
            raise OSError(f"cannot listen at {options.host}:{port}: {error}; choose another --{name.replace('_', '-')},"
                          " or stop the program that has it") from None
        return result

    @staticmethod
    def _port(bound: zmq.Socket) -> int:
        return int(bound.last_endpoint.rpartition(b":")[2].rstrip(b"\0"))

    # ---- the loop

    def _run(self) -> None:
        poller = zmq.Poller()
        poller.register(self._wakes, zmq.POLLIN)
        poller.register(self._subscribers, zmq.POLLIN)
        next_tick = 0.0
        while not self._finished():
            reading = self._stop_at is None and not self.service.scheduler.full
            poller.register(self._requests, zmq.POLLIN if reading else 0)
            ready = dict(poller.poll(20 if self.outbox.blocked else 1000 * TICK))
            try:
                if self._wakes in ready:
                    with self._wake_lock:
                        self._wakes.recv()
                        self._awake = False
                if self._subscribers in ready:
                    self._read(self._subscribers, lambda frames: self.outbox.subscription(frames[0]))
                if reading and self._requests in ready:
                    self._read(self._requests, self._receive)
                while self._replies:
                    self.outbox.post(self._replies.popleft())
                self.outbox.retry()
                if time.monotonic() >= next_tick:
                    self.outbox.tick()
                    next_tick = time.monotonic() + TICK
            except Exception:
                log.exception("an error in the server's loop, which goes on")
                self.service.counters.add("internal_errors")
        self._all_served = not self.service.scheduler.jobs
        self.service.scheduler.fail_all("the server is stopping")
        while self._replies:
            self.outbox.post(self._replies.popleft())
        self._close()

    def _finished(self) -> bool:
        if self._stop_at is None:
            return False
        if not self._last_read:  # what came before the end counts
            self._last_read = True
            self._read(self._requests, self._receive, LAST)
        now = time.monotonic()
        if self.service.scheduler.jobs or self._replies or self.outbox.wanted():
            self._idle_since = now
        # who has not subscribed within a second will not
        return (not self.outbox.held and self._idle_since < now) or now >= min(self._stop_at, self._idle_since + 1)

    def _read(self, source: zmq.Socket, handle: Callable[[list[bytes]], None], most: int = AT_ONCE) -> None:
        for _ in range(most):
            if source is self._requests and self.service.scheduler.full:
                return
            try:
                frames = source.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            handle(frames)

    def _close(self) -> None:
        with self._wake_lock:
            self._closed = True
            self._waker.close(0)
        self._wakes.close(0)
        self._requests.close(0)
        self._subscribers.close()
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
            tell = self.service.config if request.kind == "config" else self.service.status
            self.outbox.post(protocol.status_reply(request, tell(request.identity)))

    def _encode(self, request: Request) -> None:
        def done(job: Job) -> None:
            self._replies.append(self._reply(request, job))
            self.wake()

        try:
            sequences = protocol.parse_sequences(request.message, self.service.limits)
            self.service.submit(sequences, done, request.identity)
        except (Refused, RuntimeError) as error:
            self.service.counters.add("refused")
            self.outbox.post(self._failure(request, request.length, str(error)))

    def _reply(self, request: Request, job: Job) -> list:
        if job.error is not None:
            return self._failure(request, len(job), job.error)
        return protocol.vectors_reply(request.identity, request.request_id, job.vectors, job.tokens)

    def _failure(self, request: Request, length: int, reason: str) -> list:
        info = self.service.info
        vectors = protocol.failed_vectors(max(1, length), info.row_shape, info.dtype)
        log.info("a request of %d sequences: %s", length, reason)
        return protocol.vectors_reply(request.identity, request.request_id, vectors, error=reason)

    def _terminate(self) -> None:
        if self.service.options.allow_termination:
            log.info("a client asked for the end")
            self.terminate()
        else:
            self.service.counters.add("refused")
            log.warning("a client asked for the end, and may not: the server is reached from other machines "
                        "(--allow-termination lets them)")

    # ---- what the outbox calls

    def _send(self, frames: list) -> bool:
        try:
            self._subscribers.send_multipart(frames, zmq.NOBLOCK, copy=False)
            return True
        except zmq.Again:
            return False

    def _gone(self, identity: bytes) -> None:
        if dropped := self.service.scheduler.cancel(identity):
            self.service.counters.add("cancelled", dropped)

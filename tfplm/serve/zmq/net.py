"""The connections of all ports, in one thread: who may connect, who may stay, who is read from."""

import contextlib
import dataclasses
import logging
import selectors
import socket
import time
from collections import Counter
from collections.abc import Callable

from tfplm.serve.queue.limits import share
from tfplm.serve.zmq.connection import Connection
from tfplm.serve.zmq.zmtp import Frame, Incoming, Pool, Violation

log = logging.getLogger("tfplm.serve")
HANDSHAKE = 10.0  # seconds until a connection speaks the protocol
STALL, PATIENCE = 2.0, 30.0  # seconds without progress, and of an unfinished message, after which others may have its room
SILENCES = 4  # heartbeats without an answer, after which a connection counts as broken
DEAF = 1.0  # seconds without accepting, where the system has no descriptors left
ACCEPTED = 64  # connections at once
_READ, _WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE


@dataclasses.dataclass(eq=False)
class Port:
    """What listens at a port.

    own, peers: types of sockets. part_bytes, message_bytes: see `Incoming`. receive: called with each message.
    ended: called when a connection has ended. full: no more messages are taken while it returns True.
    """

    listener: socket.socket
    own: bytes
    peers: tuple[bytes, ...]
    part_bytes: int
    message_bytes: int
    receive: Callable[[Connection, list[Frame]], None]
    ended: Callable[[Connection], None] = lambda connection: None
    full: Callable[[], bool] = lambda: False


class Net:
    """Accepts, reads and writes in `poll`, which one thread calls; `wake` may be called from any.

    Args:
        connections: at most, seven eighths of which may be of one address; beyond that, one that has not yet spoken
            the protocol makes room, or the new one is closed.
        pooled: bytes of unfinished messages, of all connections together.
        heartbeat: seconds of silence after which a sign of life is asked for; 0: never.
        cut: called when a connection is closed for what it did.
    """

    def __init__(self, connections: int, pooled: int, heartbeat: float = 0.0, cut: Callable[[], None] = lambda: None):
        self.most, self.heartbeat, self.cut = connections, heartbeat, cut
        self.pool = Pool(pooled, self._evict)
        self.ports: list[Port] = []
        self.connections: dict[Connection, Port] = {}  # oldest first
        self._addresses: Counter[str] = Counter()
        self._interest: dict[Connection, int] = {}
        self._paused: dict[Connection, None] = {}
        self._reading: Connection | None = None
        self._deaf: dict[Port, float] = {}
        self._selector = selectors.DefaultSelector()
        self._wakes, self._waker = socket.socketpair()
        for each in (self._wakes, self._waker):
            each.setblocking(False)
        self._selector.register(self._wakes, _READ, self._woken)

    def listen(self, port: Port) -> None:
        port.listener.setblocking(False)
        self.ports.append(port)
        self._selector.register(port.listener, _READ, lambda events: self._accept(port))

    def wake(self) -> None:
        """Ends a `poll` that waits."""
        with contextlib.suppress(OSError):  # full: it is awake; or closed
            self._waker.send(b"w")

    def poll(self, seconds: float) -> bool:
        """Waits up to `seconds` for something to happen, and does it. Returns whether anything has happened."""
        ready = self._selector.select(seconds)
        for key, events in ready:
            key.data(events)
        return bool(ready)

    def resume(self) -> None:
        """Takes the messages that were left while a port was full."""
        for connection in list(self._paused):
            if self.connections[connection].full():
                return
            del self._paused[connection]
            connection.heard = time.monotonic()
            self._guarded(connection, self._deliver)

    def send(self, connection: Connection, buffers: list) -> None:
        """Sends a message, at once as far as the other side takes it."""
        connection.send(buffers)
        self._guarded(connection, Connection.flush)

    def tick(self) -> None:
        """Closes what is silent, and asks for signs of life. Called a few times per second."""
        now = time.monotonic()
        for port, until in list(self._deaf.items()):
            if until <= now:
                del self._deaf[port]
                self._selector.register(port.listener, _READ, lambda events, port=port: self._accept(port))
        for connection in list(self.connections):
            if connection in self._paused:
                continue
            silent = now - connection.heard
            if not connection.handshaken:
                if now - connection.began > HANDSHAKE:
                    self._cut(connection, "no handshake")
            elif self.heartbeat and silent > self.heartbeat:
                if connection.pinged > connection.heard and silent > SILENCES * self.heartbeat:
                    self._cut(connection, "no sign of life")
                elif now - connection.pinged > self.heartbeat:
                    connection.ping(SILENCES * self.heartbeat)
                    self._guarded(connection, Connection.flush)

    def close(self, seconds: float) -> None:
        """Writes what is on its way for up to `seconds`, and closes everything."""
        for port in self.ports:
            with contextlib.suppress(KeyError):
                self._selector.unregister(port.listener)
            port.listener.close()
        end = time.monotonic() + seconds
        while any(each.ahead for each in self.connections) and (left := end - time.monotonic()) > 0:
            self.poll(min(left, 0.1))
        for connection in list(self.connections):
            self.drop(connection)
        self._selector.close()
        self._wakes.close()
        self._waker.close()

    # ---- one connection

    def drop(self, connection: Connection) -> None:
        """Closes a connection."""
        port = self.connections.pop(connection, None)
        if port is None:
            return
        self._addresses[connection.address] -= 1
        if not self._addresses[connection.address]:
            del self._addresses[connection.address]
        self._paused.pop(connection, None)
        if self._interest.pop(connection, 0):
            self._selector.unregister(connection.socket)
        connection.close()
        port.ended(connection)

    def _cut(self, connection: Connection, reason: object) -> None:
        log.debug("a connection from %s is closed: %s", connection.address, reason)
        self.cut()
        self.drop(connection)

    def _guarded(self, connection: Connection, action: Callable) -> None:
        """Does something with a connection, which is closed where it breaks or breaks the protocol."""
        try:
            action(connection)
        except Violation as reason:
            self._cut(connection, reason)
        except OSError:
            self.drop(connection)
        except BaseException as error:  # what was read of it is lost
            self._cut(connection, error)
            raise
        self._set_interest(connection)

    def _serve(self, connection: Connection, events: int) -> None:
        if events & _WRITE:
            self._guarded(connection, Connection.flush)
        if events & _READ and not connection.closed:
            self._guarded(connection, self._read)

    def _read(self, connection: Connection) -> None:
        self._reading = connection
        try:
            open_still = connection.read()
            self._deliver(connection)
        finally:
            self._reading = None
        if not open_still:
            self.drop(connection)

    def _deliver(self, connection: Connection) -> None:
        port = self.connections[connection]
        while not (connection.handshaken and port.full()):
            if (frames := next(connection.messages, None)) is None:
                break
            port.receive(connection, frames)
            if connection.closed:
                return
        else:
            self._paused[connection] = None
            return
        connection.flush()  # the handshake, answers to signs of life

    def _set_interest(self, connection: Connection) -> None:
        if connection.closed:
            return
        wanted = _READ * (connection not in self._paused) | _WRITE * connection.writes
        before = self._interest.get(connection, 0)
        if wanted == before:
            return
        if not wanted:
            self._selector.unregister(connection.socket)
        elif before:
            self._selector.modify(connection.socket, wanted, lambda events: self._serve(connection, events))
        else:
            self._selector.register(connection.socket, wanted, lambda events: self._serve(connection, events))
        self._interest[connection] = wanted

    # ---- who may connect

    def _accept(self, port: Port) -> None:
        for _ in range(ACCEPTED):
            try:
                connected, (address, *_) = port.listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:  # no descriptors are left
                log.warning("no connection can be accepted for %g s: %s", DEAF, error)
                self._selector.unregister(port.listener)
                self._deaf[port] = time.monotonic() + DEAF
                return
            if not self._has_room(address):
                self.cut()
                connected.close()
                continue
            _keep_alive(connected)
            connection = Connection(connected, address, port.own, port.peers,
                                    Incoming(port.part_bytes, port.message_bytes, self.pool))
            self.connections[connection] = port
            self._addresses[address] += 1
            self._guarded(connection, Connection.flush)

    def _has_room(self, address: str) -> bool:
        total, own = len(self.connections) >= self.most, self._addresses[address] >= share(self.most)
        if not (total or own):
            return True
        strangers = (each for each in self.connections if not each.handshaken and (total or each.address == address))
        if (oldest := next(strangers, None)) is not None:
            self._cut(oldest, "others want its place")
        return oldest is not None

    def _evict(self) -> bool:
        """Closes the connection whose unfinished message takes most of the pool, of those that stand still or have taken
        long."""
        now = time.monotonic()
        slow = [each for each in self.connections if each.incoming.taken and each is not self._reading and (
            now - max(each.progressed, each.incoming.since) > STALL or now - each.incoming.since > PATIENCE)]
        if slow:
            self._cut(max(slow, key=lambda each: each.incoming.taken), "others want the room of its unfinished message")
        return bool(slow)

    def _woken(self, events: int) -> None:
        with contextlib.suppress(OSError):
            self._wakes.recv(4096)


def _keep_alive(connected: socket.socket) -> None:
    connected.setblocking(False)
    with contextlib.suppress(OSError):  # it has ended already
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if hasattr(socket, "TCP_KEEPIDLE"):  # not on every system
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 120)

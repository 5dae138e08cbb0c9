"""The port of replies: subscriptions in, frames out."""

from collections import deque
from collections.abc import Callable, Iterator
from socket import socket

from tfplm.serve.engines.vectors import vector_info
from tfplm.serve.queue.service import Service
from tfplm.serve.zmq import protocol, zmtp
from tfplm.serve.zmq.connection import Connection
from tfplm.serve.zmq.net import Net, Port
from tfplm.serve.zmq.zmtp import Frame

REPLIES_AHEAD = 2  # that are on their way to one connection, beside what `max_reply_mb` bounds
LARGEST_SUBSCRIPTION = 1024  # bytes
TOPICS = 256  # of one connection


class Publisher:
    """Frames out, subscriptions in; the `Transport` of an `Outbox`.

    Unlike a PUB socket, which compares beginnings, it sends a reply to those alone who have subscribed to the whole of
    its identity: nobody hears the replies to others by subscribing to a few letters, or to nothing.
    """

    def __init__(self, net: Net, listener: socket, service: Service, left: Callable[[bytes], None] = lambda identity: None):
        """left: called with the identity of a client that has left."""
        self.net, self.service, self.info, self._left = net, service, vector_info(service.info), left
        self._subscribers: dict[bytes, dict[Connection, None]] = {}
        self._topics: dict[Connection, dict[bytes, None]] = {}
        self._news: deque[tuple[bytes, bool]] = deque()
        net.listen(Port(listener, b"XPUB", (b"SUB", b"XSUB"), LARGEST_SUBSCRIPTION, LARGEST_SUBSCRIPTION,
                        self._receive, self._ended))

    def read(self) -> Iterator[tuple[bytes, bool]]:
        """The subscriptions that came, or ended: (topic, True for one that came)."""
        while self._news:
            yield self._news.popleft()

    def send(self, frames: list) -> bool:
        subscribers = self._subscribers.get(frames[0], ())
        if any(each.ahead >= REPLIES_AHEAD for each in subscribers):
            return False
        self._send(list(subscribers), frames)
        return True

    def send_to_ready(self, frames: list) -> None:
        self._send([each for each in self._subscribers.get(frames[0], ()) if each.ahead < REPLIES_AHEAD], frames)

    def abbreviated(self, frames: list) -> list | None:
        return protocol.abbreviated_reply(frames, self.info.row_shape, self.info.dtype)

    def client_left(self, identity: bytes) -> None:
        self._left(identity)
        if dropped := self.service.scheduler.cancel(identity):
            self.service.counters.add("cancelled", dropped)

    def dropped(self, number: int) -> None:
        self.service.counters.add("dropped_replies", number)

    def _send(self, subscribers: list[Connection], frames: list) -> None:
        buffers = zmtp.encode(frames) if subscribers else []
        for each in subscribers:
            self.net.send(each, buffers)

    def _receive(self, connection: Connection, frames: list[Frame]) -> None:
        frame = frames[0]
        if len(frames) != 1 or not isinstance(frame, bytes) or frame[:1] not in (b"\x00", b"\x01"):
            return
        topic, topics = frame[1:], self._topics.setdefault(connection, {})
        if frame[:1] == b"\x00":
            if topic in topics:
                self._leave(connection, topic)
        elif 0 < len(topic) <= protocol.LONGEST_IDENTITY and topic not in topics and len(topics) < TOPICS:
            topics[topic] = None
            self._subscribers.setdefault(topic, {})[connection] = None
            self._news.append((topic, True))

    def _leave(self, connection: Connection, topic: bytes) -> None:
        del self._topics[connection][topic]
        del self._subscribers[topic][connection]
        if not self._subscribers[topic]:
            del self._subscribers[topic]
        self._news.append((topic, False))

    def _ended(self, connection: Connection) -> None:
        for topic in list(self._topics.get(connection, ())):
            self._leave(connection, topic)
        self._topics.pop(connection, None)

"""The socket of replies: subscriptions in, frames out."""

from collections.abc import Iterator

import zmq

from tfplm.serve.engines.vectors import vector_info
from tfplm.serve.queue.service import Service
from tfplm.serve.zmq import protocol
from tfplm.serve.zmq.sockets import bind, port_of

REPLIES_AHEAD = 2  # that ZeroMQ keeps for each connection, beside what `max_reply_mb` bounds
LARGEST_SUBSCRIPTION = 1024  # bytes


class Publisher:
    """Frames out, subscriptions in; the `Transport` of an `Outbox`.

    A subscription counts only after it was checked (`XPUB_MANUAL`): a subscription to everything is refused, since a
    client that reads slowly would delay the replies to all others.
    """

    def __init__(self, context: zmq.Context, service: Service):
        self.service, self.info = service, vector_info(service.info)
        self.socket = bind(context, zmq.XPUB, service.options, "port_out", {
            zmq.SNDHWM: REPLIES_AHEAD, zmq.XPUB_NODROP: 1, zmq.XPUB_MANUAL: 1, zmq.MAXMSGSIZE: LARGEST_SUBSCRIPTION})
        self.port = port_of(self.socket)

    def watch(self, poller: zmq.Poller, blocked: bool) -> None:
        """Makes the poller report subscriptions and, if replies are `blocked`, room in pipes as well.

        The socket itself does not report room, but its descriptor shows that its I/O thread has news of any kind.
        """
        poller.register(self.socket, 0 if blocked else zmq.POLLIN)
        poller.register(self.socket.fd, zmq.POLLIN if blocked else 0)

    def read(self, most: int) -> Iterator[tuple[bytes, bool]]:
        """Up to `most` subscriptions that came, or ended: (topic, True for one that came)."""
        for _ in range(most):
            try:
                frame = self.socket.recv(zmq.NOBLOCK)
            except zmq.Again:
                return
            joins, topic = frame[:1] == b"\x01", frame[1:]
            if frame[:1] in (b"\x00", b"\x01") and 0 < len(topic) <= protocol.LONGEST_IDENTITY:
                # of whose frame was read last
                self.socket.set(zmq.SUBSCRIBE if joins else zmq.UNSUBSCRIBE, topic)
                yield topic, joins

    def send(self, frames: list) -> bool:
        try:
            self.socket.send_multipart(frames, zmq.NOBLOCK, copy=False)
            return True
        except zmq.Again:
            return False

    def send_to_ready(self, frames: list) -> None:
        self.socket.set(zmq.XPUB_NODROP, 0)
        try:
            self.send(frames)
        finally:
            self.socket.set(zmq.XPUB_NODROP, 1)

    def abbreviated(self, frames: list) -> list | None:
        return protocol.abbreviated_reply(frames, self.info.row_shape, self.info.dtype)

    def client_left(self, identity: bytes) -> None:
        if dropped := self.service.scheduler.cancel(identity):
            self.service.counters.add("cancelled", dropped)

    def dropped(self, number: int) -> None:
        self.service.counters.add("dropped_replies", number)

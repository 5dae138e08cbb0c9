"""Replies on their way to subscribers: they wait until there is one.

A publisher drops what nobody has subscribed to yet. A client connects two sockets, one for requests and one for
replies, and the second may come later: its first reply is then lost and it waits for ever, which is what made
bert-as-service's `BertClient()` hang. So a reply waits here until its client's subscription has arrived.

Several clients may share an identity, at once or one after the other, and each needs a subscription of its own: the
requests with id 1, which every new client sends once, are counted against the subscriptions.
"""

import dataclasses
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Protocol

TOPICS = 1 << 16  # subscriptions that are remembered
REPLIES = 10_000  # that wait for clients without a subscription
OVERHEAD = 1000  # bytes that a reply takes beside its content: frames, array, and what refers to them


@dataclasses.dataclass
class _Reply:
    frames: list
    since: float

    def __post_init__(self):
        self.size = OVERHEAD + sum(len(frame) for frame in self.frames)


class _Queue:
    """The replies that wait for one identity, oldest first; the first `abbreviated` ones cannot be made any shorter."""

    def __init__(self):
        self.replies: deque[_Reply] = deque()
        self.bytes = self.abbreviated = 0


class Transport(Protocol):
    """What an outbox needs of sockets, and of the code that makes replies."""

    def send(self, frames: list) -> bool:
        """Sends to all subscribers; False where the pipe of one of them is full, so that it has to be tried again."""

    def send_to_ready(self, frames: list) -> None:
        """Sends to those subscribers whose pipes have room."""

    def abbreviated(self, frames: list) -> list | None:
        """A short error reply in place of this one; None where there is no such form."""

    def client_left(self, identity: bytes) -> None:
        """A client's subscription ended and was not renewed, as a broken connection would do by itself."""

    def dropped(self, number: int) -> None:
        """Counts replies that were dropped."""


class Outbox:
    """Keeps replies that wait, within `max_bytes` in all; knows nothing of sockets.

    Args:
        seconds: how long to wait for a subscription. A client that has subscribed and reads slowly may take longer.
        twin_seconds: how long, where the identity has one already. If none comes in that time, the identity is never
            waited for again: its client seems to give all of its requests the id 1.
        stuck_seconds: how long one of several subscribers may delay a reply to the others; it then loses it.
        grace: how long a subscription that ended may take to be renewed.

    Attributes: `waiting` replies and their `bytes`; `unclaimed`, those of them without a subscription; `blocked`, the
    clients whose pipes are full, and since when.
    """

    def __init__(self, transport: Transport, seconds: float = 60.0, twin_seconds: float = 1.0, stuck_seconds: float = 1.0,
                 grace: float = 5.0, max_bytes: int = 1 << 30, clock: Callable[[], float] = time.monotonic):
        self.transport, self.seconds, self.twin_seconds, self.stuck_seconds = (transport, seconds, twin_seconds,
                                                                               stuck_seconds)
        self.grace, self.max_bytes, self._clock = grace, max_bytes, clock
        self._topics: OrderedDict[bytes, int] = OrderedDict()  # topic -> subscriptions
        self._surplus: OrderedDict[bytes, float] = OrderedDict()  # identity -> subscriptions less clients, if not 0
        self._waiting: OrderedDict[bytes, _Queue] = OrderedDict()
        self._unclaimed: OrderedDict[bytes, None] = OrderedDict()  # those in `_waiting` that nobody has subscribed to
        self._left: OrderedDict[bytes, float] = OrderedDict()  # unsubscribed topic -> when
        self.blocked: dict[bytes, float] = {}
        self.waiting = self.unclaimed = self.bytes = 0

    @property
    def subscribers(self) -> int:
        return len(self._topics)

    def subscription(self, topic: bytes, joins: bool) -> None:
        """A client has subscribed to a topic (`joins`), or has unsubscribed."""
        if joins:
            self._left.pop(topic, None)
            self._topics[topic] = self._topics.get(topic, 0) + 1
            if len(self._topics) > TOPICS:
                self._forget(next(iter(self._topics)))
            self._balance(topic, 1)
            self._claim(topic)
            self._flush(topic)
        elif self._topics.get(topic, 0) > 1:
            self._topics[topic] -= 1
        elif topic in self._topics:
            self._forget(topic)
            self._left[topic] = self._clock()
            if len(self._left) > TOPICS:
                self._give_up(next(iter(self._left)))

    def new_client(self, identity: bytes) -> None:
        """The first request of a client has come, so that its own subscription is expected."""
        self._balance(identity, -1)

    def _balance(self, identity: bytes, change: int) -> None:
        if surplus := self._surplus.pop(identity, 0) + change:
            self._surplus[identity] = surplus
            if len(self._surplus) > TOPICS:
                self._surplus.popitem(last=False)

    def post(self, frames: list) -> None:
        """Sends a reply, whose first frame is the identity, or keeps it."""
        identity = frames[0]
        if identity not in self._waiting and self._ready(identity):
            if self.transport.send(frames):
                return
            self.blocked[identity] = self._clock()
        queue = self._waiting.setdefault(identity, _Queue())
        self._claim(identity)
        queue.replies.append(reply := _Reply(frames, self._clock()))
        self._count(identity, 1, reply.size)
        while self.bytes > self.max_bytes and self.waiting > 1:
            self._shed()
        if self.unclaimed > REPLIES:
            self._pop(next(iter(self._unclaimed)))
            self.transport.dropped(1)

    def wanted(self) -> bool:
        """True while a reply waits whose client has subscribed."""
        return any(map(self._subscriptions, self._waiting))

    def retry(self) -> None:
        """Tries again what could not be sent. Called often while there are `blocked` clients."""
        for identity in list(self.blocked):
            self._flush(identity)

    def tick(self) -> None:
        """Drops expired replies and reports clients that left. Called a few times per second."""
        now = self._clock()
        for identity, queue in list(self._waiting.items()):
            self._claim(identity)
            if identity not in self._unclaimed:
                if not self._ready(identity) and queue.replies[0].since + self.twin_seconds <= now:
                    self._surplus[identity] = float("inf")
                self._flush(identity)
                continue
            while queue.replies and queue.replies[0].since + self.seconds <= now:
                self.transport.send_to_ready(self._pop(identity))  # perhaps its subscription was one too many to remember
                self.transport.dropped(1)
        while self._left and next(iter(self._left.values())) + self.grace <= now:
            self._give_up(next(iter(self._left)))

    def _give_up(self, topic: bytes) -> None:
        del self._left[topic]
        while topic in self._waiting:
            self._pop(topic)
            self.transport.dropped(1)
        self.transport.client_left(topic)

    def _shed(self) -> None:
        """Frees memory by shortening the replies of the client with the largest backlog; a subscribed client gets an error
        instead of silence."""
        identity = max(self._waiting, key=lambda each: self._waiting[each].bytes)
        queue = self._waiting[identity]
        self.transport.dropped(1)
        while identity not in self._unclaimed and queue.abbreviated < len(queue.replies):
            reply = queue.replies[queue.abbreviated]
            queue.abbreviated += 1
            if frames := self.transport.abbreviated(reply.frames):
                shorter = _Reply(frames, reply.since)
                if 2 * shorter.size <= reply.size:
                    queue.replies[queue.abbreviated - 1] = shorter
                    self._count(identity, 0, shorter.size - reply.size)
                    return
        self._pop(identity)

    def _subscriptions(self, identity: bytes) -> int:
        return self._topics.get(identity, 0)

    def _ready(self, identity: bytes) -> bool:
        return self._surplus.get(identity, 0) >= 0 and self._subscriptions(identity) > 0

    def _claim(self, identity: bytes) -> None:
        """Records whether anybody has subscribed to what waits."""
        if identity not in self._waiting:
            return
        number = len(self._waiting[identity].replies)
        if not self._subscriptions(identity):
            self.unclaimed += number * (identity not in self._unclaimed)
            self._unclaimed[identity] = None
        elif identity in self._unclaimed:
            self.unclaimed -= number
            del self._unclaimed[identity]

    def _flush(self, identity: bytes) -> None:
        since = self.blocked.pop(identity, None)
        while identity in self._waiting and self._ready(identity):
            frames = self._waiting[identity].replies[0].frames
            if not self.transport.send(frames):
                now = self._clock()
                if since is None or since + self.stuck_seconds > now or self._subscriptions(identity) == 1:
                    self.blocked[identity] = now if since is None else since
                    return
                self.transport.send_to_ready(frames)
            since = None
            self._pop(identity)

    def _pop(self, identity: bytes) -> list:
        queue = self._waiting[identity]
        reply = queue.replies.popleft()
        queue.abbreviated = max(0, queue.abbreviated - 1)
        self._count(identity, -1, -reply.size)
        if not queue.replies:
            del self._waiting[identity]
            self._unclaimed.pop(identity, None)
            self.blocked.pop(identity, None)
        return reply.frames

    def _count(self, identity: bytes, number: int, size: int) -> None:
        self._waiting[identity].bytes += size
        self.bytes += size
        self.waiting += number
        self.unclaimed += number * (identity in self._unclaimed)

    def _forget(self, topic: bytes) -> None:
        del self._topics[topic]

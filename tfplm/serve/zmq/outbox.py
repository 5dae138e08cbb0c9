"""Replies on their way to subscribers: held until there is one.

A publisher drops what nobody has subscribed to yet. A client connects two sockets, one for requests and one for
replies, and the second may come later: its first reply is then lost and it waits for ever, which is what made
bert-as-service's `BertClient()` hang. So a reply waits here until its client's subscription has arrived.

Several clients may share an identity, at once or one after the other, and each wants a subscription of its own: the
requests with number 1, which every new client sends once, are counted against the subscriptions.
"""

import dataclasses
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from typing import Protocol

TOPICS = 1 << 16  # subscriptions that are remembered
REPLIES = 10_000  # that are held for those who have not subscribed
OVERHEAD = 1000  # bytes that a reply takes beside its content: frames, array, and what refers to them


@dataclasses.dataclass
class _Held:
    frames: list
    since: float

    def __post_init__(self):
        self.size = OVERHEAD + sum(len(frame) for frame in self.frames)


class _Queue:
    """The replies that wait for one identity, oldest first; so many of them, `short`, cannot be made any shorter."""

    def __init__(self):
        self.replies: deque[_Held] = deque()
        self.bytes = self.short = 0


class Way(Protocol):
    """What an outbox needs of sockets, and of those who make replies."""

    def send(self, frames: list) -> bool:
        """False where the pipe of one who subscribed is full, so that it has to be tried again."""

    def send_to_some(self, frames: list) -> None:
        """To those alone whose pipes have room."""

    def shorter(self, frames: list) -> list | None:
        """Frames that say that this reply was given up, if its kind allows that."""

    def gone(self, identity: bytes) -> None:
        """A client's subscription ended and did not come back: a broken connection is made anew by itself."""

    def dropped(self, number: int) -> None:
        """So many replies were given up."""


class Outbox:
    """Holds replies, within `max_bytes` in all; knows nothing of sockets.

    Args:
        seconds: how long a subscription is waited for. A client that has subscribed and reads slowly may take longer.
        twin_seconds: how long, where there is one already; once in vain, never again for this identity, whose client
            seems to call all of its requests number 1.
        stuck_seconds: how long one of several subscribers may keep a reply from the others; it then loses it.
        grace: how long a subscription that ended may take to come back.
    """

    def __init__(self, way: Way, seconds: float = 60.0, twin_seconds: float = 1.0, stuck_seconds: float = 1.0,
                 grace: float = 5.0, max_bytes: int = 1 << 30, clock: Callable[[], float] = time.monotonic):
        self.way, self.seconds, self.twin_seconds, self.stuck_seconds = way, seconds, twin_seconds, stuck_seconds
        self.grace, self.max_bytes, self._clock = grace, max_bytes, clock
        self._topics: OrderedDict[bytes, int] = OrderedDict()  # topic -> subscriptions
        self._surplus: OrderedDict[bytes, float] = OrderedDict()  # identity -> subscriptions less clients, if not 0
        self._lengths: Counter[int] = Counter()
        self._held: OrderedDict[bytes, _Queue] = OrderedDict()
        self._unclaimed: OrderedDict[bytes, None] = OrderedDict()  # those in `_held` that nobody has subscribed to
        self._left: OrderedDict[bytes, float] = OrderedDict()  # unsubscribed topic -> when
        self.blocked: dict[bytes, float] = {}  # clients that have subscribed and whose pipes are full, and since when
        self.held = self.unclaimed = self.bytes = 0  # replies that wait, those of `_unclaimed`, and their size

    @property
    def subscribers(self) -> int:
        return len(self._topics)

    def subscription(self, topic: bytes, joins: bool) -> None:
        """Somebody has subscribed to a topic, or does so no longer."""
        if joins:
            self._left.pop(topic, None)
            if topic not in self._topics:
                self._lengths[len(topic)] += 1
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
        """The first request of a client has come, so that a subscription of its own is to be expected."""
        self._balance(identity, -1)

    def _balance(self, identity: bytes, change: int) -> None:
        if surplus := self._surplus.pop(identity, 0) + change:
            self._surplus[identity] = surplus
            if len(self._surplus) > TOPICS:
                self._surplus.popitem(last=False)

    def post(self, frames: list) -> None:
        """Sends a reply, whose first frame is the identity, or holds it."""
        identity = frames[0]
        if identity not in self._held and self._ready(identity):
            if self.way.send(frames):
                return
            self.blocked[identity] = self._clock()
        queue = self._held.setdefault(identity, _Queue())
        self._claim(identity)
        queue.replies.append(held := _Held(frames, self._clock()))
        self._count(identity, 1, held.size)
        while self.bytes > self.max_bytes and self.held > 1:
            self._shed()
        if self.unclaimed > REPLIES:
            self._pop(next(iter(self._unclaimed)))
            self.way.dropped(1)

    def wanted(self) -> bool:
        """Whether a reply waits whose client has subscribed."""
        return any(map(self._subscriptions, self._held))

    def retry(self) -> None:
        """Tries again what could not be sent; often, while there are `blocked`."""
        for identity in list(self.blocked):
            self._flush(identity)

    def tick(self) -> None:
        """Gives up what waited too long, and says who has gone; some times a second."""
        now = self._clock()
        for identity, queue in list(self._held.items()):
            self._claim(identity)
            if identity not in self._unclaimed:
                if not self._ready(identity) and queue.replies[0].since + self.twin_seconds <= now:
                    self._surplus[identity] = float("inf")
                self._flush(identity)
                continue
            while queue.replies and queue.replies[0].since + self.seconds <= now:
                self.way.send_to_some(self._pop(identity))  # perhaps its subscription was one too many to remember
                self.way.dropped(1)
        while self._left and next(iter(self._left.values())) + self.grace <= now:
            self._give_up(next(iter(self._left)))

    def _give_up(self, topic: bytes) -> None:
        del self._left[topic]
        while topic in self._held:
            self._pop(topic)
            self.way.dropped(1)
        self.way.gone(topic)

    def _shed(self) -> None:
        """Makes room at the expense of who lets most wait. One who has subscribed is told, as he would wait for ever."""
        identity = max(self._held, key=lambda each: self._held[each].bytes)
        queue = self._held[identity]
        self.way.dropped(1)
        while identity not in self._unclaimed and queue.short < len(queue.replies):
            held = queue.replies[queue.short]
            queue.short += 1
            if frames := self.way.shorter(held.frames):
                shorter = _Held(frames, held.since)
                if 2 * shorter.size <= held.size:
                    queue.replies[queue.short - 1] = shorter
                    self._count(identity, 0, shorter.size - held.size)
                    return
        self._pop(identity)

    def _subscriptions(self, identity: bytes) -> int:
        """How many there are, to the identity itself or to a prefix of it."""
        return sum(self._topics.get(identity[:length], 0) for length in self._lengths if length <= len(identity))

    def _ready(self, identity: bytes) -> bool:
        return self._surplus.get(identity, 0) >= 0 and self._subscriptions(identity) > 0

    def _claim(self, identity: bytes) -> None:
        """Notes whether anybody has subscribed to what is held."""
        if identity not in self._held:
            return
        number = len(self._held[identity].replies)
        if not self._subscriptions(identity):
            self.unclaimed += number * (identity not in self._unclaimed)
            self._unclaimed[identity] = None
        elif identity in self._unclaimed:
            self.unclaimed -= number
            del self._unclaimed[identity]

    def _flush(self, identity: bytes) -> None:
        since = self.blocked.pop(identity, None)
        while identity in self._held and self._ready(identity):
            frames = self._held[identity].replies[0].frames
            if not self.way.send(frames):
                now = self._clock()
                if since is None or since + self.stuck_seconds > now or self._subscriptions(identity) == 1:
                    self.blocked[identity] = now if since is None else since
                    return
                self.way.send_to_some(frames)
            since = None
            self._pop(identity)

    def _pop(self, identity: bytes) -> list:
        queue = self._held[identity]
        held = queue.replies.popleft()
        queue.short = max(0, queue.short - 1)
        self._count(identity, -1, -held.size)
        if not queue.replies:
            del self._held[identity]
            self._unclaimed.pop(identity, None)
            self.blocked.pop(identity, None)
        return held.frames

    def _count(self, identity: bytes, number: int, size: int) -> None:
        self._held[identity].bytes += size
        self.bytes += size
        self.held += number
        self.unclaimed += number * (identity in self._unclaimed)

    def _forget(self, topic: bytes) -> None:
        del self._topics[topic]
        self._lengths[len(topic)] -= 1
        if not self._lengths[len(topic)]:
            del self._lengths[len(topic)]

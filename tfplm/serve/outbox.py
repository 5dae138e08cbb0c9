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

from tfplm.serve.protocol import LONGEST_IDENTITY

TOPICS = 1 << 16  # subscriptions that are remembered
REPLIES = 10_000  # that are held


@dataclasses.dataclass
class _Held:
    frames: list
    size: int
    since: float


class Outbox:
    """Holds replies, within `max_bytes` in all; knows nothing of sockets.

    Args:
        send: sends frames; False where the client's pipe is full, so that it has to be tried again.
        gone: called with the identity of a client whose subscription ended and did not come back within `grace`
            seconds (a broken connection is made anew by itself, a closed one is not).
        dropped: called with the number of replies that were given up.
        seconds: how long a subscription is waited for. A client that has subscribed and reads slowly may take longer.
        twin_seconds: how long, where there is one already; once in vain, never again for this identity, whose client
            seems to call all of its requests number 1.
    """

    def __init__(self, send: Callable[[list], bool], gone: Callable[[bytes], None], dropped: Callable[[int], None],
                 seconds: float = 60.0, twin_seconds: float = 1.0, grace: float = 5.0, max_bytes: int = 1 << 30,
                 clock: Callable[[], float] = time.monotonic):
        self._send, self._gone, self._dropped = send, gone, dropped
        self.seconds, self.twin_seconds, self.grace = seconds, twin_seconds, grace
        self.max_bytes, self._clock = max_bytes, clock
        self._topics: OrderedDict[bytes, int] = OrderedDict()  # topic -> subscriptions
        self._surplus: OrderedDict[bytes, float] = OrderedDict()  # identity -> subscriptions less clients, if not 0
        self._lengths: Counter[int] = Counter()
        self._held: OrderedDict[bytes, deque[_Held]] = OrderedDict()
        self._left: OrderedDict[bytes, float] = OrderedDict()  # unsubscribed topic -> when
        self.blocked: set[bytes] = set()  # clients that have subscribed and whose pipes are full
        self.held = self.bytes = 0  # replies that wait, and their size

    @property
    def subscribers(self) -> int:
        return len(self._topics)

    def subscription(self, frame: bytes) -> None:
        """A frame that an XPUB socket received: 1 or 0, and the topic."""
        joins, topic = frame[:1] == b"\x01", frame[1:]
        if frame[:1] not in (b"\x00", b"\x01") or not 0 < len(topic) <= LONGEST_IDENTITY:
            return
        if joins:
            self._left.pop(topic, None)
            if topic not in self._topics:
                self._lengths[len(topic)] += 1
            self._topics[topic] = self._topics.get(topic, 0) + 1
            if len(self._topics) > TOPICS:
                self._forget(next(iter(self._topics)))
            self._balance(topic, 1)
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
            if self._send(frames):
                return
            self.blocked.add(identity)
        size = sum(len(frame) for frame in frames)
        self._held.setdefault(identity, deque()).append(_Held(frames, size, self._clock()))
        self.bytes += size
        self.held += 1
        while self.bytes > self.max_bytes and self.held > 1:  # at the expense of who lets most wait
            self._pop(max(self._held, key=lambda each: sum(held.size for held in self._held[each])))
            self._dropped(1)
        if self.held > REPLIES:
            self._pop(next(iter(self._held)))
            self._dropped(1)

    def wanted(self) -> bool:
        """Whether a reply waits whose client has subscribed."""
        return any(map(self._subscribed, self._held))

    def retry(self) -> None:
        """Tries again what could not be sent; often, while there are `blocked`."""
        for identity in list(self.blocked):
            self._flush(identity)

    def tick(self) -> None:
        """Gives up what waited too long, and says who has gone; some times a second."""
        now = self._clock()
        for identity, waiting in list(self._held.items()):
            if self._subscribed(identity):
                if not self._ready(identity) and waiting[0].since + self.twin_seconds <= now:
                    self._surplus[identity] = float("inf")
                self._flush(identity)
                continue
            while waiting and waiting[0].since + self.seconds <= now:
                # perhaps somebody has subscribed to everything, or to more than is remembered
                self._send(self._pop(identity))
                self._dropped(1)
        while self._left and next(iter(self._left.values())) + self.grace <= now:
            self._give_up(next(iter(self._left)))

    def _give_up(self, topic: bytes) -> None:
        del self._left[topic]
        while topic in self._held:
            self._pop(topic)
            self._dropped(1)
        self._gone(topic)

    def _subscribed(self, identity: bytes) -> bool:
        return any(identity[:length] in self._topics for length in self._lengths if length <= len(identity))

    def _ready(self, identity: bytes) -> bool:
        return self._surplus.get(identity, 0) >= 0 and self._subscribed(identity)

    def _flush(self, identity: bytes) -> None:
        self.blocked.discard(identity)
        while identity in self._held and self._ready(identity):
            if not self._send(self._held[identity][0].frames):
                self.blocked.add(identity)
                return
            self._pop(identity)

    def _pop(self, identity: bytes) -> list:
        held = self._held[identity].popleft()
        self.bytes -= held.size
        self.held -= 1
        if not self._held[identity]:
            del self._held[identity]
            self.blocked.discard(identity)
        return held.frames

    def _forget(self, topic: bytes) -> None:
        del self._topics[topic]
        self._lengths[len(topic)] -= 1
        if not self._lengths[len(topic)]:
            del self._lengths[len(topic)]

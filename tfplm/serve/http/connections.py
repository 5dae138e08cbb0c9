"""The connections of the HTTP server: how many there may be, and how long the head of a request may take.

uvicorn has no time limit for heads, so that connections which send half of one would stay for ever, until there are no
descriptors left.
"""

import asyncio
import json
from collections import Counter

from uvicorn.protocols.http.auto import AutoHTTPProtocol

from tfplm.serve.http.api import plain_problem
from tfplm.serve.queue.limits import share

HEAD_SECONDS = 20.0  # from the connection, or the first byte of a further request, until its head is complete
UNREAD_SECONDS = 30.0
HEAD_BYTES = 128 << 10  # of an unfinished head; h11 has a limit of its own, httptools has none


class Connections:
    """The open connections, oldest first. At `most` of them, and at seven eighths of one address, the oldest that has no
    request makes room for a new one; where all have one, the new one is answered with 503.

    head_seconds: after which half a head is answered with 408. unread_seconds: after which a connection is closed whose
    client has read nothing of its reply.
    """

    def __init__(self, most: int, head_seconds: float = HEAD_SECONDS, unread_seconds: float = UNREAD_SECONDS):
        self.most, self.head_seconds, self.unread_seconds = most, head_seconds, unread_seconds
        self._open: dict[Guarded, str] = {}
        self._addresses: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._open)

    def enter(self, connection: "Guarded", address: str) -> bool:
        """Takes a connection in; False where there is no room."""
        total, own = len(self._open) >= self.most, self._addresses[address] >= share(self.most)
        if total or own:
            idle = (each for each, place in self._open.items() if not each.busy and (total or place == address))
            if (oldest := next(idle, None)) is None:
                return False
            oldest.give_up("the head of the request came too slowly, and others wanted its place")
            self.leave(oldest)
        self._open[connection] = address
        self._addresses[address] += 1
        return True

    def leave(self, connection: "Guarded") -> None:
        if (address := self._open.pop(connection, None)) is not None:
            self._addresses[address] -= 1
            if not self._addresses[address]:
                del self._addresses[address]


class Guarded(AutoHTTPProtocol):  # type: ignore[misc,valid-type]
    """uvicorn's protocol, of h11 or httptools, within the bounds of `rooms`, a `Connections`, which a subclass has."""

    rooms: Connections
    _timer: asyncio.TimerHandle | None = None
    _reader: asyncio.TimerHandle | None = None
    _unread, _head_bytes, _begun = 0, 0, False  # the last: part of a head has come

    @property
    def busy(self) -> bool:
        """Whether a request is being answered, whose body may still come."""
        return self.cycle is not None and not self.cycle.response_complete

    def connection_made(self, transport) -> None:
        super().connection_made(transport)
        peer = transport.get_extra_info("peername")
        if self.rooms.enter(self, str(peer[0]) if peer else ""):
            self._watch()
        else:
            self.refuse(503, "too many connections: try again")

    def data_received(self, data: bytes) -> None:
        if not self.transport.is_closing():
            super().data_received(data)
            self._begun = not self.busy
            self._head_bytes = 0 if self.busy else self._head_bytes + len(data)
            if self._head_bytes > HEAD_BYTES and not self.transport.is_closing():
                self.refuse(431, f"the head of the request has more than {HEAD_BYTES:,} bytes")
            self._watch()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._unread = self.transport.get_write_buffer_size()
        self._reader = self.loop.call_later(self.rooms.unread_seconds, self._not_read)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stop_reader()

    def connection_lost(self, exc: Exception | None) -> None:
        self.rooms.leave(self)
        self._stop_timer()
        self._stop_reader()
        super().connection_lost(exc)

    def refuse(self, status: int, reason: str) -> None:
        """Answers and closes."""
        self._stop_timer()
        body = json.dumps(plain_problem(status, reason, "Refusal")).encode()
        self.transport.write(b"HTTP/1.1 %d %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\n"
                             b"connection: close\r\n\r\n%b" % (status, _PHRASES[status], len(body), body))
        self.transport.close()

    def give_up(self, reason: str) -> None:
        """Closes a connection without a request; who has begun one is told the reason."""
        if self._begun:
            self.refuse(408, reason)
        else:
            self._stop_timer()
            self.transport.close()

    def _watch(self) -> None:
        """Between requests the time runs from the first byte on; uvicorn itself closes what keeps silent there."""
        if self.busy or self.transport.is_closing():
            self._stop_timer()
        elif self._timer is None:
            self._timer = self.loop.call_later(self.rooms.head_seconds, self._late)

    def _late(self) -> None:
        self._timer = None
        if not self.busy and not self.transport.is_closing():
            self.give_up(f"the head of the request did not come within {self.rooms.head_seconds:g} s")

    def _not_read(self) -> None:
        """A reply of which nothing was read in all that time is given up."""
        left = self.transport.get_write_buffer_size()
        if left >= self._unread:
            self.transport.abort()
        else:
            self._unread = left
            self._reader = self.loop.call_later(self.rooms.unread_seconds, self._not_read)

    def _stop_reader(self) -> None:
        if self._reader is not None:
            self._reader.cancel()
            self._reader = None

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


_PHRASES = {408: b"Request Timeout", 431: b"Request Header Fields Too Large", 503: b"Service Unavailable"}


def guarded(rooms: Connections) -> type[Guarded]:
    """The protocol of one server."""
    return type("GuardedProtocol", (Guarded,), {"rooms": rooms})

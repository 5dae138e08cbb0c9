"""The body of a request as it comes."""

import asyncio
import time
from typing import Protocol

UNFINISHED = 100  # bodies of one address that may be on their way; of more, the oldest is given up
PROGRESS = 64 << 10  # bytes


class Refusal(Exception):
    """A request that is answered before the application sees it: status and reason."""


def busy() -> Refusal:
    return Refusal(503, "too many requests at once: try again", (b"retry-after", b"1"))


class Room(Protocol):
    """What all bodies have together."""

    bytes: int

    def has_room(self, size: int) -> bool:
        """Whether so many more bytes may be in memory."""


class Body:
    """A body of at most `most` bytes. One that is too large, or for which there is no room, is read on for a while: its
    sender would not see the answer before.

    Attributes: `kept`, bytes in memory; `progressed`, when so many came that the sender is not just pretending to send.
    """

    def __init__(self, room: Room, most: int):
        self.room, self.most = room, most
        self.size = self.kept = 0
        self.progressed, self._since = time.monotonic(), 0  # bytes after it
        self._content = bytearray()  # not a list: parts of one byte would take many times their size
        self._refusal: Refusal | None = None
        self._reading: asyncio.Task | None = None
        self._evicted = False

    async def read(self, receive) -> None:
        """Reads until the end, or until `evict`."""
        if self._evicted:
            return
        self._reading = asyncio.ensure_future(self._read(receive))
        try:
            await self._reading
        except asyncio.CancelledError:
            if not self._evicted:
                raise

    def evict(self) -> None:
        """Gives it up, for others."""
        self._evicted = True
        self.drop()
        self._refusal = Refusal(408, "the body came too slowly, and others wanted its place")
        if self._reading is not None:
            self._reading.cancel()

    async def _read(self, receive) -> None:
        more = True
        while more and self.size <= 4 * self.most:
            message = await receive()
            self._since += len(message.get("body", b""))
            if self._since >= PROGRESS:
                self.progressed, self._since = time.monotonic(), 0
            self._take(message.get("body", b""))
            more = message.get("more_body", False)

    def _take(self, part: bytes) -> None:
        self.size += len(part)
        if self.size > self.most:
            self._refusal = Refusal(413, f"the body has more than {self.most:,} bytes: send less at once")
        elif part and self._refusal is None and not self.room.has_room(len(part)):
            self._refusal = busy()
        if self._refusal is None:
            self._content += part
            self.kept += len(part)
            self.room.bytes += len(part)
        else:
            self.drop()

    def content(self) -> bytes:
        """All of it; Refusal where it is not to be had."""
        if self._refusal is not None:
            raise self._refusal
        content, self._content = bytes(self._content), bytearray()
        return content

    def drop(self) -> None:
        self.room.bytes -= self.kept
        self.kept = 0
        self._content = bytearray()

"""ZMTP 3.1, ZeroMQ's protocol over TCP (rfc.zeromq.org/spec/37), and 3.0, as a server of PUSH and SUB sockets speaks it.

libzmq bounds single parts and the number of whole messages, but it keeps the parts of an unfinished message without a
bound on their number or their sum: any peer can make it take all memory, twenty bytes for each that is sent. Here the
bytes of a message are bounded while they come, for each connection and for all of them together.

    greeting   64 bytes, then a command READY with the type of the socket
    frame      flags | size, 1 byte or (LONG) 8 | body        a message: frames of which all but the last have MORE
"""

import time
from collections.abc import Callable, Iterator

MORE, LONG, COMMAND = 1, 2, 4  # flags of a frame
GREETING_BYTES = 64
SIGNATURE, LAST_OF_SIGNATURE, MAJOR = b"\xff", 0x7F, 3
MECHANISM = b"NULL".ljust(20, b"\0")
GREETING = b"\xff" + bytes(7) + b"\x01\x7f" + bytes([MAJOR, 1]) + MECHANISM + bytes(32)
COMMAND_BYTES = 4096  # of a command, at most
KEPT_PARTS = 5  # of a message: one more than a request has, which shows that it is none
PARTS = 1000  # of a message, at most
FREE = 16 << 10  # bytes of an unfinished message that do not count against what all have together
JOINED = 64 << 10  # bytes of a part that is copied beside its neighbours, so that they are sent at once


class Violation(ValueError):
    """What no peer sends that speaks the protocol, or more than it may: the connection is closed."""


class Dropped:
    """In place of a part that was too long to keep: its length."""

    def __init__(self, length: int):
        self._length = length

    def __len__(self) -> int:
        return self._length


Frame = bytes | Dropped


class Pool:
    """The bytes that unfinished messages of all connections take together, at most `limit`.

    evict: is called where there is no room, to free some; returns whether it has.
    """

    def __init__(self, limit: int, evict: Callable[[], bool] = lambda: False):
        self.limit, self.evict, self.bytes = limit, evict, 0

    def take(self, number: int) -> bool:
        while self.bytes + number > self.limit:
            if not self.evict():
                return False
        self.bytes += number
        return True

    def give(self, number: int) -> None:
        self.bytes -= number


class Incoming:
    """Messages and commands from the bytes of one peer, in whatever pieces they come.

    Args:
        part_bytes: of parts that are kept; longer ones are read and `Dropped`, as is one for which the pool has no room.
        message_bytes: of all parts and their headers; more is a `Violation`, as are more than 1000 parts.
    """

    def __init__(self, part_bytes: int, message_bytes: int, pool: Pool):
        self.part_bytes, self.message_bytes, self.pool = part_bytes, message_bytes, pool
        self._head, self._body = bytearray(), bytearray()
        self._in_frame = self._keep = False
        self._flags = self._left = self._length = 0
        self.taken = 0  # bytes of the pool
        self._begin()

    def _begin(self) -> None:
        self._parts: list[Frame] = []
        self._number = self._size = self._kept = 0
        self.since = 0.0  # when it began
        self._take_from_pool(0)

    @property
    def unfinished(self) -> bool:
        """Whether a message has begun and has not ended."""
        return bool(self._number)

    def feed(self, data: bytes | memoryview) -> Iterator[tuple[bool, list[Frame]]]:
        """(True for a command, the frames) of what these bytes complete."""
        view, position = memoryview(data), 0
        while position < len(view):
            if not self._in_frame:
                missing = (9 if self._head and self._head[0] & LONG else 2) - len(self._head)
                self._head += view[position:position + missing]
                position += missing
                if len(self._head) < (9 if self._head[0] & LONG else 2):
                    continue
                self._open_frame()
            part = view[position:position + self._left]
            position += len(part)
            self._add(part)
            if not self._left and (found := self._close_frame()) is not None:
                yield found

    def release(self) -> None:
        """Gives back what an unfinished message takes."""
        self._body = bytearray()
        self._begin()

    def _open_frame(self) -> None:
        header, flags, size = len(self._head), self._head[0], int.from_bytes(self._head[1:], "big")
        self._head.clear()
        if flags & ~(MORE | LONG | COMMAND):
            raise Violation(f"a frame with the flags {flags:#x}")
        self._in_frame, self._flags, self._left, self._length, self._keep = True, flags, size, size, True
        if flags & COMMAND:
            if size > COMMAND_BYTES:
                raise Violation(f"a command of {size:,} bytes, more than {COMMAND_BYTES:,}")
            return
        if not self._number:
            self.since = time.monotonic()
        self._number += 1
        self._size += header + size
        if self._number > PARTS:
            raise Violation(f"a message of more than {PARTS:,} parts")
        if self._size > self.message_bytes:
            raise Violation(f"a message of more than {self.message_bytes:,} bytes")
        self._keep = self._number <= KEPT_PARTS and size <= self.part_bytes and self._kept + size <= self.part_bytes + FREE

    def _add(self, part: memoryview) -> None:
        self._left -= len(part)
        if self._keep and not self._flags & COMMAND:
            if self._take_from_pool(self._kept + len(part)):
                self._kept += len(part)
            else:
                self._kept -= len(self._body)
                self._take_from_pool(self._kept)
                self._keep, self._body = False, bytearray()
        if self._keep:
            self._body += part

    def _take_from_pool(self, kept: int) -> bool:
        """Makes the part of the pool fit to so many bytes; False where there is no room."""
        needed = max(0, kept - FREE)
        if needed > self.taken and not self.pool.take(needed - self.taken):
            return False
        if needed < self.taken:
            self.pool.give(self.taken - needed)
        self.taken = needed
        return True

    def _close_frame(self) -> tuple[bool, list[Frame]] | None:
        body, self._body, self._in_frame = self._body, bytearray(), False
        if self._flags & COMMAND:
            return True, [bytes(body)]
        if self._number <= KEPT_PARTS:
            self._parts.append(bytes(body) if self._keep else Dropped(self._length))
        if self._flags & MORE:
            return None
        frames = self._parts
        self._begin()
        return False, frames


class Greeting:
    """The first 64 bytes of a peer, checked as they come: who speaks another protocol is noticed by the first byte."""

    def __init__(self):
        self._content = bytearray()

    def feed(self, data: bytes) -> bytes | None:
        """The bytes behind the greeting; None while it has not ended. Violation for another protocol."""
        missing = GREETING_BYTES - len(self._content)
        self._content += data[:missing]
        found = self._content
        if found[:1] != SIGNATURE or (len(found) > 9 and found[9] != LAST_OF_SIGNATURE):
            raise Violation("another protocol than ZMTP")
        if len(found) > 10 and found[10] < MAJOR:
            raise Violation(f"ZMTP {found[10]}, expected {MAJOR}.0 or later, which ZeroMQ has had since 4.0")
        if len(found) < GREETING_BYTES:
            return None
        if found[12:32] != MECHANISM:
            raise Violation(f"the security mechanism {bytes(found[12:32]).rstrip(bytes(1))!r}, expected NULL")
        return data[missing:]


def ready(socket_type: bytes) -> bytes:
    """The frame of the command READY."""
    return command(b"READY", b"\x0bSocket-Type" + len(socket_type).to_bytes(4, "big") + socket_type)


def socket_type_of(body: bytes) -> bytes:
    """The type of the peer's socket, from the body of its READY. Violation where this is another command."""
    name, properties = split_command(body)
    if name != b"READY":
        raise Violation(f"the command {name[:20]!r} in place of READY")
    while properties:
        end = 1 + properties[0]
        size = int.from_bytes(properties[end:end + 4], "big")
        if properties[1:end].lower() == b"socket-type":
            return properties[end + 4:end + 4 + size]
        properties = properties[end + 4 + size:]
    raise Violation("a READY without the type of the socket")


def command(name: bytes, content: bytes = b"") -> bytes:
    """The frame of a short command."""
    body = bytes([len(name)]) + name + content
    return bytes([COMMAND, len(body)]) + body


def split_command(body: bytes) -> tuple[bytes, bytes]:
    """Name and content of a command."""
    end = 1 + body[0] if body else 0
    return body[1:end], body[end:]


def encode(frames: list) -> list[bytes | memoryview]:
    """A message as it is sent: few buffers, without a copy of what is long."""
    buffers: list[bytes | memoryview] = []
    short = bytearray()
    for index, frame in enumerate(frames):
        flags, size = MORE * (index < len(frames) - 1), len(frame)
        short += bytes([flags, size]) if size < 256 else bytes([flags | LONG]) + size.to_bytes(8, "big")
        if size <= JOINED:
            short += frame
        else:
            buffers += [bytes(short), memoryview(frame)]
            short.clear()
    return [*buffers, bytes(short)] if short else buffers

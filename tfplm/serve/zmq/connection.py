"""One peer of the server: its handshake, signs of life, what came from it and what goes to it."""

import socket
import time
from collections import deque
from collections.abc import Iterator

from tfplm.serve.zmq import zmtp
from tfplm.serve.zmq.zmtp import Frame, Greeting, Incoming, Violation

CHUNK = 64 << 10  # bytes read at once
PROGRESS = 64 << 10  # bytes
AT_ONCE = 4 << 20  # bytes written at once: others have their turn


class Connection:
    """A connected socket that speaks ZMTP; knows neither what messages mean nor when the socket is ready.

    Args:
        own, peers: the type of this side's socket, and those that may be at the other side.

    Attributes: `ahead`, messages that are on their way out; `heard`, when bytes came last;
    `progressed`, when so many came that the peer is not just pretending to send; `handshaken`.
    """

    def __init__(self, connected: socket.socket, address: str, own: bytes, peers: tuple[bytes, ...], incoming: Incoming):
        self.socket, self.address, self.own, self.peers, self.incoming = connected, address, own, peers, incoming
        self._greeting: Greeting | None = Greeting()
        self._out: deque[tuple[memoryview, bool]] = deque()  # True for the last one of a message
        self.ahead = 0
        self.handshaken = self.closed = False
        self.began = self.heard = self.pinged = self.progressed = time.monotonic()
        self._since = 0  # bytes after `progressed`
        self.messages: Iterator[list[Frame]] = iter(())  # of what was read, not yet all taken
        self._put(zmtp.GREETING)

    def read(self) -> bool:
        """Reads what has come, whose messages are then in `messages`; False at the end of the connection."""
        try:
            data = self.socket.recv(CHUNK)
        except (BlockingIOError, InterruptedError):
            return True
        self.heard = time.monotonic()
        self._since += len(data)
        if self._since >= PROGRESS:
            self.progressed, self._since = self.heard, 0
        self.messages = self._messages(data)
        return bool(data)

    def _messages(self, data: bytes) -> Iterator[list[Frame]]:
        if self._greeting is not None:
            rest = self._greeting.feed(data) if data else None
            if rest is None:
                return
            self._greeting, data = None, rest
            self._put(zmtp.ready(self.own))
        for is_command, frames in self.incoming.feed(data):
            if is_command:
                yield from self._obey(bytes(frames[0]))  # type: ignore[arg-type]
            elif not self.handshaken:
                raise Violation("a message in place of READY")
            else:
                yield frames

    def _obey(self, body: bytes) -> Iterator[list[Frame]]:
        if not self.handshaken:
            if (kind := zmtp.socket_type_of(body)) not in self.peers:
                raise Violation(f"a {kind[:20]!r} socket at a {self.own.decode()}")
            self.handshaken = True
            return
        name, content = zmtp.split_command(body)
        if name == b"PING" and not self._out:  # who does not read gets no answers in memory
            self._put(zmtp.command(b"PONG", content[2:18]))  # behind two bytes, a time limit
        elif name == b"ERROR":
            raise Violation(f"the peer reports an error: {content[1:100]!r}")
        elif name in (b"SUBSCRIBE", b"CANCEL"):  # ZMTP 3.1; in 3.0 they are messages
            yield [bytes([name == b"SUBSCRIBE"]) + content]

    def send(self, buffers: list[bytes | memoryview]) -> None:
        """Takes a message, of `zmtp.encode`, on its way out."""
        self.ahead += 1
        for index, buffer in enumerate(buffers):
            self._out.append((memoryview(buffer), index == len(buffers) - 1))

    def ping(self, patience: float) -> None:
        """Asks for a sign of life, and says for how long silence of this side is to be taken for life: seconds."""
        if not self._out:  # otherwise it would not be heard in time
            self.pinged = time.monotonic()
            self._put(zmtp.command(b"PING", min(65_535, int(10 * patience)).to_bytes(2, "big")))

    def _put(self, content: bytes) -> None:
        self._out.append((memoryview(content), False))

    @property
    def writes(self) -> bool:
        """Whether something waits to be written."""
        return bool(self._out)

    def flush(self) -> None:
        """Writes what the other side takes."""
        written = 0
        while self._out and written < AT_ONCE:
            buffer, last = self._out[0]
            try:
                sent = self.socket.send(buffer)
            except (BlockingIOError, InterruptedError):
                return
            written += sent
            if sent < len(buffer):
                self._out[0] = buffer[sent:], last
            else:
                self._out.popleft()
                self.ahead -= last

    def gone(self) -> bool:
        """Whether the other side has ended the connection, even if that was not read yet."""
        if self.closed:
            return True
        try:
            return not self.socket.recv(1, socket.MSG_PEEK)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError:
            return True

    def close(self) -> None:
        self.closed = True
        self.messages = iter(())
        self.incoming.release()
        self._out.clear()
        self.ahead = 0
        self.socket.close()

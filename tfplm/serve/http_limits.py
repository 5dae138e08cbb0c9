"""Bounds of the HTTP server: the size of a body, and how many requests are worked on at once."""

import asyncio
import json
from collections.abc import Callable

PATIENCE = 30.0  # seconds that a request waits for its turn, and that its body may take
WAITING = 10  # requests that may wait, for each that is worked on


class Refusal(Exception):
    """A request that goes no further: status and reason."""


class Limits:
    """ASGI middleware. Bodies above `max_bytes` are answered with 413, those that do not come within 30 s with 408. Of
    requests that encode, `connections` are worked on at once and ten times as many wait, up to 30 s; others are
    answered with 503.

    Args:
        paths: of requests that encode. counted: called with the status of every response.
    """

    def __init__(self, app, *, max_bytes: int, connections: int, paths: tuple[str, ...],
                 counted: Callable[[int], None] = lambda status: None):
        self.app, self.max_bytes, self.paths, self.counted = app, max_bytes, paths, counted
        self.connections, self.waiting = connections, 0
        self._turn = asyncio.Semaphore(connections)

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def sending(message):
            if message["type"] == "http.response.start":
                self.counted(message["status"])
            await send(message)

        try:
            if scope["path"] in self.paths and scope["method"] == "POST":
                await self._in_turn(_as_json(scope), receive, sending)
            else:
                await self.app(scope, _replay(await self._body(receive), receive), sending)
        except Refusal as refusal:
            await _reply(sending, *refusal.args)

    async def _in_turn(self, scope, receive, send):
        if self.waiting >= WAITING * self.connections and self._turn.locked():
            raise _busy()
        self.waiting += 1
        try:
            body = await self._body(receive)  # before its turn, so that a slow sender keeps nobody from work
            await asyncio.wait_for(self._turn.acquire(), PATIENCE)
        except asyncio.TimeoutError:  # in Python 3.10 not the builtin one
            raise _busy() from None
        finally:
            self.waiting -= 1
        try:
            await self.app(scope, _replay(body, receive), send)
        finally:
            self._turn.release()

    async def _body(self, receive) -> bytes:
        """The whole body. One that is too large is read on for a while: its sender would not see the answer before."""
        parts, size = [], 0

        async def read():
            nonlocal size
            more = True
            while more and size <= 4 * self.max_bytes:
                message = await receive()
                size += len(message.get("body", b""))
                if size <= self.max_bytes:
                    parts.append(message.get("body", b""))
                more = message.get("more_body", False)

        try:
            await asyncio.wait_for(read(), PATIENCE)
        except asyncio.TimeoutError:
            raise Refusal(408, f"the body did not come within {PATIENCE:g} s") from None
        if size > self.max_bytes:
            raise Refusal(413, f"the body has more than {self.max_bytes:,} bytes: send less at once")
        return b"".join(parts)


def _replay(body: bytes, receive):
    """`receive` of the application: the body that was read, then what comes later, such as the end of the connection."""
    first = {"type": "http.request", "body": body, "more_body": False}

    async def replaying():
        nonlocal first
        message, first = first, None
        return await receive() if message is None else message

    return replaying


def _as_json(scope):
    """What `curl -d` calls a form is JSON as well."""
    form = (b"content-type", b"application/x-www-form-urlencoded")
    return {**scope, "headers": [each for each in scope["headers"] if each != form]}


def _busy() -> Refusal:
    return Refusal(503, "too many requests at once: try again", (b"retry-after", b"1"))


async def _reply(send, status: int, reason: str, *headers: tuple[bytes, bytes]):
    body = json.dumps({"detail": reason}).encode()
    await send({"type": "http.response.start", "status": status, "headers": [
        (b"content-type", b"application/json"), (b"content-length", b"%d" % len(body)), (b"connection", b"close"),
        *headers]})
    await send({"type": "http.response.body", "body": body})

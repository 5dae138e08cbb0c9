"""Bounds of the HTTP server: the size of a body, and how many requests are worked on at once."""

import asyncio
import contextlib
import json
from collections.abc import Callable

from tfplm.serve.http.bodies import as_json

PATIENCE = 30.0  # seconds that a request waits for its turn, and that its body may take
WAITING = 10  # requests that may wait, for each that is worked on
BODIES = 4  # bodies of the largest size that may be in memory at once
OTHER_BODY = 64 << 10  # bytes of the body of a request that does not encode


class Refusal(Exception):
    """A request that is answered here: status and reason."""


class ConnectionLimits:
    """ASGI middleware. Bodies above `max_bytes` are answered with 413, those that do not come within 30 s with 408. Of
    requests that encode, `connections` are worked on at once and ten times as many wait, up to 30 s; others, and those
    for whose bodies there is no room beside the bodies of others, are answered with 503.

    Args:
        paths: of requests that encode. Others have small bodies. problem: (path, status, reason, kind) to the body of an
            error. counted: called with the status of every response.
    """

    def __init__(self, app, *, max_bytes: int, connections: int, paths: tuple[str, ...],
                 problem: Callable[[str, int, str, str], dict], counted: Callable[[int], None] = lambda status: None):
        self.app, self.max_bytes, self.paths, self.counted = app, max_bytes, paths, counted
        self.connections, self.problem = connections, problem
        self.requests = self.bytes = 0  # that encode and have not ended; bodies in memory
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
                await self._in_turn(scope, receive, sending)
            else:
                async with self._body(receive, OTHER_BODY) as body:
                    await self.app(scope, _replay(body, receive), sending)
        except Refusal as refusal:
            await self._refuse(sending, scope["path"], *refusal.args)

    async def _refuse(self, send, path: str, status: int, reason: str, *headers: tuple[bytes, bytes]):
        body = json.dumps(self.problem(path, status, reason, "Refusal")).encode()
        await send({"type": "http.response.start", "status": status, "headers": [
            (b"content-type", b"application/json"), (b"content-length", b"%d" % len(body)), (b"connection", b"close"),
            *headers]})
        await send({"type": "http.response.body", "body": body})

    async def _in_turn(self, scope, receive, send):
        if self.requests >= (1 + WAITING) * self.connections:
            raise _busy()
        self.requests += 1
        try:
            async with self._body(receive, self.max_bytes) as body:  # before its turn: slow senders keep nobody from work
                try:
                    await asyncio.wait_for(self._turn.acquire(), PATIENCE)
                except asyncio.TimeoutError:  # in Python 3.10 not the builtin one
                    raise _busy() from None
                try:
                    await self.app(*_as_json(scope, body, receive), send)
                finally:
                    self._turn.release()
        finally:
            self.requests -= 1

    @contextlib.asynccontextmanager
    async def _body(self, receive, most: int):
        """The whole body, which counts until the request has ended."""
        body = _Body(self, most)
        try:
            try:
                await asyncio.wait_for(body.read(receive), PATIENCE)
            except asyncio.TimeoutError:
                raise Refusal(408, f"the body did not come within {PATIENCE:g} s") from None
            yield body.content()
        finally:
            body.drop()


class _Body:
    """A body as it comes. One that is too large, or for which there is no room, is read on for a while: its sender would
    not see the answer before."""

    def __init__(self, limits: ConnectionLimits, most: int):
        self.limits, self.most = limits, most
        self.size = self.kept = 0
        self._parts: list[bytes] = []
        self._refusal: Refusal | None = None

    async def read(self, receive) -> None:
        more = True
        while more and self.size <= 4 * self.most:
            message = await receive()
            self._take(message.get("body", b""))
            more = message.get("more_body", False)

    def _take(self, part: bytes) -> None:
        self.size += len(part)
        if self.size > self.most:
            self._refusal = Refusal(413, f"the body has more than {self.most:,} bytes: send less at once")
        elif part and self.limits.bytes + len(part) > BODIES * self.limits.max_bytes:
            self._refusal = self._refusal or _busy()
        if self._refusal is None:
            self._parts.append(part)
            self.kept += len(part)
            self.limits.bytes += len(part)
        else:
            self.drop()

    def content(self) -> bytes:
        """All of it; Refusal where it is not to be had."""
        if self._refusal is not None:
            raise self._refusal
        content = b"".join(self._parts)
        self._parts.clear()
        return content

    def drop(self) -> None:
        self.limits.bytes -= self.kept
        self.kept = 0
        self._parts.clear()


def _replay(body: bytes, receive):
    """`receive` of the application: the body that was read, then what comes later, such as the end of the connection."""
    first: dict | None = {"type": "http.request", "body": body, "more_body": False}

    async def replaying():
        nonlocal first
        message, first = first, None
        return await receive() if message is None else message

    return replaying


def _as_json(scope, body: bytes, receive):
    try:
        scope, body = as_json(scope, body)
    except ValueError as error:
        raise Refusal(400, f"the form cannot be read: {error}") from None
    return scope, _replay(body, receive)


def _busy() -> Refusal:
    return Refusal(503, "too many requests at once: try again", (b"retry-after", b"1"))

"""Bounds of the HTTP server: the size of a body, and how many requests are worked on at once."""

import asyncio
import contextlib
import json
import time
from collections.abc import Callable

from tfplm.serve.http.bodies import as_json
from tfplm.serve.http.body import UNFINISHED, Body, Refusal, busy
from tfplm.serve.http.turns import Turns

PATIENCE = 30.0  # seconds that a request waits for its turn, and that its body may take
WAITING = 10  # requests that may wait, for each that is worked on
BODIES = 4  # bodies of the largest size that may be in memory at once
OTHER_BODY = 64 << 10  # bytes of the body of a request that does not encode
STALL = 2.0  # seconds without progress after which others may have the room of a body


class ConnectionLimits:
    """ASGI middleware. Bodies above `max_bytes` are answered with 413, those that do not come within 30 s with 408. Of
    requests that encode and have come in whole, `connections` are worked on at once and ten times as many wait, up to
    30 s, and the addresses take turns; others, and those for whose bodies there is no room beside the bodies of others,
    are answered with 503.

    A request has its place from its last byte until the first byte of its reply: who sends slowly, or does not read,
    keeps nobody from being served.

    Args:
        paths: of requests that encode. Others have small bodies. problem: (path, status, reason, kind) to the body of an
            error. counted: called with the status of every response. reply_bytes: of replies that are not read yet; a
            request whose reply would be more keeps its place until its client has read it. made: called
            with the middleware itself, which the application makes.
    """

    def __init__(self, app, *, max_bytes: int, connections: int, paths: tuple[str, ...],
                 problem: Callable[[str, int, str, str], dict], counted: Callable[[int], None] = lambda status: None,
                 reply_bytes: int = 1 << 30, made: Callable[["ConnectionLimits"], None] = lambda limits: None):
        self.app, self.max_bytes, self.paths, self.counted = app, max_bytes, paths, counted
        self.problem = problem
        self.requests = self.bytes = 0  # that encode and have a place; bodies in memory
        self.unread, self.reply_bytes = 0, reply_bytes
        self._turns = Turns(connections, WAITING * connections)
        self._loop: asyncio.AbstractEventLoop | None = None
        made(self)
        self._unfinished: dict[Body, str] = {}  # with the address of their sender, oldest first

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def sending(message):
            if message["type"] == "http.response.start":
                self.counted(message["status"])
            await send(message)

        encodes = scope["path"] in self.paths and scope["method"] == "POST"
        try:
            async with self._body(scope, receive, self.max_bytes if encodes else OTHER_BODY) as body:
                if encodes:
                    await self._in_turn(*_as_json(scope, body, receive), sending)
                else:
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
        place = _Place(self, send)
        try:
            try:
                await asyncio.wait_for(self._turns.acquire(_address(scope)), PATIENCE)
                place.turn = True
            except asyncio.TimeoutError:  # in Python 3.10 not the builtin one
                raise busy() from None
            await self.app(scope, receive, place.send)
        finally:
            place.leave()

    @contextlib.asynccontextmanager
    async def _body(self, scope, receive, most: int):
        """The whole body, which counts until the request has ended."""
        self._loop = asyncio.get_running_loop()
        body, address = Body(self, most), _address(scope)
        own = [each for each, place in self._unfinished.items() if place == address]
        if len(own) >= UNFINISHED:
            own[0].evict()
            del self._unfinished[own[0]]
        self._unfinished[body] = address
        try:
            try:
                await asyncio.wait_for(body.read(receive), PATIENCE)
            except asyncio.TimeoutError:
                raise Refusal(408, f"the body did not come within {PATIENCE:g} s") from None
            finally:
                self._unfinished.pop(body, None)
            yield body.content()
        finally:
            body.drop()

    def has_room(self, size: int) -> bool:
        """Whether so many more bytes of bodies may be in memory. One that stands still may have to go for them."""
        while self.bytes + size > BODIES * self.max_bytes:
            still = [each for each in self._still() if each.kept]
            if not still:
                return False
            max(still, key=lambda each: each.kept).evict()
        return True

    def _still(self) -> list[Body]:
        now = time.monotonic()
        return [each for each in self._unfinished if now - each.progressed > STALL]

    def give_up_still(self) -> None:
        """Gives up the bodies that stand still, for which a server that stops does not wait; from any thread."""
        def give_up() -> None:
            for each in self._still():
                each.evict()

        if self._loop is not None:
            self._loop.call_soon_threadsafe(give_up)


class _Place:
    """Of a request that encodes: it is left when its reply begins, so that who does not read keeps nobody waiting."""

    def __init__(self, limits: ConnectionLimits, send):
        self.limits, self._send, self.turn, self._there = limits, send, False, True
        limits.requests += 1

    async def send(self, message) -> None:
        size = len(message.get("body", b""))
        if message["type"] == "http.response.body" and self.limits.unread + size <= self.limits.reply_bytes:
            self.leave()
        self.limits.unread += size
        try:
            await self._send(message)
        finally:
            self.limits.unread -= size

    def leave(self) -> None:
        if self.turn:
            self.turn = False
            self.limits._turns.release()
        if self._there:
            self._there = False
            self.limits.requests -= 1


def _address(scope) -> str:
    return (scope.get("client") or ("",))[0]


def _replay(body: bytes, receive):
    """`receive` of the application: the body that was read, then what comes later, such as the end of the connection."""
    first: dict | None = {"type": "http.request", "body": body, "more_body": False}

    async def replaying():
        nonlocal first
        message, first = first, None
        return await receive() if message is None else message

    return replaying


def _as_json(scope, body: bytes, receive) -> tuple[dict, Callable]:
    try:
        scope, body = as_json(scope, body)
    except ValueError as error:
        raise Refusal(400, f"the form cannot be read: {error}") from None
    return scope, _replay(body, receive)

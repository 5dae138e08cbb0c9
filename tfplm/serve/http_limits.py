"""Bounds of the HTTP server: the size of a body, and how many requests are worked on at once."""

import asyncio
import contextlib
import json

from starlette.exceptions import HTTPException

PATIENCE = 30.0  # seconds that a request waits for its turn
WAITING = 10  # requests that may wait, for each that is worked on


class Limits:
    """ASGI middleware: bodies above `max_bytes` are answered with 413; of requests that encode, `connections` are
    worked on at once and ten times as many wait, up to 30 s, others are answered with 503.

    Args:
        paths: of requests that encode. counted: called with the status of every response.
    """

    def __init__(self, app, *, max_bytes: int, connections: int, paths: tuple[str, ...], counted=lambda status: None):
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

        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if declared.isdigit() and (len(declared) > 18 or int(declared) > self.max_bytes):
            await _discard(receive, 4 * self.max_bytes)
            await _reply(sending, 413, self._too_large().detail, [(b"connection", b"close")])
        elif scope["path"] in self.paths and scope["method"] == "POST":
            await self._in_turn(_as_json(scope), self._bounded(receive), sending)
        else:
            await self.app(scope, self._bounded(receive), sending)

    def _too_large(self) -> HTTPException:
        return HTTPException(413, f"the body has more than {self.max_bytes:,} bytes: send less at once")

    async def _in_turn(self, scope, receive, send):
        if self._turn.locked() and self.waiting >= WAITING * self.connections:
            await _busy(send)
            return
        self.waiting += 1
        try:
            await asyncio.wait_for(self._turn.acquire(), PATIENCE)
        except asyncio.TimeoutError:  # in Python 3.10 not the builtin one
            await _busy(send)
            return
        finally:
            self.waiting -= 1
        try:
            await self.app(scope, receive, send)
        finally:
            self._turn.release()

    def _bounded(self, receive):
        read = 0

        async def receiving():
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > self.max_bytes:
                await _discard(receive, 3 * self.max_bytes, message)
                raise self._too_large()
            return message

        return receiving


async def _discard(receive, most: int, message: dict | None = None) -> None:
    """Reads what is left of a body, within bounds: a client that is still sending would not see the answer."""

    async def read():
        nonlocal message
        size = 0
        while message is None or (message.get("more_body") and size <= most):
            message = await receive()
            size += len(message.get("body", b""))

    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(read(), PATIENCE)


def _as_json(scope):
    """What `curl -d` calls a form is JSON as well."""
    form = (b"content-type", b"application/x-www-form-urlencoded")
    return {**scope, "headers": [each for each in scope["headers"] if each != form]}


async def _busy(send):
    await _reply(send, 503, "too many requests at once: try again", [(b"retry-after", b"1")])


async def _reply(send, status: int, reason: str, headers: list):
    body = json.dumps({"detail": reason}).encode()
    await send({"type": "http.response.start", "status": status, "headers": [
        (b"content-type", b"application/json"), (b"content-length", b"%d" % len(body)), *headers]})
    await send({"type": "http.response.body", "body": body})

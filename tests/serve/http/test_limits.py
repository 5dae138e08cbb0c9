"""Bounds of the HTTP server, without a network: the size of bodies, all of them together, and requests at once."""

import asyncio
import json

import pytest

from tfplm.serve.http.api import Apis
from tfplm.serve.http.limits import OTHER_BODY, WAITING, ConnectionLimits


class Site:
    """`ConnectionLimits` in front of an application that answers when `go` is set."""

    def __init__(self, max_bytes: int = 1000, connections: int = 1):
        self.limits = ConnectionLimits(self.app, max_bytes=max_bytes, connections=connections, paths=("/encode",),
                                       problem=Apis([]).problem)
        self.bodies, self.go = [], asyncio.Event()

    async def app(self, scope, receive, send):
        self.bodies.append((await receive())["body"])
        await self.go.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})

    def ask(self, *parts: bytes, path: str = "/encode", ended: bool = True) -> "asyncio.Task":
        """A request on its way: its task, whose result is the status and the JSON of the answer."""
        return asyncio.create_task(self._ask(path, parts, ended))

    async def _ask(self, path, parts, ended):
        answers, coming = [], list(parts)

        async def receive():
            if coming:
                return {"type": "http.request", "body": coming.pop(0), "more_body": bool(coming) or not ended}
            return await asyncio.Event().wait()

        async def send(message):
            answers.append(message)

        await self.limits({"type": "http", "method": "POST", "path": path, "headers": []}, receive, send)
        return answers[0]["status"], json.loads(answers[1]["body"])


async def settled() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def with_site(test):
    """A test in an event loop, which ends."""
    def run(*arguments, **keywords):
        asyncio.run(asyncio.wait_for(test(*arguments, **keywords), 20))

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return run


@with_site
async def test_bodies_that_encode_nothing_are_small():
    site = Site(max_bytes=1 << 20)
    site.go.set()
    assert (await site.ask(b"x" * OTHER_BODY, path="/health"))[0] == 200
    status, body = await site.ask(b"x" * OTHER_BODY, b"x", path="/health")
    assert status == 413 and "more than 65,536 bytes" in body["detail"]
    assert (await site.ask(b"x" * (OTHER_BODY + 1)))[0] == 200
    assert len(site.bodies) == 2 and site.limits.bytes == 0


@with_site
async def test_requests_whose_bodies_do_not_come_are_few():
    """They wait while nobody works."""
    site = Site(connections=2)
    silent = [site.ask(b"{", ended=False) for _ in range(2 * (1 + WAITING))]
    await settled()
    status, body = await site.ask(b"{}")
    assert status == 503 and "too many requests" in body["detail"]
    silent[0].cancel()
    await settled()
    site.go.set()
    assert (await site.ask(b"{}"))[0] == 200
    for each in silent:
        each.cancel()
    await settled()
    assert site.limits.requests == site.limits.bytes == 0


@with_site
async def test_bodies_in_memory_are_bounded_together():
    site = Site(max_bytes=1000)
    large = [site.ask(b"x" * 500, b"x" * 490, ended=False) for _ in range(4)]
    await settled()
    assert site.limits.bytes == 3960
    assert (await site.ask(b"x" * 20, b"x" * 30))[0] == 503
    large[0].cancel()
    await settled()
    assert site.limits.bytes == 2970
    site.go.set()
    assert (await site.ask(b"x" * 20, b"x" * 30))[0] == 200 and site.bodies == [b"x" * 50]
    for each in large:
        each.cancel()
    await settled()
    assert site.limits.bytes == 0


@with_site
async def test_a_body_that_is_too_large_takes_no_memory():
    site = Site(max_bytes=1000)
    asked = site.ask(b"x" * 900, b"x" * 101, ended=False)
    await settled()
    assert site.limits.bytes == 0 and not asked.done()  # its sender would not see the answer yet
    asked.cancel()
    assert (await site.ask(b"x" * 900, b"x" * 101, b"x" * 5000, b"more"))[0] == 413 and site.bodies == []


@with_site
async def test_a_body_counts_until_its_request_has_ended():
    site = Site()
    asked = site.ask(b"x" * 10)
    await settled()
    assert site.bodies and site.limits.bytes == 10 and site.limits.requests == 1
    site.go.set()
    await asked
    assert site.limits.bytes == site.limits.requests == 0


@pytest.mark.parametrize("path", ["/encode", "/health"])
def test_a_request_without_a_body_always_gets_through(path):
    @with_site
    async def test():
        site = Site()
        site.limits.bytes = 10_000
        site.go.set()
        assert (await site.ask(b"", path=path))[0] == 200

    test()

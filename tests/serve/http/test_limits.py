"""Bounds of the HTTP server, without a network: the size of bodies, all of them together, and requests at once."""

import asyncio
import functools
import json

import pytest

from tfplm.serve.http import limits
from tfplm.serve.http.api import Apis
from tfplm.serve.http.body import UNFINISHED
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

    def ask(self, *parts: bytes, path: str = "/encode", ended: bool = True, address: str = "127.0.0.1",
            reads: bool = True) -> "asyncio.Task":
        """A request on its way: its task, whose result is the status and the JSON of the answer."""
        return asyncio.create_task(self._ask(path, parts, ended, address, reads))

    async def _ask(self, path, parts, ended, address, reads):
        answers, coming = [], list(parts)

        async def receive():
            if coming:
                return {"type": "http.request", "body": coming.pop(0), "more_body": bool(coming) or not ended}
            return await asyncio.Event().wait()

        async def send(message):
            answers.append(message)
            if not reads and message["type"] == "http.response.body":
                await asyncio.Event().wait()

        await self.limits({"type": "http", "method": "POST", "path": path, "headers": [],
                           "client": (address, 1)}, receive, send)
        return answers[0]["status"], json.loads(answers[1]["body"])


async def settled() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def with_site(test):
    """A test in an event loop, which ends."""
    @functools.wraps(test)
    def run(*arguments, **keywords):
        asyncio.run(asyncio.wait_for(test(*arguments, **keywords), 20))

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
async def test_bodies_that_do_not_come_keep_nobody_from_being_served():
    """Of many of one address, the oldest are given up."""
    site = Site(connections=2)
    site.go.set()
    silent = [site.ask(b"{", ended=False) for _ in range(UNFINISHED + 5)]
    await settled()
    assert site.limits.requests == 0
    for _ in range(5):
        assert (await site.ask(b"{}"))[0] == 200
    found = [each.result() for each in silent if each.done()]
    assert len(found) == 6 and {status for status, _ in found} == {408} and "too slowly" in found[0][1]["detail"]
    other = site.ask(b"{", ended=False, address="192.0.2.1")
    await settled()
    assert not other.done() and sum(each.done() for each in silent) == 6
    for each in (*silent, other):
        each.cancel()
    await settled()
    assert site.limits.requests == site.limits.bytes == 0 and not site.limits._unfinished


@with_site
async def test_a_body_has_a_time_limit(monkeypatch):
    monkeypatch.setattr(limits, "PATIENCE", 0.05)
    site = Site()
    status, body = await site.ask(b"{", ended=False)
    assert status == 408 and "within 0.05 s" in body["detail"] and site.limits.bytes == 0


@with_site
async def test_complete_requests_that_wait_are_few():
    site = Site(connections=2)
    asked = [site.ask(b"{}") for _ in range(2 * (1 + WAITING))]
    await settled()
    assert site.limits.requests == 2 * (1 + WAITING)
    status, body = await site.ask(b"{}")
    assert status == 503 and "too many requests" in body["detail"]
    site.go.set()
    assert {(await each)[0] for each in asked} == {200} and site.limits.requests == 0


@with_site
async def test_who_does_not_read_its_reply_keeps_nobody_from_being_served():
    site = Site()
    site.go.set()
    stuck = [site.ask(b"{}", reads=False) for _ in range(3)]
    await settled()
    assert len(site.bodies) == 3 and site.limits.requests == 0 and site.limits.unread == 6
    site.limits.reply_bytes = 7  # no room for a fourth: it keeps its place until it is read
    fourth = site.ask(b"{}", reads=False)
    await settled()
    assert site.limits.requests == 1
    for each in (*stuck, fourth):
        each.cancel()
    await settled()
    assert site.limits.requests == site.limits.unread == 0


@with_site
async def test_a_body_that_stands_still_makes_room_for_others(monkeypatch):
    monkeypatch.setattr(limits, "STALL", 0.05)
    site = Site(max_bytes=1000)
    site.go.set()
    large = [site.ask(b"x" * 990, ended=False) for _ in range(4)]
    await settled()
    assert (await site.ask(b"x" * 50))[0] == 503
    await asyncio.sleep(0.1)
    assert (await site.ask(b"x" * 50))[0] == 200
    assert [each.done() for each in large].count(True) == 1
    for each in large:
        each.cancel()
    await settled()
    assert site.limits.bytes == 0


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


@with_site
async def test_addresses_take_turns():
    """One of them sends much; the other is served next, and finds a place where there is none left."""
    site, served = Site(), []
    greedy = [site.ask(b"greedy", address="192.0.2.1") for _ in range(1 + WAITING)]
    await settled()
    modest = site.ask(b"modest", address="192.0.2.2")
    await settled()
    assert (await greedy[-1])[0] == 503 and not modest.done()  # the last of the longest line makes way
    assert (await site.ask(b"greedy", address="192.0.2.1"))[0] == 503
    site.go.set()
    assert {(await each)[0] for each in (*greedy[:-1], modest)} == {200}
    served = site.bodies
    assert served.index(b"modest") <= 2 and site.limits.requests == site.limits._turns.waiting == 0


@with_site
async def test_who_hangs_up_while_waiting_leaves_the_line():
    site = Site()
    asked = [site.ask(b"{}") for _ in range(3)]
    await settled()
    asked[1].cancel()
    await settled()
    assert site.limits._turns.waiting == 1
    site.go.set()
    assert (await asked[0])[0] == (await asked[2])[0] == 200 and site.limits._turns._free == 1

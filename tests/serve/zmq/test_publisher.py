"""The socket of replies: subscriptions that count, and those that do not."""

import time

import pytest

pytest.importorskip("zmq", reason="pip install -e '.[serve]'")
import zmq

from tests.serve.conftest import eventually
from tests.serve.fake_engines import FakeEngine
from tfplm.options.serve import ServeOptions
from tfplm.serve.ports import listen, port_of
from tfplm.serve.queue.service import Service
from tfplm.serve.zmq.net import Net
from tfplm.serve.zmq.publisher import TOPICS, Publisher


class Wire:
    """A publisher and those who listen to it."""

    def __init__(self):
        self.context = zmq.Context()
        options = ServeOptions(source="fake", port=0, port_out=0)
        self.net, listener = Net(100, 1 << 20), listen(options, "port_out")
        self.port, self.publisher = port_of(listener), Publisher(self.net, listener, Service(options, [FakeEngine()]))
        self.told = []

    def connect(self, kind=zmq.SUB, *topics: bytes, ahead: int = 1000) -> zmq.Socket:
        listener = self.context.socket(kind)
        listener.linger, listener.rcvtimeo, listener.rcvhwm = 0, 20_000, ahead
        for topic in topics:
            listener.subscribe(topic)
        listener.connect(f"tcp://127.0.0.1:{self.port}")
        return listener

    def polled(self, seconds: float = 0.2) -> None:
        """Sends what is on its way."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.net.poll(0.01)

    def gets(self, listener: zmq.Socket) -> list[bytes]:
        """The next message of a listener."""
        assert eventually(lambda: self.net.poll(0.001) is not None and listener.poll(1))
        return listener.recv_multipart()

    def hears(self, *expected) -> bool:
        """Whether these subscriptions come, in whatever order, and no others before them."""
        def heard():
            self.net.poll(0.0)
            self.told += self.publisher.read()
            return len(self.told) >= len(expected)

        found = eventually(heard) and sorted(self.told) == sorted(expected)
        self.told = []
        return found


@pytest.fixture
def wire():
    made = Wire()
    yield made
    made.net.close(0.0)
    made.context.destroy(linger=0)


def test_subscriptions_are_told_one_by_one(wire):
    first = wire.connect(zmq.SUB, b"me")
    assert wire.hears((b"me", True))
    second = wire.connect(zmq.SUB, b"me")
    assert wire.hears((b"me", True))
    assert wire.publisher.send([b"me", b"1"])
    assert wire.gets(first) == wire.gets(second) == [b"me", b"1"]
    first.unsubscribe(b"me")
    assert wire.hears((b"me", False))
    second.close()
    assert wire.hears((b"me", False))


@pytest.mark.parametrize("frame", [b"", b"\x02me", b"me", b"\x01", b"\x00", b"\x01" + b"x" * 256])
def test_frames_that_mean_nothing(wire, frame):
    listener = wire.connect(zmq.XSUB)
    listener.send(frame)
    listener.send(b"\x01end")
    assert wire.hears((b"end", True))


def test_nobody_subscribes_to_everything(wire):
    listener = wire.connect(zmq.SUB, b"", b"x" * 256, b"x" * 255)
    assert wire.hears((b"x" * 255, True))
    for content in (b"1", b"2"):
        assert wire.publisher.send([b"me", content]) and wire.publisher.send([b"x" * 255, content])
    assert [wire.gets(listener)[0] for _ in range(2)] == [b"x" * 255] * 2


def test_a_subscriber_that_does_not_read_is_left_out(wire):
    """Once as much is on its way to it as there may be, it keeps nobody waiting."""
    stuck = wire.connect(zmq.SUB, b"me", ahead=1)  # noqa: F841 (a reference, so that it stays)
    reader = wire.connect(zmq.SUB, b"me")
    assert wire.hears((b"me", True), (b"me", True))
    large = bytes(4 << 20)
    while wire.publisher.send([b"me", large]):  # until TCP takes no more, either
        assert len(wire.gets(reader)) == 2
        wire.polled(0.05)
    wire.publisher.send_to_ready([b"me", b"more"])
    assert wire.gets(reader) == [b"me", b"more"]
    for _ in range(5):
        assert not wire.publisher.send([b"me", b"still more"])
        wire.publisher.send_to_ready([b"me", b"still more"])
        assert wire.gets(reader) == [b"me", b"still more"]


def test_few_replies_are_outside_of_the_outbox_and_room_for_more_is_noticed(wire):
    listener = wire.connect(zmq.SUB, b"me", ahead=1)
    assert wire.hears((b"me", True))
    large, number = bytes(8 << 20), 0
    while wire.publisher.send([b"me", large]):
        number += 1
        assert number < 20
        wire.polled(0.05)
    while not wire.publisher.send([b"me", b"small"]):
        wire.gets(listener)


def test_a_reply_is_made_shorter(wire):
    frames = wire.publisher.abbreviated([b"me", b"{}", b"x" * 1000, b"7"])
    assert (frames[0], len(frames[2]), frames[3]) == (b"me", 16, b"7") and b"given up" in frames[1]
    assert wire.publisher.abbreviated([b"me", b"{}", b"7"]) is None  # a status


def test_replies_to_others_are_not_heard_by_their_beginning(wire):
    eavesdropper = wire.connect(zmq.SUB, b"", b"v", b"victi", b"me")
    victim = wire.connect(zmq.SUB, b"victim")
    assert wire.hears((b"v", True), (b"victi", True), (b"me", True), (b"victim", True))
    assert wire.publisher.send([b"victim", b"secret"]) and wire.publisher.send([b"me", b"mine"])
    assert wire.gets(victim) == [b"victim", b"secret"]
    assert wire.gets(eavesdropper) == [b"me", b"mine"]  # the first that it got


def test_topics_of_a_connection_are_bounded(wire):
    listener = wire.connect(zmq.XSUB)
    for number in range(TOPICS + 50):
        listener.send(b"\x01%d" % number)
    listener.send(b"\x00%d" % 0)
    assert wire.hears(*((b"%d" % number, True) for number in range(TOPICS)), (b"0", False))

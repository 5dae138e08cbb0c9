"""The socket of replies: subscriptions that count, and those that do not."""

import pytest

pytest.importorskip("zmq", reason="pip install -e '.[serve]'")
import zmq

from tests.serve.conftest import eventually
from tests.serve.fake_engines import FakeEngine
from tfplm.options.serve import ServeOptions
from tfplm.serve.queue.service import Service
from tfplm.serve.zmq.publisher import Publisher


class Wire:
    """A publisher and those who listen to it."""

    def __init__(self):
        self.context = zmq.Context()
        self.publisher = Publisher(self.context, Service(ServeOptions(source="fake", port=0, port_out=0), [FakeEngine()]))
        self.told = []

    def connect(self, kind=zmq.SUB, *topics: bytes, ahead: int = 1000) -> zmq.Socket:
        listener = self.context.socket(kind)
        listener.linger, listener.rcvtimeo, listener.rcvhwm = 0, 20_000, ahead
        for topic in topics:
            listener.subscribe(topic)
        listener.connect(f"tcp://127.0.0.1:{self.publisher.port}")
        return listener

    def hears(self, *expected) -> bool:
        """Whether these subscriptions come, in whatever order, and no others before them."""
        def heard():
            self.told += self.publisher.read(10)
            return len(self.told) >= len(expected)

        found = eventually(heard) and sorted(self.told) == sorted(expected)
        self.told = []
        return found


@pytest.fixture
def wire():
    made = Wire()
    yield made
    made.context.destroy(linger=0)


def test_subscriptions_are_told_one_by_one(wire):
    first = wire.connect(zmq.SUB, b"me")
    assert wire.hears((b"me", True))
    second = wire.connect(zmq.SUB, b"me")
    assert wire.hears((b"me", True))
    assert wire.publisher.send([b"me", b"1"])
    assert first.recv_multipart() == second.recv_multipart() == [b"me", b"1"]
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
    assert [listener.recv_multipart()[0] for _ in range(2)] == [b"x" * 255] * 2


def test_a_subscriber_that_does_not_read_is_left_out(wire):
    """Once its pipe is known to be full it keeps nobody waiting."""
    stuck = wire.connect(zmq.SUB, b"m", ahead=1)  # noqa: F841 (a reference, so that it stays)
    reader = wire.connect(zmq.SUB, b"me")
    assert wire.hears((b"m", True), (b"me", True))
    large = bytes(4 << 20)
    while eventually(lambda: wire.publisher.send([b"me", large]), 0.5):  # until TCP takes no more, either
        assert len(reader.recv_multipart()) == 2
    wire.publisher.send_to_ready([b"me", b"more"])
    assert reader.recv_multipart() == [b"me", b"more"]
    for _ in range(5):
        assert eventually(lambda: wire.publisher.send([b"me", b"still more"]))
        assert reader.recv_multipart() == [b"me", b"still more"]


def test_few_replies_are_outside_of_the_outbox_and_room_for_more_is_noticed(wire):
    listener = wire.connect(zmq.SUB, b"me", ahead=1)
    assert wire.hears((b"me", True))
    large, number = bytes(8 << 20), 0
    while wire.publisher.send([b"me", large]):
        number += 1
        assert number < 20
    poller = zmq.Poller()
    wire.publisher.watch(poller, blocked=True)
    while not wire.publisher.send([b"me", b"small"]):
        listener.recv_multipart()
        assert poller.poll(20_000)
        wire.hears()  # which reads what woke it
    wire.publisher.watch(poller, blocked=False)
    assert not poller.poll(0)
    other = wire.connect(zmq.SUB, b"you")  # noqa: F841
    assert poller.poll(20_000) and wire.hears((b"you", True))


def test_a_reply_is_made_shorter(wire):
    frames = wire.publisher.abbreviated([b"me", b"{}", b"x" * 1000, b"7"])
    assert (frames[0], len(frames[2]), frames[3]) == (b"me", 16, b"7") and b"given up" in frames[1]
    assert wire.publisher.abbreviated([b"me", b"{}", b"7"]) is None  # a status

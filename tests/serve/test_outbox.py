"""Replies are held until somebody has subscribed, within bounds of time and memory."""

import pytest

from tfplm.serve import outbox as module
from tfplm.serve.outbox import Outbox


class Post:
    """An outbox with a clock of its own, and what came out of it."""

    def __init__(self, **keywords):
        self.now, self.sent, self.left, self.dropped, self.blocked = 0.0, [], [], 0, False
        self.outbox = Outbox(self._send, self.left.append, self._drop, clock=lambda: self.now, **keywords)

    def _send(self, frames) -> bool:
        if not self.blocked:
            self.sent.append(frames)
        return not self.blocked

    def _drop(self, number):
        self.dropped += number

    def join(self, topic):
        self.outbox.subscription(b"\x01" + topic)

    def leave(self, topic):
        self.outbox.subscription(b"\x00" + topic)

    def post(self, identity, *content):
        self.outbox.post([identity, *content])

    def after(self, seconds):
        self.now += seconds
        self.outbox.tick()


@pytest.fixture
def post():
    return Post()


def test_a_reply_waits_for_its_subscription(post):
    post.post(b"me", b"1")
    post.post(b"me", b"2")
    post.post(b"you", b"3")
    post.after(1)
    assert post.sent == [] and post.outbox.held == 3
    post.join(b"me")
    assert post.sent == [[b"me", b"1"], [b"me", b"2"]]
    post.post(b"me", b"4")
    assert post.sent[-1] == [b"me", b"4"] and post.outbox.held == 1 and post.outbox.bytes == 4


def test_a_subscription_of_a_prefix_counts(post):
    post.join(b"m")
    post.post(b"me", b"1")
    assert post.sent == [[b"me", b"1"]]
    post.post(b"you", b"2")
    post.join(b"yo")
    post.after(1)
    assert post.sent[-1] == [b"you", b"2"]


def test_who_listens_to_all_is_nobody(post):
    post.join(b"")
    post.post(b"me", b"1")
    assert post.sent == []


def test_what_nobody_wants_is_given_up(post):
    post.post(b"me", b"1")
    post.after(59)
    assert post.outbox.held == 1
    post.after(2)
    assert post.outbox.held == post.outbox.bytes == 0 and post.dropped == 1
    post.join(b"me")
    assert post.outbox.held == 0


def test_a_client_that_goes_for_good(post):
    post.join(b"me")
    post.leave(b"me")
    post.post(b"me", b"1")
    post.after(4)
    assert post.left == [] and post.outbox.held == 1
    post.after(2)
    assert post.left == [b"me"] and post.outbox.held == 0 and post.dropped == 1 and post.sent == []


def test_a_connection_that_is_made_anew(post):
    post.join(b"me")
    post.leave(b"me")
    post.post(b"me", b"1")
    post.after(2)
    post.join(b"me")
    post.after(100)
    assert post.left == [] and post.sent == [[b"me", b"1"]]


def test_an_idle_hour(post):
    post.join(b"me")
    for _ in range(3600):
        post.after(1)
    post.post(b"me", b"1")
    assert post.sent == [[b"me", b"1"]]


def test_twins_wait_for_each_other(post):
    post.outbox.new_client(b"me")
    post.join(b"me")
    post.post(b"me", b"1")
    post.outbox.new_client(b"me")  # its subscription is on the way
    post.post(b"me", b"2")
    assert post.sent == [[b"me", b"1"]]
    post.join(b"me")
    assert post.sent == [[b"me", b"1"], [b"me", b"2"]]
    post.leave(b"me")
    post.post(b"me", b"3")
    assert post.sent[-1] == [b"me", b"3"]


def test_a_new_client_with_the_identity_of_one_that_leaves(post):
    """The old subscription is still there, but leads nowhere."""
    post.outbox.new_client(b"me")
    post.join(b"me")
    post.outbox.new_client(b"me")
    post.post(b"me", b"1")
    post.leave(b"me")
    assert post.sent == []
    post.join(b"me")
    assert post.sent == [[b"me", b"1"]]


def test_a_client_that_numbers_all_requests_1(post):
    post.join(b"me")
    for _ in range(2):
        post.outbox.new_client(b"me")
    post.post(b"me", b"1")
    post.after(0.5)
    assert post.sent == []
    post.after(0.6)
    assert post.sent == [[b"me", b"1"]]
    for _ in range(3):
        post.outbox.new_client(b"me")
        post.post(b"me", b"2")
    assert len(post.sent) == 4


def test_a_full_pipe_is_tried_again(post):
    post.join(b"me")
    post.blocked = True
    post.post(b"me", b"1")
    post.post(b"me", b"2")
    post.after(1000)
    assert post.outbox.held == 2 and post.outbox.blocked == {b"me"}
    post.outbox.retry()
    assert post.sent == []
    post.blocked = False
    post.outbox.retry()
    assert post.sent == [[b"me", b"1"], [b"me", b"2"]] and not post.outbox.blocked


def test_a_client_that_goes_with_a_full_pipe(post):
    post.join(b"me")
    post.blocked = True
    post.post(b"me", b"1")
    post.leave(b"me")
    post.outbox.retry()
    assert not post.outbox.blocked and post.outbox.held == 1
    post.after(10)
    assert not post.outbox.held


def test_memory_is_bounded():
    post = Post(max_bytes=1000)
    post.post(b"small", b"x" * 10)
    for i in range(100):
        post.post(b"large", b"x" * 90, b"%d" % i)
        assert post.outbox.bytes <= 1000
    post.join(b"small")
    post.join(b"large")
    assert post.sent[0] == [b"small", b"x" * 10] and post.sent[-1][2] == b"99"
    assert post.dropped + len(post.sent) == 101


def test_one_reply_above_the_bound_is_held_all_the_same():
    post = Post(max_bytes=10)
    post.post(b"me", b"x" * 100)
    post.join(b"me")
    assert len(post.sent) == 1


def test_numbers_are_bounded(post, monkeypatch):
    monkeypatch.setattr(module, "TOPICS", 100)
    monkeypatch.setattr(module, "REPLIES", 50)
    for i in range(1000):
        post.join(b"%d" % i)
        post.outbox.new_client(b"n%d" % i)
        post.post(b"p%d" % i, b"")
        post.join(b"q%d" % i)
        post.leave(b"q%d" % i)
    box = post.outbox
    assert 90 < box.subscribers <= 100 and box.held == 50 and len(box._surplus) <= 100 and len(box._left) <= 100
    assert sum(box._lengths.values()) == box.subscribers


@pytest.mark.parametrize("frame", [b"", b"\x02me", b"me", b"\x01" + b"x" * 256, b"\x00never"])
def test_frames_that_mean_nothing(post, frame):
    post.outbox.subscription(frame)
    assert post.outbox.subscribers == 0

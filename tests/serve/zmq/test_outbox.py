"""Replies wait until somebody has subscribed, within bounds of time and memory."""

import pytest

from tfplm.serve.zmq import outbox as module
from tfplm.serve.zmq.outbox import OVERHEAD, Outbox


class Post:
    """An outbox with a clock of its own, and what came out of it."""

    def __init__(self, **keywords):
        self.now, self.sent, self.some, self.left, self.lost, self.blocked = 0.0, [], [], [], 0, False
        self.outbox = Outbox(self, clock=lambda: self.now, **keywords)

    def send(self, frames) -> bool:
        if not self.blocked:
            self.sent.append(frames)
        return not self.blocked

    def send_to_ready(self, frames) -> None:
        self.some.append(frames)

    def abbreviated(self, frames):
        """Of replies with three frames."""
        return [frames[0], b"given up", frames[2]] if len(frames) == 3 else None

    def client_left(self, identity):
        self.left.append(identity)

    def dropped(self, number):
        self.lost += number

    def join(self, topic):
        self.outbox.subscription(topic, True)

    def leave(self, topic):
        self.outbox.subscription(topic, False)

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
    assert post.sent == [] and post.outbox.waiting == 3
    post.join(b"me")
    assert post.sent == [[b"me", b"1"], [b"me", b"2"]]
    post.post(b"me", b"4")
    assert post.sent[-1] == [b"me", b"4"] and post.outbox.waiting == 1 and post.outbox.bytes == 4 + OVERHEAD


def test_a_subscription_of_a_prefix_does_not_count(post):
    post.join(b"m")
    post.post(b"me", b"1")
    assert post.sent == [] and post.outbox.unclaimed == 1
    post.join(b"me")
    assert post.sent == [[b"me", b"1"]]


def test_what_nobody_wants_is_given_up(post):
    post.post(b"me", b"1")
    post.after(59)
    assert post.outbox.waiting == 1
    post.after(2)
    assert post.outbox.waiting == post.outbox.bytes == 0 and post.lost == 1
    post.join(b"me")
    assert post.outbox.waiting == 0


def test_a_client_that_goes_for_good(post):
    post.join(b"me")
    post.leave(b"me")
    post.post(b"me", b"1")
    post.after(4)
    assert post.left == [] and post.outbox.waiting == 1
    post.after(2)
    assert post.left == [b"me"] and post.outbox.waiting == 0 and post.lost == 1 and post.sent == []


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
    assert post.some == [] and post.outbox.waiting == 2 and set(post.outbox.blocked) == {b"me"}
    post.outbox.retry()
    assert post.sent == []
    post.blocked = False
    post.outbox.retry()
    assert post.sent == [[b"me", b"1"], [b"me", b"2"]] and not post.outbox.blocked


def test_one_of_several_subscribers_that_is_stuck(post):
    """The others do not wait for ever; the clock begins anew with every reply that is sent."""
    post.join(b"me")
    post.join(b"me")
    post.blocked = True
    for number in (b"1", b"2", b"3"):
        post.post(b"me", number)
    post.after(0.9)
    assert post.some == [] and post.outbox.waiting == 3
    post.after(0.2)
    assert post.some == [[b"me", b"1"]] and post.outbox.waiting == 2
    post.after(0.9)
    post.outbox.retry()
    assert len(post.some) == 1
    post.after(0.2)
    assert post.some == [[b"me", b"1"], [b"me", b"2"]]
    post.blocked = False
    post.outbox.retry()
    assert post.sent == [[b"me", b"3"]] and not post.outbox.blocked


def test_a_client_that_goes_with_a_full_pipe(post):
    post.join(b"me")
    post.blocked = True
    post.post(b"me", b"1")
    post.leave(b"me")
    post.outbox.retry()
    assert not post.outbox.blocked and post.outbox.waiting == 1
    post.after(10)
    assert not post.outbox.waiting


def test_memory_is_bounded():
    post = Post(max_bytes=10 * OVERHEAD)
    post.post(b"small", b"x" * 10)
    for i in range(100):
        post.post(b"large", b"x" * 90, b"%d" % i)
        assert post.outbox.bytes <= 10 * OVERHEAD
    post.join(b"small")
    post.join(b"large")
    assert post.sent[0] == [b"small", b"x" * 10] and post.sent[-1][2] == b"99"
    assert 5 < len(post.sent) < 10 and post.lost + len(post.sent) == 101


def test_one_reply_above_the_bound_waits_all_the_same():
    post = Post(max_bytes=10)
    post.post(b"me", b"x" * 100)
    post.join(b"me")
    assert len(post.sent) == 1


def test_the_number_of_replies_is_bounded_for_those_alone_who_have_not_subscribed(post, monkeypatch):
    """A client may ask for much, and read later."""
    monkeypatch.setattr(module, "REPLIES", 50)
    post.join(b"me")
    post.blocked = True
    for i in range(1000):
        post.post(b"me", b"%d" % i)
        post.post(b"nobody", b"%d" % i)
    assert post.outbox.waiting == 1050 and post.outbox.unclaimed == 50 and post.lost == 950
    post.blocked = False
    post.outbox.retry()
    assert post.sent == [[b"me", b"%d" % i] for i in range(1000)]
    post.join(b"nobody")
    assert post.sent[1000:] == [[b"nobody", b"%d" % i] for i in range(950, 1000)]
    assert post.outbox.waiting == post.outbox.unclaimed == post.outbox.bytes == 0


def test_who_subscribes_and_leaves_changes_sides(post):
    post.outbox.new_client(b"me")
    for number in (b"1", b"2"):
        post.post(b"me", number)
    assert post.outbox.unclaimed == 2
    post.outbox.new_client(b"me")
    post.join(b"me")  # of one of them: that of the other is still waited for
    post.after(0.1)
    assert post.outbox.unclaimed == 0 and post.outbox.waiting == 2
    post.leave(b"me")
    post.post(b"me", b"3")
    assert post.outbox.unclaimed == 3
    for _ in range(2):
        post.join(b"me")
    assert post.outbox.unclaimed == 0 and len(post.sent) == 3


def test_a_client_is_told_of_replies_for_which_there_is_no_memory():
    """Instead of its vectors, oldest first; it would wait for ever."""
    post = Post(max_bytes=20_000)
    post.join(b"me")
    post.blocked = True
    for i in range(8):
        post.post(b"me", b"x" * 5000, b"%d" % i)
    assert post.lost == 6 and post.outbox.waiting == 8 and post.outbox.bytes <= 20_000
    post.post(b"other", b"y" * 100)  # which is not at fault
    post.blocked = False
    post.outbox.retry()
    assert post.sent == [[b"me", b"given up" if i < 6 else b"x" * 5000, b"%d" % i] for i in range(8)]
    post.join(b"other")
    assert post.sent[-1] == [b"other", b"y" * 100]


@pytest.mark.parametrize("content", [(b"x" * 5000,), (b"x" * 10, b"7")])
def test_replies_that_cannot_be_made_much_shorter_are_lost(content):
    """Of a kind that has no shorter form, or small already."""
    post = Post(max_bytes=20_000)
    post.join(b"me")
    post.blocked = True
    for _ in range(100):
        post.post(b"me", *content)
    assert post.outbox.bytes <= 20_000 and post.outbox.waiting + post.lost == 100
    post.blocked = False
    post.outbox.retry()
    assert post.sent == [[b"me", *content]] * (100 - post.lost)


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
    assert 90 < box.subscribers <= 100 and box.waiting == 50 and len(box._surplus) <= 100 and len(box._left) <= 100
    assert len(box._unclaimed) == 50


def test_an_end_without_a_beginning(post):
    post.leave(b"never")
    assert post.outbox.subscribers == 0

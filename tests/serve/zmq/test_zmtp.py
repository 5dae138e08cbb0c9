"""ZMTP: messages from bytes in whatever pieces, and bounds on what has not come in whole."""

import tracemalloc

import pytest

from tfplm.serve.zmq import zmtp
from tfplm.serve.zmq.zmtp import Dropped, Greeting, Incoming, Pool, Violation


def incoming(part_bytes=1000, message_bytes=4000, pool=None) -> Incoming:
    return Incoming(part_bytes, message_bytes, pool or Pool(1 << 20))


def on_the_wire(*frames) -> bytes:
    return b"".join(bytes(each) for each in zmtp.encode(list(frames)))


def messages(reader, data) -> list:
    return [frames for is_command, frames in reader.feed(data) if not is_command]


@pytest.mark.parametrize("frames", [
    [b""], [b"a"], [b"a", b"", b"bc"], [b"x" * 255], [b"x" * 256], [b"x" * 254, b"y" * 70_000, b"1"]])
@pytest.mark.parametrize("step", [1, 2, 7, 1 << 20])
def test_what_is_sent_arrives(frames, step):
    reader, data = incoming(1 << 20, 1 << 20), on_the_wire(*frames) * 2
    found = [each for start in range(0, len(data), step) for each in messages(reader, data[start:start + step])]
    assert found == [frames, frames] and not reader.unfinished


def test_long_parts_are_not_copied_to_be_sent():
    array = memoryview(bytearray(zmtp.JOINED + 1))
    buffers = zmtp.encode([b"a", array, b"b"])
    assert len(buffers) == 3 and buffers[1].obj is array.obj


def test_commands_come_between_the_parts_of_a_message():
    data = on_the_wire(b"a", b"b")
    found = list(incoming().feed(data[:3] + zmtp.command(b"PING", b"\0\0x") + data[3:]))
    assert found == [(True, [b"\x04PING\0\0x"]), (False, [b"a", b"b"])]


@pytest.mark.parametrize("data, reason", [
    (b"\x08\x00", "flags 0x8"), (b"\xff" * 9, "flags 0xff"), (b"\x06" + (5000).to_bytes(8, "big"), "a command of 5,000"),
    (b"\x01\x01z" * 2000, "more than 1,000 parts"), (b"\x01\xfa" + b"z" * 250 + b"\x02" + (3750).to_bytes(8, "big"),
                                                     "more than 4,000 bytes"),
    (b"\x02" + (1 << 63).to_bytes(8, "big"), "more than 4,000 bytes")])
def test_what_no_peer_sends(data, reason):
    with pytest.raises(Violation, match=reason):
        list(incoming().feed(data))


def test_parts_without_an_end_take_no_memory():
    """Those beyond the first few, and those that are too long, are counted and forgotten."""
    reader, size = incoming(1 << 20, 1 << 40), 0
    tracemalloc.start()
    try:
        assert messages(reader, b"\x01\x01z" * 900) == [] and reader.unfinished
        big = b"\x03" + (4 << 20).to_bytes(8, "big")
        for _ in range(20):
            assert messages(reader, big) == []
            for _ in range(64):
                assert messages(reader, bytes(64 << 10)) == []
                size += 64 << 10
        assert tracemalloc.get_traced_memory()[1] < 1 << 20 < size
    finally:
        tracemalloc.stop()


def test_a_long_part_is_dropped_and_its_message_goes_on():
    (found,) = messages(incoming(), on_the_wire(b"me", b"x" * 1001, b"7", b"1"))
    assert found[0] == b"me" and isinstance(found[1], Dropped) and len(found[1]) == 1001 and found[2:] == [b"7", b"1"]


def test_unfinished_messages_are_bounded_together():
    pool = Pool(100_000)
    readers = [incoming(60_000, 1 << 20, pool) for _ in range(3)]
    half = on_the_wire(b"me", b"x" * 60_000, b"7", b"1")[:-6]
    for reader in readers:
        messages(reader, half)
    assert pool.bytes == 2 * (60_002 - zmtp.FREE)
    (found,) = messages(readers[2], on_the_wire(b"7", b"1"))
    assert isinstance(found[1], Dropped) and len(found[1]) == 60_000
    assert messages(readers[0], on_the_wire(b"7", b"1"))[0][1] == b"x" * 60_000
    readers[1].release()
    assert pool.bytes == 0


def test_the_pool_asks_for_room_before_it_refuses():
    pool = Pool(100)
    pool.evict = lambda: pool.give(50) or True
    assert pool.take(90) and pool.take(60) and pool.bytes == 100
    pool.evict = lambda: False
    assert not pool.take(1)


@pytest.mark.parametrize("step", [1, 5, 64, 100])
def test_a_greeting(step):
    data = zmtp.GREETING + b"rest"
    greeting, rest = Greeting(), b""
    for start in range(0, len(data), step):
        found = greeting.feed(data[start:start + step]) if not rest else data[start:start + step]
        rest += found or b""
    assert rest == b"rest"


@pytest.mark.parametrize("data, reason", [
    (b"GET / HTTP/1.1", "another protocol"), (b"\xff" + bytes(8) + b"\x00", "another protocol"),
    (zmtp.GREETING[:10] + b"\x01", "ZMTP 1, expected 3.0"),
    (zmtp.GREETING.replace(b"NULL", b"PLAIN"[:5], 1)[:64], "security mechanism")])
def test_other_protocols_are_noticed_at_once(data, reason):
    with pytest.raises(Violation, match=reason):
        Greeting().feed(data)


def test_the_type_of_a_socket():
    assert zmtp.socket_type_of(zmtp.ready(b"PUSH")[2:]) == b"PUSH"
    identity = b"\x05READY\x08Identity" + bytes(4) + b"\x0bSocket-Type\x00\x00\x00\x03SUB"
    assert zmtp.socket_type_of(identity) == b"SUB"
    for body in (b"", b"\x05HELLO", b"\x05READY", b"\x05READY\xff"):
        with pytest.raises(Violation):
            zmtp.socket_type_of(body)


def test_one_message_keeps_no_more_than_a_request():
    reader = incoming(60_000, 1 << 20)
    data = on_the_wire(*[b"x" * 50_000] * 4)
    assert messages(reader, data[:-10]) == [] and reader.taken <= 60_000
    (found,) = messages(reader, data[-10:])
    assert [isinstance(each, Dropped) for each in found] == [False, True, True, True]

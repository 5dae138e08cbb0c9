"""Frames of bert-as-service's protocol, without sockets."""

import json

import numpy as np
import pytest

from tfplm.serve.queue.limits import Refused, RequestLimits
from tfplm.serve.zmq import protocol
from tfplm.serve.zmq.protocol import Malformed

SMALL = RequestLimits(message_bytes=200, inputs=3, input_length=20)


def message(value) -> bytes:
    return json.dumps(value).encode()


def test_request():
    request = protocol.parse_request([b"me", message(["你好"]), b"12", b"1"])
    assert (request.identity, request.request_id, request.length, request.kind) == (b"me", b"12", 1, "encode")
    for command, kind in (("SHOW_CONFIG", "config"), ("SHOW_STATUS", "status"), ("TERMINATION", "terminate")):
        assert protocol.parse_request([b"0", command.encode(), b"0", b"0"]).kind == kind


@pytest.mark.parametrize("frames, reason", [
    ([], "0 frames, expected 4"),
    ([b"a"] * 5, "5 frames"),
    ([b"", b"[]", b"1", b"1"], "identity of 0 bytes"),
    ([b"a" * 256, b"[]", b"1", b"1"], "identity of 256 bytes, expected 1 to 255"),
    ([b"a", b"[]", b"", b"1"], "request id is b''"),
    ([b"a", b"[]", b"-1", b"1"], "request id is b'-1', expected a decimal number"),
    ([b"a", b"[]", b"9" * 19, b"1"], "request id"),
    ([b"a", b"[]", b"1", "１".encode()], "length"),
    ([b"a", b"[]", b"1", b"1.0"], "length is b'1.0'"),
])
def test_malformed(frames, reason):
    with pytest.raises(Malformed, match=reason):
        protocol.parse_request(frames)


def test_sequences():
    assert protocol.parse_sequences("[\"你好\", \"\"]".encode(), SMALL) == ["你好", ""]
    assert protocol.parse_sequences(message([["你", "好"], ["a"]]), SMALL) == [["你", "好"], ["a"]]


@pytest.mark.parametrize("value, reason", [
    ("a", "expected a list of texts"),
    ([], "with at least one"),
    ({"a": 1}, 'found {"a": 1}'),
    ([1], "sequence 0 is 1, expected a list"),
    (["a", ["b"]], "sequence 1 is .*expected a text like the first"),
    ([["a"], "b"], "sequence 1 .*expected a list like the first"),
    ([["a", 1]], "sequence 0 is no list of tokens"),
    ([[1, 2]], "sequence 0 is no list of tokens"),
    ([[]], "sequence 0 is no list of tokens"),
    (["a"] * 4, "4 sequences in one request, more than 3"),
    (["a" * 21], "sequence 0 has 21 characters"),
    (["a", "\ud800"], "sequence 1 is not Unicode text"),
    (["a" * 200], "204 bytes, more than 200"),
])
def test_refused_sequences(value, reason):
    with pytest.raises(Refused, match=reason):
        protocol.parse_sequences(message(value), SMALL)


@pytest.mark.parametrize("raw", [b"", b"\xff\xfe\x00", b"[" * 150, b"nonsense", b'["a"'])
def test_refused_bytes(raw):
    with pytest.raises(Refused, match="no JSON"):
        protocol.parse_sequences(raw, SMALL)


def test_ids_are_for_http_alone():
    protocol.check_sequences([[1, 2]], SMALL, (str, int))
    for wrong in ([[1, "a"]], [[True]], [[1.5]]):
        with pytest.raises(Refused, match="no list of tokens"):
            protocol.check_sequences(wrong, SMALL, (str, int))


def as_client(frames):
    """What bert-serving-client does with a reply."""
    info = json.loads(bytes(frames[1]))
    vectors = np.frombuffer(memoryview(frames[2]), dtype=str(info["dtype"])).reshape(info["shape"])
    return info, vectors, int(frames[-1])


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("shape", [(3, 4), (2, 3, 4), (0, 4)])
def test_vectors_reply(shape, dtype):
    vectors = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    info, read, number = as_client(protocol.vectors_reply(b"me", b"7", vectors))
    assert number == 7 and info["tokens"] == "" and "error" not in info
    np.testing.assert_array_equal(read, vectors)
    assert read.dtype == vectors.dtype


def test_vectors_that_are_not_contiguous():
    vectors = np.arange(12, dtype="float32").reshape(3, 4)
    read = as_client(protocol.vectors_reply(b"me", b"7", vectors[:, ::2], [["[CLS]", "好"]]))
    np.testing.assert_array_equal(read[1], vectors[:, ::2])
    assert read[0]["tokens"] == [["[CLS]", "好"]]


def test_failed_request():
    info, read, _ = as_client(protocol.vectors_reply(b"me", b"7", protocol.failed_vectors(3, (5,), "float32"),
                                                     error="坏"))
    assert read.shape == (3, 5) and np.isnan(read).all() and info["error"] == "坏"
    assert protocol.failed_vectors(10**9, (768,), "float32").nbytes <= protocol.LARGEST_ERROR
    assert protocol.failed_vectors(2, (25, 768), "float16").shape == (2, 25, 768)


def test_status_reply():
    request = protocol.parse_request([b"me", b"SHOW_CONFIG", b"3", b"0"])
    frames = protocol.status_reply(request, {"模型": 1})
    assert frames[0] == b"me" and frames[2] == b"3" and json.loads(frames[1]) == {"模型": 1}

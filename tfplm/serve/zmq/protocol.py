"""The wire protocol of bert-as-service (Xiao 2018), as bert-serving-client 1.10.0 speaks it: frames in and out.

    request   identity | message | request id | length     message: SHOW_CONFIG, SHOW_STATUS, TERMINATION, or
                                                             JSON, list[str] or list[list[str]]
    status    identity | JSON | request id
    vectors   identity | JSON {dtype, shape, tokens} | bytes of the array, C order | request id

Identity and request id are bytes that the client chose, the id in decimal. There is no frame for errors, and a client
waits for ever, so a request that cannot be answered gets an array of NaN and the reason as `error` in the JSON.
"""

import dataclasses
import json
from typing import Literal

import numpy as np

from tfplm.serve.engines.vectors import Sequence, check_sequences
from tfplm.serve.queue.limits import Refused, RequestLimits
from tfplm.serve.zmq.zmtp import Dropped, Frame

VERSION = "1.10.0"  # the client refuses a server of any other
Kind = Literal["config", "status", "terminate", "encode"]
COMMANDS: dict[bytes, Kind] = {b"SHOW_CONFIG": "config", b"SHOW_STATUS": "status", b"TERMINATION": "terminate"}
LONGEST_IDENTITY, LONGEST_NUMBER = 255, 18  # bytes
LARGEST_ERROR = 1 << 24  # bytes of the NaN array that stands for a failed request


class Malformed(ValueError):
    """Frames that are no request, so that there is nobody to answer."""


@dataclasses.dataclass(frozen=True)
class Request:
    """The four frames of a request; `length` is the number of sequences that the client announces."""

    identity: bytes
    message: Frame
    request_id: bytes
    length: int

    @property
    def kind(self) -> Kind:
        return COMMANDS.get(self.message, "encode") if isinstance(self.message, bytes) else "encode"


def parse_request(frames: list[Frame]) -> Request:
    """Frames of a PUSH socket -> a request. Malformed where they are none."""
    if len(frames) != 4:
        raise Malformed(f"{len(frames)} frames, expected 4")
    identity, message, request_id, length = frames
    if isinstance(identity, Dropped) or isinstance(request_id, Dropped) or isinstance(length, Dropped):
        raise Malformed("a frame that is too long")
    if not 0 < len(identity) <= LONGEST_IDENTITY:
        raise Malformed(f"an identity of {len(identity)} bytes, expected 1 to {LONGEST_IDENTITY}")
    for name, number in (("request id", request_id), ("length", length)):
        if not number.isdigit() or len(number) > LONGEST_NUMBER:
            raise Malformed(f"the {name} is {number[:30]!r}, expected a decimal number")
    return Request(identity, message, request_id, int(length))


def parse_sequences(message: Frame, limits: RequestLimits) -> list[Sequence]:
    """JSON -> the texts, or lists of tokens, of a request. Refused where it is something else, or too much."""
    if len(message) > limits.message_bytes:
        raise Refused(f"the request has {len(message):,} bytes, more than {limits.message_bytes:,}: send less at once")
    if isinstance(message, Dropped):
        raise Refused("too much memory is taken by requests that have not come in whole: try again")
    try:
        sequences = json.loads(message)
    except (ValueError, RecursionError) as error:
        raise Refused(f"the request is no JSON: {error}") from None
    check_sequences(sequences, limits)
    return sequences


def status_reply(request: Request, status: dict) -> list[bytes]:
    """The three frames that answer SHOW_CONFIG and SHOW_STATUS."""
    return [request.identity, json.dumps(status, ensure_ascii=False).encode(), request.request_id]


def vectors_reply(identity: bytes, request_id: bytes, vectors: np.ndarray, tokens: list[list[str]] | None = None,
                  error: str | None = None) -> list:
    """The four frames that answer an encoding request; the third is the array's own memory."""
    vectors = np.ascontiguousarray(vectors)
    info = {"dtype": str(vectors.dtype), "shape": vectors.shape, "tokens": tokens or ""}
    if error is not None:
        info["error"] = error
    content = vectors.reshape(-1).view(np.uint8).data if vectors.size else b""
    return [identity, json.dumps(info, ensure_ascii=False).encode(), content, request_id]


def failed_vectors(length: int, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """NaN `[length, *shape]` for a request that failed; fewer rows where these would be more than `LARGEST_ERROR`."""
    row = max(1, int(np.prod(shape, dtype=np.int64))) * np.dtype(dtype).itemsize
    return np.full((min(length, max(1, LARGEST_ERROR // row)), *shape), np.nan, dtype)


def abbreviated_reply(frames: list, shape: tuple[int, ...], dtype: str) -> list | None:
    """A short error reply, one row of NaN, that replaces a reply too large to keep. None for a reply without vectors."""
    if len(frames) != 4:
        return None
    return vectors_reply(frames[0], frames[3], failed_vectors(1, shape, dtype), error="the vectors were given up: too "
                         "many replies wait for clients that do not read them (see max_reply_mb)")

"""Engines that need no model: a vector is made from the sequence itself, so that a test sees whose it is."""

import os
import threading
import time
import zlib

import numpy as np

from tfplm.serve.engines.engine import Engine
from tfplm.serve.engines.vectors import Encoded, VectorInfo

DIMENSION = 4


def vector_of(sequence) -> np.ndarray:
    """The vector that every fake engine gives for a text, or for a list of tokens."""
    text = sequence if isinstance(sequence, str) else " ".join(map(str, sequence))
    seed = zlib.crc32(text.encode())
    return np.array([seed % 9973, seed // 9973 % 9973, len(text), isinstance(sequence, str)], "float32")


def vectors_of(sequences) -> np.ndarray:
    return np.stack([vector_of(sequence) for sequence in sequences])


class Panic(BaseException):
    """Such as pyo3's PanicException: no Exception."""


class FakeEngine(Engine):
    """At once, or after `seconds` a batch. A text `poison` raises, `panic` raises what is no Exception, `die` ends the
    process."""

    def __init__(self, seconds: float = 0.0, tokens: bool = False, info: VectorInfo | None = None):
        self.seconds, self.tokens = seconds, tokens
        self.info = info or VectorInfo(DIMENSION, vocab_size=100)
        self.batches: list[list] = []

    def encode(self, sequences):
        self.batches.append(list(sequences))
        if self.seconds:
            time.sleep(self.seconds)
        if "poison" in sequences:
            raise ValueError("a poisonous text")
        if "panic" in sequences:
            raise Panic("a panic in Rust")
        if "die" in sequences:
            os._exit(9)
        return [self._encoded(sequence, vector) for sequence, vector in zip(
            sequences, vectors_of(sequences).astype(self.info.dtype))]

    def _encoded(self, sequence, vector) -> Encoded:
        length = len(sequence) + 2
        tokens = ["[CLS]", *map(str, sequence), "[SEP]"] if self.tokens else None
        return Encoded(np.tile(vector, (length, 1)) if self.info.per_token else vector, length, tokens)


class HeldEngine(FakeEngine):
    """Serves nothing until `go` is set, by `close` at the latest; `asked` is set when there is something to serve."""

    def __init__(self):
        super().__init__()
        self.asked, self.go = threading.Event(), threading.Event()

    def encode(self, sequences):
        self.asked.set()
        self.go.wait()
        return super().encode(sequences)

    def close(self):
        self.go.set()


def make_engine(seconds: float = 0.0, tokens: bool = False) -> FakeEngine:
    return FakeEngine(seconds, tokens)


def make_broken() -> FakeEngine:
    raise FileNotFoundError("there is no model here")

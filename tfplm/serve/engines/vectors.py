"""Sequences in, vectors out: what the sentence engine, ZeroMQ and HTTP agree on. It needs no TensorFlow."""

import dataclasses
import json
from typing import NamedTuple

import numpy as np

from tfplm.serve.engines.engine import EngineInfo
from tfplm.serve.queue.limits import Refused, RequestLimits

Sequence = str | list[str] | list[int]  # a text, its tokens, or their ids


class Encoded(NamedTuple):
    """What an engine gives for a sequence: its vector `[dimension]`, or with pooling NONE those of its tokens,
    `[T,dimension]`; its number of tokens, special ones included; and these tokens, if they are to be shown."""

    vector: np.ndarray
    length: int
    tokens: list[str] | None = None


@dataclasses.dataclass(frozen=True)
class Vectors:
    """What a request gets: `[N,dimension]`, or with pooling NONE `[N,T,dimension]` with zeros after a row's last token.

    lengths: tokens of each row, int32 `[N]`. tokens: these tokens, where the engine gave them.
    """

    vectors: np.ndarray
    lengths: np.ndarray
    tokens: list[list[str]] | None = None


@dataclasses.dataclass(frozen=True)
class VectorInfo(EngineInfo[Sequence, Encoded]):
    """What is known of an engine that gives vectors.

    dimension: numbers of one vector. per_token: a vector for each token (pooling NONE): `[N,T,dimension]`, where T is
    `fixed_length`, or without one that of the request's longest row, at most `max_length`. vocab_size: rows of the
    model's embedding.
    """

    dimension: int
    dtype: str = "float32"
    per_token: bool = False
    fixed_length: int | None = None
    max_length: int | None = None
    vocab_size: int = 0
    interfaces: tuple[str, ...] = dataclasses.field(default=("bert", "openai"), kw_only=True)

    @property
    def row_shape(self) -> tuple[int, ...]:
        """The shape of a failed request's rows."""
        return (self.fixed_length or 1, self.dimension) if self.per_token else (self.dimension,)

    def cost(self, inputs: list[Sequence]) -> int:
        """The bytes of the vectors, or somewhat more; a text has hardly more tokens than characters."""
        length = 1
        if self.per_token:
            longest = max(map(len, inputs)) + 3
            length = self.fixed_length or min(longest, self.max_length or longest)
        return len(inputs) * length * self.dimension * np.dtype(self.dtype).itemsize

    def join(self, outputs: list[Encoded]) -> Vectors:
        """Copies: a part of a batch's array would keep the whole of it in memory."""
        lengths = np.array([output.length for output in outputs], np.int32)
        tokens = [output.tokens for output in outputs if output.tokens is not None]
        if self.per_token:
            width = self.fixed_length or int(lengths.max())
            vectors = np.zeros((len(outputs), width, self.dimension), self.dtype)
            for row, output in zip(vectors, outputs):
                row[:len(output.vector)] = output.vector[:width]
        else:
            vectors = np.stack([output.vector for output in outputs])
        return Vectors(vectors, lengths, tokens if len(tokens) == len(outputs) else None)


def vector_info(info: EngineInfo) -> VectorInfo:
    """What is known of an engine that must give vectors; TypeError for another one."""
    if not isinstance(info, VectorInfo):
        raise TypeError(f"the engine serves {', '.join(info.interfaces) or 'nothing'}, expected one that gives vectors: "
                        "serve it over its own interface")
    return info


def check_sequences(sequences, limits: RequestLimits, kinds: tuple[type, ...] = (str,)) -> None:
    """Refuses what is no list of texts, nor a list of lists of tokens (or of ids, with `int` in `kinds`)."""
    if not isinstance(sequences, list) or not sequences:
        raise Refused(f"expected a list of texts, or of lists of tokens, with at least one; found {_shown(sequences)}")
    if len(sequences) > limits.inputs:
        raise Refused(f"{len(sequences):,} sequences in one request, more than {limits.inputs:,}: send less at once")
    texts = isinstance(sequences[0], str)
    for index, sequence in enumerate(sequences):
        if not isinstance(sequence, str if texts else list):
            raise Refused(f"sequence {index} is {_shown(sequence)}, expected {'a text' if texts else 'a list'} "
                          "like the first: texts and lists of tokens go into requests of their own")
        if len(sequence) > limits.input_length:
            raise Refused(f"sequence {index} has {len(sequence):,} characters or tokens, more than "
                          f"{limits.input_length:,}")
        parts = sequence if isinstance(sequence, list) else [sequence]
        if not texts and not _is_token_list(parts, kinds):
            raise Refused(f"sequence {index} is no list of tokens: {_shown(sequence)}")
        _check_unicode(index, parts)


def _is_token_list(tokens: list, kinds: tuple[type, ...]) -> bool:
    return bool(tokens) and any(all(type(token) is kind for token in tokens) for kind in kinds)


def _check_unicode(index: int, texts: list) -> None:
    try:
        "".join(text for text in texts if isinstance(text, str)).encode()
    except UnicodeEncodeError as error:
        raise Refused(f"sequence {index} is not Unicode text: {error.reason}") from None


def _shown(value) -> str:
    text = json.dumps(value, ensure_ascii=True)
    return text if len(text) <= 60 else text[:57] + "..."

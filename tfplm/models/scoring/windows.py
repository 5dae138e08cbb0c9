"""Overlapping windows of long texts, in which every token is scored once and with context."""

import dataclasses
from collections.abc import Iterator


@dataclasses.dataclass(frozen=True)
class Window:
    """Tokens `start` to `end` of a text are the input of the model, and tokens `first` to `last` are scored."""

    start: int
    end: int
    first: int
    last: int


def causal_windows(tokens: int, size: int, stride: int) -> Iterator[Window]:
    """Windows of at most `size` tokens of a text of `tokens`. The first token, without a preceding one, is not scored.

        0 . . . . . . . size                  the first window scores all but its first token
              stride . . . . . . . .          later windows score the tokens that are new, the last `stride`
    """
    done = 1
    while done < tokens:
        end = min(size, tokens) if done == 1 else min(done + stride, tokens)
        yield Window(max(0, end - size), end, done, end)
        done = end


def masked_windows(tokens: int, size: int, stride: int) -> Iterator[Window]:
    """Windows of at most `size` tokens, of which the middle `stride` are scored, with context on both sides.

    The first window also scores the tokens at its start, the last window those at its end.
    """
    margin = (size - stride) // 2
    done = 0
    while done < tokens:
        start = min(max(0, done - margin), max(0, tokens - size))
        end = min(start + size, tokens)
        last = tokens if end == tokens else start + margin + stride
        yield Window(start, end, done, last)
        done = last

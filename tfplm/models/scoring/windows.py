"""Long texts cut into windows that overlap, so that every token is scored once and with context."""

import dataclasses
from collections.abc import Iterator


@dataclasses.dataclass(frozen=True)
class Window:
    """Tokens `start` to `end` of a text go through the model, those from `first` to `last` are scored."""

    start: int
    end: int
    first: int
    last: int


def causal_windows(tokens: int, size: int, stride: int) -> Iterator[Window]:
    """Windows of at most `size` tokens of a text of `tokens`. The first token has nothing before it: it is not scored.

        0 . . . . . . . size                  the first window scores all but its first token
              stride . . . . . . . .          later ones only what is new: the last `stride`
    """
    done = 1
    while done < tokens:
        end = min(size, tokens) if done == 1 else min(done + stride, tokens)
        yield Window(max(0, end - size), end, done, end)
        done = end


def masked_windows(tokens: int, size: int, stride: int) -> Iterator[Window]:
    """Windows of at most `size` tokens, of which the middle `stride` ones are scored: a masked model looks to both
    sides. The first window also scores its begin, the last one its end."""
    margin = (size - stride) // 2
    done = 0
    while done < tokens:
        start = min(max(0, done - margin), max(0, tokens - size))
        end = min(start + size, tokens)
        last = tokens if end == tokens else start + margin + stride
        yield Window(start, end, done, last)
        done = last

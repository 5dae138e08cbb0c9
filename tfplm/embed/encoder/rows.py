"""Texts of any length to batches of few shapes: several short texts share a row, so that next to nothing is padding.

        row 0   [CLS] a a a [SEP] [CLS] b b [SEP] [CLS] c [SEP]     pieces 1 1 1 1 1 2 2 2 2 3 3 3
        row 1   [CLS] d d d d d d d d [SEP] .  .                    pieces 1 1 1 1 1 1 1 1 1 1 0 0

A token attends to its own piece only, and positions count anew in each piece. With one text a row the same layout is an
ordinary padded batch.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from tfplm.core.rounding import power_of_two, round_up

SHORTEST = 64  # width of a row for several texts; wider ones double it
_SPARE = 16  # one row in so many may be empty for the sake of fewer shapes


@dataclasses.dataclass(frozen=True)
class TextIds:
    """A tokenized text: int32 `input_ids`, `token_type_ids` `[T]`; `skip` first tokens (a prompt) are not pooled."""

    input_ids: np.ndarray
    token_type_ids: np.ndarray
    skip: int = 0

    def __len__(self) -> int:
        return len(self.input_ids)


@dataclasses.dataclass(frozen=True)
class Placement:
    """A batch to be made: `count` rows of `width` places, `rows` of which (lists of numbers of texts) have text."""

    width: int
    count: int
    rows: list[list[int]]


@dataclasses.dataclass(frozen=True)
class Limits:
    """How batches may be shaped.

    batch_tokens: places of a batch. pack: whether texts may share a row. widest: the most tokens of a row that the
    model's positions allow; None for any. With `pack` it bounds a text, but not a row.
    """

    batch_tokens: int = 2048
    pack: bool = True
    widest: int | None = None


def round_width(length: int) -> int:
    """The next of 8, 16, 24, 32, 48, 64, 96, 128, 192, 256, ...: few widths, each of which costs a compilation."""
    return max(8, round_up(length, 8)) if length <= 24 else _round_up(length, 2)


def _round_up(number: int, steps: int) -> int:
    """The next of the numbers that divide the way between powers of two in so many steps; by two: 1, 2, 3, 4, 6, 8, ..."""
    return round_up(number, max(power_of_two(number) // (2 * steps), 1))


def _row_width(length: int) -> int:
    return max(SHORTEST, power_of_two(length))


def place(lengths: Sequence[int], limits: Limits) -> list[Placement]:
    """Which texts go into which batches, longest first; every text comes once."""
    lengths = [int(length) for length in lengths]
    order = sorted(range(len(lengths)), key=lambda number: -lengths[number])
    if not limits.pack:
        return _one_a_row(order, lengths, limits)
    total = sum(lengths)
    if len(order) == 1 or total <= SHORTEST:
        return [Placement(round_width(total), 1, [order])]
    by_width: dict[int, list[list[int]]] = {}
    for width, row in _best_fit(order, lengths):
        by_width.setdefault(width, []).append(row)
    placements = []
    for width, rows in by_width.items():
        most = max(limits.batch_tokens // width, 1)
        placements += [Placement(width, _count(len(rows) - begin, most, len(rows)), rows[begin:begin + most])
                       for begin in range(0, len(rows), most)]
    return placements


def _count(left: int, most: int, total: int = 0) -> int:
    """The rows of a batch, few different numbers, as each new shape costs a compilation: full, or where rows without text
    would count, the next of 1 to 16, 18, 20, ..., 32, 36, ..."""
    return most if most - left <= total // _SPARE else min(_round_up(left, 8), most)


def _best_fit(order: list[int], lengths: Sequence[int]) -> list[tuple[int, list[int]]]:
    """(width, texts) of rows: each text, longest first, goes where the least room is left, or opens a row."""
    rows, open_rows, rooms = [], {}, 0  # rooms: bit n is set where a row has room for n tokens
    for number in order:
        length = lengths[number]
        if fitting := rooms >> length:
            room = length + (fitting & -fitting).bit_length() - 1
            row = open_rows[room].pop()
            if not open_rows[room]:
                rooms &= ~(1 << room)
        else:
            room = _row_width(length)
            row = []
            rows.append((room, row))
        row.append(number)
        open_rows.setdefault(room - length, []).append(row)
        rooms |= 1 << (room - length)
    return rows


def _one_a_row(order: list[int], lengths: Sequence[int], limits: Limits) -> list[Placement]:
    placements, begin = [], 0
    while begin < len(order):
        width = round_width(lengths[order[begin]])
        if limits.widest is not None:
            width = max(lengths[order[begin]], min(width, limits.widest))
        most = max(limits.batch_tokens // width, 1)
        rows = [[number] for number in order[begin:begin + most]]
        placements.append(Placement(width, _count(len(rows), most), rows))
        begin += most
    return placements


def assemble(texts: Sequence[TextIds], placement: Placement, pad: int = 0) -> dict[str, np.ndarray]:
    """The int32 arrays of a batch.

    `input_ids`, `token_type_ids`, `position_ids`, `pieces` `[R,W]`; and for pooling, of its S texts in the order of the
    rows, `places` `[S,L]`, the numbers of their tokens in the flattened batch, and `lengths` `[S]`.
    """
    shape = placement.count, placement.width
    numbers = [number for row in placement.rows for number in row]
    lengths = np.array([len(texts[number]) for number in numbers], np.int32)
    row_of = np.repeat(np.arange(len(placement.rows)), [len(row) for row in placement.rows])
    ends = np.cumsum(lengths)
    before_row = np.concatenate([[0], ends[np.cumsum([len(row) for row in placement.rows]) - 1]])[row_of]
    starts = (row_of * placement.width + ends - lengths - before_row).astype(np.int32)
    within = np.arange(ends[-1], dtype=np.int32) - np.repeat(ends - lengths, lengths)
    target = np.repeat(starts, lengths) + within
    piece = np.concatenate([np.arange(1, len(row) + 1) for row in placement.rows])
    batch = {name: np.zeros(shape, np.int32) for name in ("token_type_ids", "position_ids", "pieces")}
    batch["input_ids"] = np.full(shape, pad, np.int32)
    batch["input_ids"].reshape(-1)[target] = np.concatenate([texts[number].input_ids for number in numbers])
    batch["token_type_ids"].reshape(-1)[target] = np.concatenate([texts[number].token_type_ids for number in numbers])
    batch["position_ids"].reshape(-1)[target] = within
    batch["pieces"].reshape(-1)[target] = np.repeat(piece, lengths)
    skips = np.array([texts[number].skip for number in numbers], np.int32)
    lengths = lengths - skips
    columns = np.arange(lengths.max(), dtype=np.int32)
    batch["places"] = np.where(columns < lengths[:, None], (starts + skips)[:, None] + columns, 0).astype(np.int32)
    return {**batch, "lengths": lengths}

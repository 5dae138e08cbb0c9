"""Packing of texts into batches with few shapes: short texts share a row, so that there is almost no padding.

        row 0   [CLS] a a a [SEP] [CLS] b b [SEP] [CLS] c [SEP]     sequence_ids 1 1 1 1 1 2 2 2 2 3 3 3
        row 1   [CLS] d d d d d d d d [SEP] .  .                    sequence_ids 1 1 1 1 1 1 1 1 1 1 0 0

A token attends only to its own sequence, and positions start at 0 in each sequence. With one text per row, the same
layout is an ordinary padded batch.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from tfplm.core.rounding import power_of_two, round_up
from tfplm.data.batches.by_length import by_length

SHORTEST = 64  # minimum width of a row for several texts; wider rows are 128, 256, ...
_SPARE = 16  # one in so many rows may be empty, for fewer shapes


@dataclasses.dataclass(frozen=True)
class TextIds:
    """A tokenized text: int32 `input_ids`, `token_type_ids` `[T]`; `skip` first tokens (a prompt) are not pooled."""

    input_ids: np.ndarray
    token_type_ids: np.ndarray
    skip: int = 0

    def __len__(self) -> int:
        return len(self.input_ids)

    @classmethod
    def of(cls, ids: Sequence[int]) -> "TextIds":
        """A text of ids only: with one segment, and all tokens are pooled. Raises TypeError for other items than ids."""
        array = np.asarray(ids)
        if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
            raise TypeError(f"a text is {str(ids)[:40]} ({type(ids).__name__}); expected a list of ids, whole numbers: "
                            "pass a list of such lists")
        if array.size and (array.min() < -2**31 or array.max() >= 2**31):
            raise ValueError(f"a text has the id {array[np.abs(array.astype(np.float64)).argmax()]}; expected ids of "
                             "the vocabulary: use the tokenizer of this model")
        array = array.astype(np.int32)
        return cls(array, np.zeros_like(array))


def check_texts(texts: Sequence[TextIds], vocab_size: int, longest: int | None) -> None:
    """Raises ValueError for a text without tokens, with more than `longest` tokens, or with an unknown id."""
    for index, text in enumerate(texts):
        if not len(text):
            raise ValueError(f"text {index} has 0 tokens; expected 1 or more: add a special token, or omit the text")
        if longest is not None and len(text) > longest:
            raise ValueError(f"text {index} has {len(text)} tokens, but the model has {longest} positions: truncate it")
        if text.input_ids.max() >= vocab_size or text.input_ids.min() < 0:
            raise ValueError(f"text {index} has an id that is not in the vocabulary; expected 0 to {vocab_size - 1}: "
                             "use the tokenizer of this model")


@dataclasses.dataclass(frozen=True)
class PackedBatch:
    """The layout of a batch: `count` rows of `width` tokens; `rows`: the indices of the texts in each non-empty row."""

    width: int
    count: int
    rows: list[list[int]]

    @property
    def texts(self) -> list[int]:
        """The indices of all texts, in the order of the rows."""
        return [index for row in self.rows for index in row]


@dataclasses.dataclass(frozen=True)
class PackingLimits:
    """Limits on the shapes of batches.

    batch_tokens: tokens of a batch, including padding. pack: texts may share a row. widest: maximum tokens that the
    model's positions allow, or None; it limits rows, with `pack` only texts.
    """

    batch_tokens: int = 2048
    pack: bool = True
    widest: int | None = None


def round_width(length: int) -> int:
    """The length rounded up to 8, 16, 24, 32, 48, 64, 96, 128, 192, ...: few widths, as each needs a compilation."""
    return max(8, round_up(length, 8)) if length <= 24 else _round_up(length, 2)


def _round_up(number: int, steps: int) -> int:
    """The number rounded up to one of a series with `steps` equal steps between powers of two; for two: 1, 2, 3, 4, 6,
    8, 12, ..."""
    return round_up(number, max(power_of_two(number) // (2 * steps), 1))


def _row_width(length: int) -> int:
    return max(SHORTEST, power_of_two(length))


def pack_texts(lengths: Sequence[int], limits: PackingLimits) -> list[PackedBatch]:
    """Distributes the texts to batches, longest first; each text occurs once."""
    lengths = [int(length) for length in lengths]
    if not limits.pack:
        return _one_a_row(lengths, limits)
    order = sorted(range(len(lengths)), key=lambda index: -lengths[index])
    total = sum(lengths)
    if len(order) == 1 or total <= SHORTEST:
        return [PackedBatch(round_width(total), 1, [order])]
    by_width: dict[int, list[list[int]]] = {}
    for width, row in _best_fit(order, lengths):
        by_width.setdefault(width, []).append(row)
    batches = []
    for width, rows in by_width.items():
        most = max(limits.batch_tokens // width, 1)
        batches += [PackedBatch(width, _count(len(rows) - start, most, len(rows)), rows[start:start + most])
                    for start in range(0, len(rows), most)]
    return batches


def _count(left: int, most: int, total: int = 0) -> int:
    """The number of rows of a batch; few different ones, as each new shape needs a compilation: `most`, or if that
    makes too many empty rows, `left` rounded up to 1 ... 16, 18, 20, ..., 32, 36, ..."""
    return most if most - left <= total // _SPARE else min(_round_up(left, 8), most)


def _best_fit(order: list[int], lengths: Sequence[int]) -> list[tuple[int, list[int]]]:
    """(width, texts) of rows: each text, longest first, goes into the row with the least sufficient space, or a new
    row."""
    rows, open_rows, rooms = [], {}, 0  # rooms: bit n is set if a row has space for n tokens
    for index in order:
        length = lengths[index]
        if fitting := rooms >> length:
            room = length + (fitting & -fitting).bit_length() - 1
            row = open_rows[room].pop()
            if not open_rows[room]:
                rooms &= ~(1 << room)
        else:
            room = _row_width(length)
            row = []
            rows.append((room, row))
        row.append(index)
        open_rows.setdefault(room - length, []).append(row)
        rooms |= 1 << (room - length)
    return rows


def _one_a_row(lengths: Sequence[int], limits: PackingLimits) -> list[PackedBatch]:
    def width(index: int) -> int:
        wide = round_width(lengths[index])
        return wide if limits.widest is None else max(lengths[index], min(wide, limits.widest))

    def most(indices: np.ndarray) -> int:
        return max(limits.batch_tokens // width(indices[0]), 1)

    return [PackedBatch(width(part[0]), _count(len(part), most(part)), [[int(index)] for index in part])
            for part in by_length(lengths, most)]


def assemble(texts: Sequence[TextIds], packed: PackedBatch, pad: int = 0) -> dict[str, np.ndarray]:
    """The int32 arrays of a batch: `input_ids`, `token_type_ids`, `position_ids`, `sequence_ids` (0 = padding) `[R,W]`.

    For pooling, also `token_index` `[S,L]`, the indices in the flattened batch of the tokens of its S texts, in the
    order of the rows, and `lengths` `[S]`.
    """
    shape, chosen = (packed.count, packed.width), [texts[index] for index in packed.texts]
    lengths = np.array([len(text) for text in chosen], np.int32)
    sizes = [len(row) for row in packed.rows]
    row_of = np.repeat(np.arange(len(packed.rows)), sizes)
    ends = np.cumsum(lengths)
    before_row = np.concatenate([[0], ends[np.cumsum(sizes) - 1]])[row_of]
    starts = (row_of * packed.width + ends - lengths - before_row).astype(np.int32)
    within = np.arange(ends[-1], dtype=np.int32) - np.repeat(ends - lengths, lengths)
    target = np.repeat(starts, lengths) + within
    sequence = np.concatenate([np.arange(1, size + 1) for size in sizes])
    batch = {name: np.zeros(shape, np.int32) for name in ("token_type_ids", "position_ids", "sequence_ids")}
    batch["input_ids"] = np.full(shape, pad, np.int32)
    batch["input_ids"].reshape(-1)[target] = np.concatenate([text.input_ids for text in chosen])
    batch["token_type_ids"].reshape(-1)[target] = np.concatenate([text.token_type_ids for text in chosen])
    batch["position_ids"].reshape(-1)[target] = within
    batch["sequence_ids"].reshape(-1)[target] = np.repeat(sequence, lengths)
    skips = np.array([text.skip for text in chosen], np.int32)
    lengths = lengths - skips
    columns = np.arange(lengths.max(), dtype=np.int32)
    batch["token_index"] = np.where(columns < lengths[:, None], (starts + skips)[:, None] + columns, 0).astype(np.int32)
    return {**batch, "lengths": lengths}

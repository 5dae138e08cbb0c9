"""Examples of different lengths to batches that pad next to nothing."""

import dataclasses
from collections.abc import Iterable, Iterator

import numpy as np

PADDED = ("input_ids", "token_type_ids", "attention_mask", "word_starts", "sentence_ids", "tag_ids", "tag_mask")


@dataclasses.dataclass(frozen=True)
class Batching:
    """A batch has about `batch_tokens` tokens, padding counted: rows of one length more or less, as many as fit.

    A batch ends earlier, but not before half of that, where more than `most_padding` of it would be padding.
    multiple: widths are rounded up to it. widths: the only widths there are (few shapes for XLA), ascending.
    rows_multiple: the number of rows is a multiple of it (replicas). pool: batches' worth of examples that are
    shuffled and sorted together. drop_remainder: leave out the smaller batch at the end. batch_rows: so many rows in
    every batch, whatever their lengths, in place of the rules above (fine-tuning, where recipes count examples).
    """

    batch_tokens: int = 4096
    most_padding: float = 0.04
    multiple: int = 1
    widths: tuple[int, ...] | None = None
    rows_multiple: int = 1
    pool: int = 100
    drop_remainder: bool = False
    batch_rows: int | None = None

    def width(self, longest: int) -> int:
        if self.widths:
            place = int(np.searchsorted(self.widths, longest))
            if place == len(self.widths):
                raise ValueError(f"an example has {longest} tokens, more than the widest of {self.widths}")
            return self.widths[place]
        return -(-longest // self.multiple) * self.multiple

    def rows(self, lengths: np.ndarray) -> int:
        """Rows of the next batch, from the lengths of all examples that are left, descending."""
        if self.batch_rows:
            return self.batch_rows
        most = max(self.batch_tokens // self.width(int(lengths[0])), 1)
        share = np.cumsum(lengths[:most]) / (np.arange(1, len(lengths[:most]) + 1) * lengths[0])
        rows = max(int((share >= 1 - self.most_padding).sum()), (most + 1) // 2)
        return max(rows // self.rows_multiple, 1) * self.rows_multiple

    def pool_is_full(self, examples: int, tokens: int) -> bool:
        if self.batch_rows:
            return examples >= self.pool * self.batch_rows
        return tokens >= self.pool * self.batch_tokens


def collate(examples: list[dict], width: int, pad: int = 0) -> dict:
    """Examples (dicts of int32 [T_i] arrays and numbers) -> int32 [B,width] arrays, with `attention_mask`, and [B].

    Rows of `PADDED` keys are as long as `input_ids`; those of other keys are padded with 0 to the longest of them.
    Arrays [C,T_i] (multiple choice) become [B,C,width].
    """
    batch = {}
    for key in examples[0]:
        values = [np.asarray(example[key]) for example in examples]
        if values[0].ndim:
            own = width if key in PADDED else max(value.shape[-1] for value in values)
            batch[key] = padded(values, own, pad if key == "input_ids" else 0)
        else:
            batch[key] = np.stack(values)
    if "attention_mask" not in batch:
        batch["attention_mask"] = (np.arange(width) < _lengths(examples)[:, None]).astype(np.int32)
    return batch


def padded(rows: list[np.ndarray], width: int, fill: int = 0) -> np.ndarray:
    """Arrays [...,T_i] -> [B,...,width] of their type."""
    result = np.full((len(rows), *rows[0].shape[:-1], width), fill, rows[0].dtype)
    if rows[0].ndim == 1:
        result[np.arange(width) < np.array([len(row) for row in rows])[:, None]] = np.concatenate(rows)
    else:
        for place, row in enumerate(rows):
            result[place, ..., :row.shape[-1]] = row
    return result


def _lengths(examples: list[dict]) -> np.ndarray:
    return np.array([np.shape(example["input_ids"])[-1] for example in examples])


def bucket_by_length(examples: Iterable[dict], batching: Batching | None = None,
                     rng: np.random.Generator | None = None, pad: int = 0) -> Iterator[dict]:
    """Batches of examples of about the same length, in random order when there is an `rng`.

    Examples are taken a pool at a time, shuffled, sorted by length, cut into batches; every example comes exactly once
    (those of the last, smaller batch unless `drop_remainder`). Memory: one pool.
    """
    batching = batching or Batching()
    pool, tokens = [], 0
    for example in examples:
        pool.append(example)
        tokens += np.size(example["input_ids"])
        if batching.pool_is_full(len(pool), tokens):
            pool = yield from _batches_of(pool, batching, rng, pad)
            tokens = sum(np.size(example["input_ids"]) for example in pool)
    rest = yield from _batches_of(pool, batching, rng, pad)
    if rest and batching.drop_remainder:
        return
    if rest:
        yield collate(rest, batching.width(int(_lengths(rest).max())), pad)


def _batches_of(pool: list[dict], batching: Batching, rng: np.random.Generator | None, pad: int):
    """Yields the full batches of a pool, returns the examples that are left."""
    if rng is not None:
        pool = [pool[i] for i in rng.permutation(len(pool))]
    pool.sort(key=lambda example: -np.shape(example["input_ids"])[-1])
    lengths = _lengths(pool)
    groups, begin = [], 0
    while begin < len(pool):
        end = begin + batching.rows(lengths[begin:])
        if end > len(pool):
            break
        groups.append((pool[begin:end], batching.width(int(lengths[begin]))))
        begin = end
    if rng is not None:
        groups = [groups[i] for i in rng.permutation(len(groups))]
    for group, width in groups:
        yield collate(group, width, pad)
    return pool[begin:]

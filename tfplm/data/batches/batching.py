"""Batching of examples of different lengths with little padding."""

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np

from tfplm.core.rounding import round_up
from tfplm.data.batches.by_length import by_length

_OF_TOKENS = ("token_type_ids", "attention_mask", "word_starts", "sentence_ids")


@dataclasses.dataclass(frozen=True)
class Pad:
    """Padding of the arrays of a key, on the right.

    Attributes:
        value: value of the padding.
        of: key of the token ids to which the values belong, and whose width the arrays get; None for the width of the
            longest array in the batch.
    """

    value: int = 0
    of: str | None = None


def token_pads(pad: int = 0, prefix: str = "", also: Iterable[str] = ()) -> dict[str, Pad]:
    """The `Pad` of each key of a tokenized text: value `pad` for `input_ids`, 0 for other values of tokens.

    prefix: prefix of the keys, for features with several tokenizations: `token_pads(0) | token_pads(1, "teacher/")`.
    also: additional keys with a value for each token.
    """
    ids = f"{prefix}input_ids"
    return {ids: Pad(pad, ids)} | {prefix + key: Pad(0, ids) for key in (*_OF_TOKENS, *also)}


def with_prefix(values: Mapping[str, object], prefix: str) -> dict:
    """The values with a prefix added to each key, for the features of one of several tokenizations or tasks."""
    return {prefix + key: value for key, value in values.items()}


def of_prefix(values: Mapping[str, object], prefix: str) -> dict:
    """The values whose keys start with the prefix, which is removed; the inverse of `with_prefix`."""
    return {key.removeprefix(prefix): value for key, value in values.items() if key.startswith(prefix)}


@dataclasses.dataclass(frozen=True)
class Batching:
    """Sizes of batches: rows of similar length, with about `batch_tokens` tokens in total, including padding.

    Attributes:
        batch_tokens: number of tokens of a batch.
        most_padding: maximum fraction of padding; a batch with more ends earlier, but not before half of its size.
        multiple: widths are rounded up to a multiple of this.
        widths: all possible widths (few shapes for XLA), ascending.
        rows_multiple: the number of rows is a multiple of this (number of replicas).
        pool: number of batches whose examples are shuffled and sorted together.
        drop_remainder: drop the last, smaller batch.
        batch_rows: number of rows of every batch, for any lengths, instead of the rules above (for fine-tuning, whose
            recipes count examples).
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
            index = int(np.searchsorted(self.widths, longest))
            if index == len(self.widths):
                raise ValueError(f"an example has {longest} tokens; expected at most {self.widths[-1]}, the maximum of "
                                 "widths: truncate it, or add a width")
            return self.widths[index]
        return round_up(longest, self.multiple)

    def rows(self, lengths: np.ndarray) -> int:
        """Number of rows of the next batch, given the lengths of all remaining examples in descending order."""
        if self.batch_rows:
            return self.batch_rows
        maximum = max(self.batch_tokens // self.width(int(lengths[0])), 1)
        real = np.cumsum(lengths[:maximum]) / (np.arange(1, len(lengths[:maximum]) + 1) * lengths[0])
        rows = max(int((real >= 1 - self.most_padding).sum()), (maximum + 1) // 2)
        return max(rows // self.rows_multiple, 1) * self.rows_multiple

    def pool_is_full(self, examples: int, tokens: int) -> bool:
        if self.batch_rows:
            return examples >= self.pool * self.batch_rows
        return tokens >= self.pool * self.batch_tokens


def collate(examples: list[dict], width: int | Callable[[int], int], pads: Mapping[str, Pad] | None = None) -> dict:
    """Collates examples (dicts of arrays `[T_i]` and numbers) into arrays `[B,width]` and `[B]`, with attention masks.

    Arrays `[C,T_i]` (multiple choice) become `[B,C,width]`.

    Args:
        examples: the examples.
        width: width of token ids, or a function of the maximum number of tokens.
        pads: key -> padding (default: `token_pads()`); other keys are padded with 0 to the longest of them. Token ids
            are the keys whose padding belongs to themselves: `input_ids`, `teacher/input_ids`. An `attention_mask`, or
            `teacher/attention_mask`, is added if the examples have none.
    """
    pads = token_pads() if pads is None else pads
    arrays = {key: [np.asarray(example[key]) for example in examples] for key in examples[0]}
    ids = [key for key in arrays if pads.get(key, Pad()).of == key]
    widths = {key: width(_longest(arrays[key])) if callable(width) else width for key in ids}
    batch = {}
    for key, values in arrays.items():
        pad = pads.get(key, Pad())
        if values[0].ndim:
            batch[key] = padded(values, _longest(values) if pad.of is None else widths[pad.of], pad.value)
        else:
            batch[key] = np.stack(values)
    for key in ids:
        mask = key.removesuffix("input_ids") + "attention_mask"
        if mask not in batch:
            lengths = np.array([value.shape[-1] for value in arrays[key]])
            batch[mask] = (np.arange(widths[key]) < lengths[:, None]).astype(np.int32)
    return batch


def _longest(values: list[np.ndarray]) -> int:
    return max(value.shape[-1] for value in values)


def padded(rows: list[np.ndarray], width: int, fill: int = 0) -> np.ndarray:
    """Pads arrays `[...,T_i]` to `[B,...,width]` of the same type."""
    result = np.full((len(rows), *rows[0].shape[:-1], width), fill, rows[0].dtype)
    if rows[0].ndim == 1:
        result[np.arange(width) < np.array([len(row) for row in rows])[:, None]] = np.concatenate(rows)
    else:
        for index, row in enumerate(rows):
            result[index, ..., :row.shape[-1]] = row
    return result


def _lengths(examples: list[dict]) -> np.ndarray:
    return np.array([np.shape(example["input_ids"])[-1] for example in examples])


def bucket_by_length(examples: Iterable[dict], batching: Batching | None = None,
                     rng: np.random.Generator | None = None, pads: Mapping[str, Pad] | None = None) -> Iterator[dict]:
    """Batches of examples of similar length, in random order if there is an `rng`; `pads` as in `collate`.

    Pools of examples are shuffled, sorted by length, and split into batches; every example occurs exactly once (those
    of the last, smaller batch unless `drop_remainder`). It needs memory for one pool.
    """
    batching = batching or Batching()
    pool, tokens = [], 0
    for example in examples:
        pool.append(example)
        tokens += np.size(example["input_ids"])
        if batching.pool_is_full(len(pool), tokens):
            pool = yield from _batches_of(pool, batching, rng, pads)
            tokens = sum(np.size(example["input_ids"]) for example in pool)
    rest = yield from _batches_of(pool, batching, rng, pads)
    if rest and not batching.drop_remainder:
        yield collate(rest, batching.width, pads)


def _batches_of(pool: list[dict], batching: Batching, rng: np.random.Generator | None,
                pads: Mapping[str, Pad] | None):
    """Yields the full batches of a pool, and returns the remaining examples."""
    if rng is not None:
        pool = [pool[i] for i in rng.permutation(len(pool))]
    lengths = _lengths(pool)
    groups = list(by_length(lengths, lambda remaining: batching.rows(lengths[remaining])))
    remaining: Iterable[int] = ()
    if groups and batching.rows(lengths[groups[-1]]) > len(groups[-1]):
        remaining = groups.pop()
    if rng is not None:
        groups = [groups[i] for i in rng.permutation(len(groups))]
    for group in groups:
        yield collate([pool[i] for i in group], batching.width, pads)
    return [pool[i] for i in remaining]

"""Examples of different lengths to batches that pad next to nothing."""

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np

from tfplm.core.rounding import round_up
from tfplm.data.batches.by_length import by_length

_OF_TOKENS = ("token_type_ids", "attention_mask", "word_starts", "sentence_ids")


@dataclasses.dataclass(frozen=True)
class Pad:
    """How the arrays of a key are padded, on the right.

    value: of the padding. of: the key of the token ids that the arrays have a value for each of, and whose width they
    get; None: they are as wide as the longest of them in the batch.
    """

    value: int = 0
    of: str | None = None


def token_pads(pad: int = 0, prefix: str = "", also: Iterable[str] = ()) -> dict[str, Pad]:
    """The `Pad` of each key of a tokenized text: `pad` for `input_ids`, 0 for what goes with its tokens.

    prefix: of these keys, for features with several tokenizations: `token_pads(0) | token_pads(1, "teacher/")`.
    also: further keys with a value for each token.
    """
    ids = f"{prefix}input_ids"
    return {ids: Pad(pad, ids)} | {prefix + key: Pad(0, ids) for key in (*_OF_TOKENS, *also)}


def with_prefix(values: Mapping[str, object], prefix: str) -> dict:
    """The same values, the prefix before each key: the features of one tokenization, or of one task, among others."""
    return {prefix + key: value for key, value in values.items()}


def of_prefix(values: Mapping[str, object], prefix: str) -> dict:
    """The values whose keys start with the prefix, without it; the inverse of `with_prefix`."""
    return {key.removeprefix(prefix): value for key, value in values.items() if key.startswith(prefix)}


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
        return round_up(longest, self.multiple)

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


def collate(examples: list[dict], width: int | Callable[[int], int], pads: Mapping[str, Pad] | None = None) -> dict:
    """Examples (dicts of arrays [T_i] and numbers) -> arrays [B,width] and [B], with an attention mask for all token ids.

    Arrays [C,T_i] (multiple choice) become [B,C,width].

    Args:
        width: of token ids, or a function of the tokens of the longest.
        pads: key -> how it is padded, default `token_pads()`; other keys with 0, to the longest of them. Token ids are
            the keys that are padded like themselves: `input_ids`, `teacher/input_ids`. They get an `attention_mask`, or
            `teacher/attention_mask`, where the examples have none.
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
                     rng: np.random.Generator | None = None, pads: Mapping[str, Pad] | None = None) -> Iterator[dict]:
    """Batches of examples of about the same length, in random order when there is an `rng`; `pads` as in `collate`.

    Examples are taken a pool at a time, shuffled, sorted by length, cut into batches; every example comes exactly once
    (those of the last, smaller batch unless `drop_remainder`). Memory: one pool.
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
    """Yields the full batches of a pool, returns the examples that are left."""
    if rng is not None:
        pool = [pool[i] for i in rng.permutation(len(pool))]
    lengths = _lengths(pool)
    groups = list(by_length(lengths, lambda left: batching.rows(lengths[left])))
    left: Iterable[int] = ()
    if groups and batching.rows(lengths[groups[-1]]) > len(groups[-1]):
        left = groups.pop()
    if rng is not None:
        groups = [groups[i] for i in rng.permutation(len(groups))]
    for group in groups:
        yield collate([pool[i] for i in group], batching.width, pads)
    return [pool[i] for i in left]

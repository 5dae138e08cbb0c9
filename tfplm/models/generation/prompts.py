"""Alignment of prompts, so that all of them end in the same column."""

import dataclasses

import numpy as np

from tfplm.core.rounding import power_of_two, round_up


@dataclasses.dataclass(frozen=True)
class Prompts:
    """Prompts aligned on the right for any padding, with one of a few widths, so that few programs are compiled.

        given    a b c .        in `ids`   . . a b c
                 d e f g                   . d e f g

    The next token of every row then belongs to the same column; no token attends to columns left of its prompt.

    Attributes:
        ids: int32 `[B,P]`.
        other: further arrays `[B,P]` of the batch, by name, aligned in the same way.
        padding: int32 `[B]`, the number of columns before each prompt.
        given: int32 `[B,T]`, the prompts as passed.
        right: True if the batch was padded on the right.
    """

    ids: np.ndarray
    other: dict[str, np.ndarray]
    padding: np.ndarray
    given: np.ndarray
    right: bool

    @property
    def longest(self) -> int:
        return self.ids.shape[1] - int(self.padding.min())

    def with_new(self, new: np.ndarray, pad: int) -> np.ndarray:
        """Joins the prompts and their continuations `new` `[B * n,N]` -> `[B * n,T + N]`.

        Prompts that were padded on the left, or not padded, are not changed; those padded on the right are followed
        directly by their continuation, and the row is padded after it.
        """
        given = np.repeat(self.given, len(new) // len(self.given), axis=0)
        if not self.right:
            return np.concatenate([given, new], axis=1)
        lengths = np.repeat(self.ids.shape[1] - self.padding, len(new) // len(self.given))
        result = np.full((len(new), given.shape[1] + new.shape[1]), pad, np.int32)
        for row, length in enumerate(lengths):
            prompt = self.ids[row * len(self.ids) // len(new), self.ids.shape[1] - length:]
            result[row, :length], result[row, length:length + new.shape[1]] = prompt, new[row]
        return result


def bucket(length: int) -> int:
    """Rounds up to the width of a compiled program: 16, 32, ..., from 64 on at most a quarter above `length`."""
    return round_up(length, max(16, power_of_two(length) // 8))


def align(batch: dict, ids: str = "input_ids", mask: str = "attention_mask") -> Prompts:
    """Aligns the prompts of a batch of int arrays `[B,T]`; tokens for which `mask` is 0 are removed.

    Raises ValueError for an empty prompt, or arrays of different shapes.
    """
    given = np.asarray(batch[ids]).astype(np.int32)
    if given.ndim != 2:
        raise ValueError(f"{ids} has the shape {list(given.shape)}; expected [batch, tokens]")
    real = np.ones(given.shape, bool) if batch.get(mask) is None else np.asarray(batch[mask]) != 0
    if real.shape != given.shape:
        raise ValueError(f"{mask} has the shape {list(real.shape)}, but {ids} has {list(given.shape)}; expected "
                         "[batch, tokens] for both")
    lengths = real.sum(1)
    if not given.size or not lengths.all():
        name = "the batch" if not given.size else f"prompt {int(lengths.argmin())}"
        raise ValueError(f"{name} is empty; expected at least one token: pass the start or end token of the vocabulary")
    width = bucket(int(lengths.max()))

    def aligned(values):
        result = np.zeros((len(given), width), np.int32)
        for row, kept in enumerate(real):
            result[row, width - lengths[row]:] = values[row][kept]
        return result

    other = {name: aligned(np.asarray(batch[name])) for name in ("token_type_ids",) if batch.get(name) is not None}
    right = bool((~real).any() and real[:, 0].all())
    return Prompts(aligned(given), other, (width - lengths).astype(np.int32), given, right)

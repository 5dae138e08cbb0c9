"""From a batch to prompts that all end in the same column."""

import dataclasses

import numpy as np

from tfplm.core.rounding import power_of_two, round_up


@dataclasses.dataclass(frozen=True)
class Prompts:
    """Prompts moved to the right edge, whatever the padding was, in a width that few programs have to be compiled for.

        given    a b c .        in `ids`   . . a b c
                 d e f g                   . d e f g

    Every row's next token then belongs to the same column, and what stands to the left of a prompt is never looked at.

    Attributes:
        ids: int32 `[B,P]`; other: further arrays `[B,P]` of the batch, by name, moved alike.
        padding: int32 `[B]`, columns before each prompt. given: int32 `[B,T]`, the prompts as they came.
        right: whether the batch was padded on the right.
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
        """The prompts and their continuations `new` `[B * n,N]` -> `[B * n,T + N]`.

        Prompts that were padded on the left, or not at all, stay as they came; the others are put before their
        continuation without a gap, and the row is padded behind it.
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
    """The next width for which a program is compiled: 16, 32, ..., at most a quarter (from 64 on) above `length`."""
    return round_up(length, max(16, power_of_two(length) // 8))


def align(batch: dict, ids: str = "input_ids", mask: str = "attention_mask") -> Prompts:
    """The prompts of a batch of int arrays `[B,T]`, of which those that `mask` calls real are kept.

    Raises:
        ValueError: an empty prompt, or arrays of different shapes.
    """
    given = np.asarray(batch[ids]).astype(np.int32)
    if given.ndim != 2:
        raise ValueError(f"{ids} has the shape {list(given.shape)}, expected [batch, tokens]")
    real = np.ones(given.shape, bool) if batch.get(mask) is None else np.asarray(batch[mask]) != 0
    if real.shape != given.shape:
        raise ValueError(f"{mask} has the shape {list(real.shape)}, but {ids} {list(given.shape)}: for generation both "
                         "are [batch, tokens]")
    lengths = real.sum(1)
    if not given.size or not lengths.all():
        where = "the batch" if not given.size else f"prompt {int(lengths.argmin())}"
        raise ValueError(f"{where} is empty: begin it with a token, such as the one that starts or ends a text")
    width = bucket(int(lengths.max()))

    def moved(values):
        result = np.zeros((len(given), width), np.int32)
        for row, kept in enumerate(real):
            result[row, width - lengths[row]:] = values[row][kept]
        return result

    other = {name: moved(np.asarray(batch[name])) for name in ("token_type_ids",) if batch.get(name) is not None}
    right = bool((~real).any() and real[:, 0].all())
    return Prompts(moved(given), other, (width - lengths).astype(np.int32), given, right)

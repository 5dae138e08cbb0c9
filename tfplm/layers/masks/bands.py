"""Block-wise masks of local layers over long rows, so that neither masks nor scores are T x T."""

import dataclasses
from typing import Any

from keras import ops

SMALLEST = 16  # minimum number of tokens of a block
DENSE = 4  # up to this number of blocks a mask T x T is at least as fast


@dataclasses.dataclass(frozen=True)
class Band:
    """The mask of a layer in which each token attends to nearby tokens.

        queries      | 0 | 1 | 2 |        a block of queries attends to the same block of keys, and to those before
        keys       . | 0 | 1 | 2 | .      and after it: here three, or two if tokens attend in one direction only

    Attributes:
        before, after: number of tokens before and after a token to which it can attend.
        length: number of tokens of the row, an int, or an int32 tensor if it is unknown.
        allow: bool `[1 or B,1,C,b,L]`: the L keys of the window to which each of the b queries of each of the C blocks
            can attend.
        real: bool `[B,T]`, False for padding, or None.
    """

    before: int
    after: int
    length: Any
    real: Any = None
    allow: Any = None

    def __post_init__(self):
        queries, keys = self.indices()
        distance = keys[None, :] - queries[:, None]  # [b,L]
        near = ops.logical_and(distance >= -self.before, distance <= self.after)
        real = ops.ones((1, self.length), dtype="bool") if self.real is None else self.real
        real = self.windows(real[:, None, :, None])[..., 0]  # [B,1,C,L], False outside of the row
        object.__setattr__(self, "allow", ops.logical_and(near, real[:, :, :, None]))

    @property
    def block(self):
        """Number of tokens of a block: the reach of a token, or the length of the row if it is shorter."""
        size = max(self.before, self.after, SMALLEST)
        return size if isinstance(self.length, int) else ops.minimum(size, self.length)

    def indices(self):
        """int32 `[b]`, `[L]`: the indices of the queries of a block in the window of keys, and of the keys."""
        block, windows = self.block, 1 + (self.before > 0) + (self.after > 0)
        queries = ops.arange(block, dtype="int32") + (block if self.before > 0 else 0)
        return queries, ops.arange(windows * block, dtype="int32")

    def blocks(self, x):
        """Splits queries into blocks: `[B,N,T,D]` -> `[B,N,C,b,D]`, with zeros after the row."""
        return self._cut(x, 0, 0)

    def windows(self, x):
        """Collects windows of keys or values: `[B,N,T,D]` -> `[B,N,C,L,D]`, with zeros outside of the row."""
        left, right = int(self.before > 0), int(self.after > 0)
        parts = self._cut(x, left, right)
        count = ops.shape(parts)[2] - left - right
        return ops.concatenate([parts[:, :, shift:shift + count] for shift in range(left + right + 1)], axis=3)

    def join(self, x):
        """Joins blocks: `[B,N,C,b,D]` -> `[B,N,T,D]`."""
        shape = ops.shape(x)
        return ops.reshape(x, (shape[0], shape[1], -1, shape[4]))[:, :, :self.length]

    def _cut(self, x, left: int, right: int):
        """Splits `[B,N,T,D]` into blocks, with `left` and `right` additional blocks of zeros."""
        block, shape = self.block, ops.shape(x)
        count = (self.length + block - 1) // block
        x = ops.pad(x, [[0, 0], [0, 0], [left * block, right * block + count * block - self.length], [0, 0]])
        return ops.reshape(x, (shape[0], shape[1], left + count + right, block, shape[3]))


def pays(length: int, before: int, after: int) -> bool:
    """Returns True if a row is long enough for blocks to be faster."""
    return length > DENSE * max(before, after, SMALLEST)

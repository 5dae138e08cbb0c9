"""The mask of a local layer over a long row, in blocks, so that neither it nor the scores are T x T."""

import dataclasses
from typing import Any

from keras import ops

SMALLEST = 16  # tokens of a block
DENSE = 4  # up to so many blocks a mask T x T costs no more


@dataclasses.dataclass(frozen=True)
class Band:
    """Which of its neighbours each token may attend to.

        queries      | 0 | 1 | 2 |        a block of queries attends to its own block of keys, and to the ones before
        keys       . | 0 | 1 | 2 | .      and after it: here to three, to two where tokens look one way only

    Attributes:
        before, after: how many tokens on each side of a token it may attend to.
        length: tokens of the row, an int or, where it is not known, an int32 tensor.
        allow: bool `[1 or B,1,C,b,L]`: which of the L keys of its window each of the b queries of each of the C blocks
            may attend to.
        real: bool `[B,T]`, False at padding, or None.
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
        """Tokens of a block: as many as a token looks far, or the row's where it is shorter."""
        size = max(self.before, self.after, SMALLEST)
        return size if isinstance(self.length, int) else ops.minimum(size, self.length)

    def indices(self):
        """int32 `[b]`, `[L]`: where the queries of a block stand among the keys of its window, and these."""
        block, windows = self.block, 1 + (self.before > 0) + (self.after > 0)
        queries = ops.arange(block, dtype="int32") + (block if self.before > 0 else 0)
        return queries, ops.arange(windows * block, dtype="int32")

    def blocks(self, x):
        """Queries `[B,N,T,D]` -> `[B,N,C,b,D]`, zeros after the row."""
        return self._cut(x, 0, 0)

    def windows(self, x):
        """Keys or values `[B,N,T,D]` -> `[B,N,C,L,D]`, zeros outside of the row."""
        left, right = int(self.before > 0), int(self.after > 0)
        parts = self._cut(x, left, right)
        count = ops.shape(parts)[2] - left - right
        return ops.concatenate([parts[:, :, shift:shift + count] for shift in range(left + right + 1)], axis=3)

    def join(self, x):
        """`[B,N,C,b,D]` -> `[B,N,T,D]`."""
        shape = ops.shape(x)
        return ops.reshape(x, (shape[0], shape[1], -1, shape[4]))[:, :, :self.length]

    def _cut(self, x, left: int, right: int):
        """Blocks of `[B,N,T,D]`, with `left` and `right` blocks of zeros around."""
        block, shape = self.block, ops.shape(x)
        count = (self.length + block - 1) // block
        x = ops.pad(x, [[0, 0], [0, 0], [left * block, right * block + count * block - self.length], [0, 0]])
        return ops.reshape(x, (shape[0], shape[1], left + count + right, block, shape[3]))


def pays(length: int, before: int, after: int) -> bool:
    """Whether a row is long enough for blocks."""
    return length > DENSE * max(before, after, SMALLEST)

"""The table of token vectors, and the means of its rows."""

import dataclasses

import numpy as np

_TOKENS = 8192  # whose vectors are averaged together: they stay in the processor's cache
_WIDE = 256 << 20  # bytes up to which a table is kept in float32, which is faster than converting its rows


@dataclasses.dataclass(frozen=True)
class StaticTable:
    """Vectors of tokens.

    Args:
        vectors: `[R,H]` of any kind of numbers; as many rows as tokens, unless there is a mapping.
        weights: `[V]`, by which the vectors of the tokens are multiplied, or None.
        mapping: `[V]`, the row of each token, or None. Several tokens can share a row.
    """

    vectors: np.ndarray
    weights: np.ndarray | None = None
    mapping: np.ndarray | None = None

    @property
    def tokens(self) -> int:
        """The number of tokens."""
        return len(self.vectors if self.mapping is None else self.mapping)

    @property
    def dimension(self) -> int:
        """The number of components of a vector."""
        return self.vectors.shape[1]

    def ready(self) -> "StaticTable":
        """The same table as it is used: in float32, unless that would be large."""
        wide = self.vectors.size * 4 <= _WIDE and self.vectors.dtype != np.float32
        return dataclasses.replace(self, vectors=self.vectors.astype(np.float32)) if wide else self

    def means(self, ids: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """The mean vector of each text, float32 `[N,H]`; zeros for a text without tokens.

        ids: the tokens of all texts, one after the other. lengths: `[N]`, the number of tokens of each text.
        """
        result = np.zeros((len(lengths), self.dimension), np.float32)
        starts = np.cumsum(lengths) - lengths
        order = np.argsort(lengths, kind="stable")  # texts of one length are averaged together
        sizes, firsts = np.unique(lengths[order], return_index=True)
        for size, texts in zip(sizes.tolist(), np.split(order, firsts[1:])):
            step = max(_TOKENS // size, 1) if size else len(texts)
            for first in range(0, len(texts) if size else 0, step):
                chosen = texts[first:first + step]
                result[chosen] = self._of_tokens(ids[starts[chosen][:, None] + np.arange(size)]).mean(axis=1)
        return result

    def _of_tokens(self, ids: np.ndarray) -> np.ndarray:
        """float32 `[...,H]`: the vectors of tokens `[...]`."""
        vectors = self.vectors[ids if self.mapping is None else self.mapping[ids]].astype(np.float32, copy=False)
        return vectors if self.weights is None else vectors * self.weights[ids][..., None].astype(np.float32)

    def projected(self, mean: np.ndarray, kernel: np.ndarray) -> "StaticTable":
        """The table whose means are `(x - mean) kernel`, since the mean of projections is the projection of the mean.

        Raises ValueError for a table with weights, of which that is not true.
        """
        if self.weights is not None:
            raise ValueError("the static table has weights, with which a whitening cannot be part of the table; expected a "
                             "table without: save the whitening apart (Whitening.save)")
        return dataclasses.replace(self, vectors=((self.vectors.astype(np.float32) - mean) @ kernel).astype(np.float32))

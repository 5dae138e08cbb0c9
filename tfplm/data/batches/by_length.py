"""Grouping of examples of similar length into batches."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np


def by_length(lengths: Sequence[int] | np.ndarray, rows: int | Callable[[np.ndarray], int], longest_first: bool = True
              ) -> Iterator[np.ndarray]:
    """The indices of each batch, int64 arrays; every index occurs once, those of equal length in their order.

    lengths: lengths of the examples.
    rows: number of examples of a batch, or a function of the remaining indices, in their order, that returns how many
        of the first ones form the batch. The last batch can be smaller.
    longest_first: sort by descending length.
    """
    sizes = np.asarray(lengths, np.int64)
    order = np.argsort(-sizes if longest_first else sizes, kind="stable")
    start = 0
    while start < len(order):
        count = rows if isinstance(rows, int) else max(rows(order[start:]), 1)
        yield order[start:start + count]
        start += count

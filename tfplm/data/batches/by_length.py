"""Examples of about the same length together: the order, and the cuts between batches."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np


def by_length(lengths: Sequence[int] | np.ndarray, rows: int | Callable[[np.ndarray], int], longest_first: bool = True
              ) -> Iterator[np.ndarray]:
    """The indices of each batch, int64 arrays; every index comes once, those of equal length in their order.

    rows: how many a batch has; or a function of the indices that are left, in their order, of which the batch takes the
        first so many. The last batch may have fewer.
    """
    sizes = np.asarray(lengths, np.int64)
    order = np.argsort(-sizes if longest_first else sizes, kind="stable")
    start = 0
    while start < len(order):
        count = rows if isinstance(rows, int) else max(rows(order[start:]), 1)
        yield order[start:start + count]
        start += count

"""Grouping of examples by length."""

import numpy as np
import pytest

from tfplm.core.rounding import power_of_two, round_up
from tfplm.data.batches.by_length import by_length

LENGTHS = [3, 9, 3, 7, 9, 1]


@pytest.mark.parametrize("longest_first, expected", [(True, [[1, 4], [3, 0], [2, 5]]), (False, [[5, 0], [2, 3], [1, 4]])])
def test_batches_of_two(longest_first, expected):
    assert [part.tolist() for part in by_length(LENGTHS, 2, longest_first)] == expected


def test_the_last_batch_can_be_smaller_and_there_can_be_none():
    assert [part.tolist() for part in by_length(LENGTHS, 4)] == [[1, 4, 3, 0], [2, 5]]
    assert list(by_length([], 4)) == []


def test_rows_from_the_remaining_indices():
    seen = []

    def rows(left):
        seen.append(left.tolist())
        return 10 // LENGTHS[left[0]]  # ten tokens per batch

    assert [part.tolist() for part in by_length(LENGTHS, rows)] == [[1], [4], [3], [0, 2, 5]]
    assert seen[0] == [1, 4, 3, 0, 2, 5] and seen[-1] == [0, 2, 5]
    assert [len(part) for part in by_length(LENGTHS, lambda left: 0)] == [1] * 6  # at least one


def test_every_index_once():
    lengths = np.random.default_rng(0).integers(1, 50, 500)
    parts = list(by_length(lengths, lambda left: 200 // lengths[left[0]]))
    assert sorted(np.concatenate(parts).tolist()) == list(range(500))
    assert all((np.diff(lengths[part]) <= 0).all() for part in parts)


@pytest.mark.parametrize("size, multiple, expected", [(1, 8, 8), (8, 8, 8), (9, 8, 16), (0, 8, 0), (5, 1, 5)])
def test_round_up(size, multiple, expected):
    assert round_up(size, multiple) == expected


def test_power_of_two():
    assert [power_of_two(size) for size in (0, 1, 2, 3, 4, 5, 64, 65)] == [1, 1, 2, 4, 4, 8, 64, 128]

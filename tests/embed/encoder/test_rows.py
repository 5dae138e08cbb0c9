"""Packing texts into rows: nothing lost, little padding, few shapes."""

import numpy as np
import pytest

from tfplm.embed.encoder.rows import Limits, TextIds, assemble, place, round_width


def texts_of(lengths):
    rng = np.random.default_rng(0)
    return [TextIds(rng.integers(5, 99, n).astype(np.int32), rng.integers(0, 2, n).astype(np.int32)) for n in lengths]


LENGTHS = [list(np.random.default_rng(1).integers(3, 60, 700)), [1], [64], [65], [512, 3, 3], [7] * 9, [300] * 20,
           list(np.random.default_rng(2).integers(1, 500, 90))]


@pytest.mark.parametrize("lengths", LENGTHS, ids=lambda x: f"{len(x)} texts of {x[0]}")
@pytest.mark.parametrize("pack", [True, False])
def test_every_token_is_there_once(lengths, pack):
    texts = texts_of(lengths)
    seen = set()
    for placement in place(lengths, Limits(1024, pack)):
        batch = assemble(texts, placement, pad=1)
        shape = placement.count, placement.width
        assert all(batch[name].shape == shape for name in ("input_ids", "token_type_ids", "position_ids", "pieces"))
        numbers = [number for row in placement.rows for number in row]
        for number, places, length in zip(numbers, batch["places"], batch["lengths"]):
            assert number not in seen
            seen.add(number)
            mine = places[:length]
            assert length == len(texts[number])
            assert (batch["input_ids"].flat[mine] == texts[number].input_ids).all()
            assert (batch["token_type_ids"].flat[mine] == texts[number].token_type_ids).all()
            assert (batch["position_ids"].flat[mine] == np.arange(length)).all()
            assert len(set(mine // placement.width)) == 1  # one row
            assert len(set(batch["pieces"].flat[mine])) == 1 and batch["pieces"].flat[mine[0]] > 0
        assert (batch["pieces"] > 0).sum() == batch["lengths"].sum()
        assert (batch["input_ids"][batch["pieces"] == 0] == 1).all()
    assert seen == set(range(len(texts)))


def test_pieces_of_a_row_differ():
    lengths = [20, 20, 20, 4]
    (placement,) = place(lengths, Limits())
    batch = assemble(texts_of(lengths), placement)
    assert placement.width == 64 and placement.count == 1
    assert [int((batch["pieces"] == n).sum()) for n in range(5)] == [0, 20, 20, 20, 4]


def test_padding_and_shapes_are_few():
    lengths = list(np.random.default_rng(0).geometric(0.06, 5000).clip(3, 250))
    placements = place(lengths, Limits(2048))
    places = sum(placement.count * placement.width for placement in placements)
    assert 1 - sum(lengths) / places < 0.05
    assert len({(placement.count, placement.width) for placement in placements}) <= 6
    assert max(placement.count * placement.width for placement in placements) <= 2048


@pytest.mark.parametrize("pack", [True, False])
def test_few_rows_without_text(pack):
    for texts in range(1, 200):
        placements = place([64] * texts, Limits(2048 + 3 * 64, pack))
        assert sum(placement.count for placement in placements) <= texts * 17 / 16 + 1
        assert max(placement.count for placement in placements) <= 35


def test_a_large_call_ends_with_a_batch_like_the_others():
    assert {placement.count for placement in place([64] * 1000, Limits(2048))} == {32}


def test_a_single_text_has_a_narrow_row():
    widths = {place([length], Limits())[0].width for length in range(1, 513)}
    assert len(widths) <= 12
    assert all(place([length], Limits())[0].width < length * 1.5 + 8 for length in range(1, 513))
    assert [round_width(n) for n in (1, 8, 9, 64, 65, 97, 129, 500)] == [8, 8, 16, 64, 96, 128, 192, 512]


def test_unpacked_rows_stay_within_the_positions():
    placements = place([37, 39, 40, 2], Limits(100, pack=False, widest=40))
    assert max(placement.width for placement in placements) == 40
    assert all(len(row) == 1 for placement in placements for row in placement.rows)


def test_a_text_longer_than_the_budget_is_a_batch_of_its_own():
    placements = place([3000, 5, 5], Limits(1024))
    assert sum(len(row) for placement in placements for row in placement.rows) == 3
    assert max(placement.width for placement in placements) == 4096


def test_a_prompt_is_skipped_in_pooling():
    text = TextIds(np.arange(10, dtype=np.int32), np.zeros(10, np.int32), skip=4)
    batch = assemble([text], place([10], Limits())[0])
    assert batch["lengths"].tolist() == [6] and batch["places"][0].tolist() == [4, 5, 6, 7, 8, 9]
    assert (batch["pieces"] > 0).sum() == 10  # the prompt is attended to

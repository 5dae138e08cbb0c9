"""Packing of texts into rows: no token is lost, there is little padding, and there are few shapes."""

import numpy as np
import pytest

from tfplm.embed.encoder.rows import PackingLimits, TextIds, assemble, pack_texts, round_width


def texts_of(lengths):
    rng = np.random.default_rng(0)
    return [TextIds(rng.integers(5, 99, n).astype(np.int32), rng.integers(0, 2, n).astype(np.int32)) for n in lengths]


LENGTHS = [list(np.random.default_rng(1).integers(3, 60, 700)), [1], [64], [65], [512, 3, 3], [7] * 9, [300] * 20,
           list(np.random.default_rng(2).integers(1, 500, 90))]


@pytest.mark.parametrize("lengths", LENGTHS, ids=lambda x: f"{len(x)} texts of {x[0]}")
@pytest.mark.parametrize("pack", [True, False])
def test_each_token_occurs_once(lengths, pack):
    texts = texts_of(lengths)
    seen = set()
    for packed in pack_texts(lengths, PackingLimits(1024, pack)):
        batch = assemble(texts, packed, pad=1)
        shape = packed.count, packed.width
        assert all(batch[name].shape == shape for name in ("input_ids", "token_type_ids", "position_ids", "sequence_ids"))
        for index, tokens, length in zip(packed.texts, batch["token_index"], batch["lengths"]):
            assert index not in seen
            seen.add(index)
            mine = tokens[:length]
            assert length == len(texts[index])
            assert (batch["input_ids"].flat[mine] == texts[index].input_ids).all()
            assert (batch["token_type_ids"].flat[mine] == texts[index].token_type_ids).all()
            assert (batch["position_ids"].flat[mine] == np.arange(length)).all()
            assert len(set(mine // packed.width)) == 1  # one row
            assert len(set(batch["sequence_ids"].flat[mine])) == 1 and batch["sequence_ids"].flat[mine[0]] > 0
        assert (batch["sequence_ids"] > 0).sum() == batch["lengths"].sum()
        assert (batch["input_ids"][batch["sequence_ids"] == 0] == 1).all()
    assert seen == set(range(len(texts)))


def test_sequences_of_a_row_differ():
    lengths = [20, 20, 20, 4]
    (packed,) = pack_texts(lengths, PackingLimits())
    batch = assemble(texts_of(lengths), packed)
    assert packed.width == 64 and packed.count == 1
    assert [int((batch["sequence_ids"] == n).sum()) for n in range(5)] == [0, 20, 20, 20, 4]


def test_little_padding_and_few_shapes():
    lengths = list(np.random.default_rng(0).geometric(0.06, 5000).clip(3, 250))
    batches = pack_texts(lengths, PackingLimits(2048))
    size = sum(packed.count * packed.width for packed in batches)
    assert 1 - sum(lengths) / size < 0.05
    assert len({(packed.count, packed.width) for packed in batches}) <= 6
    assert max(packed.count * packed.width for packed in batches) <= 2048


@pytest.mark.parametrize("pack", [True, False])
def test_few_empty_rows(pack):
    for texts in range(1, 200):
        batches = pack_texts([64] * texts, PackingLimits(2048 + 3 * 64, pack))
        assert sum(packed.count for packed in batches) <= texts * 17 / 16 + 1
        assert max(packed.count for packed in batches) <= 35


def test_last_batch_of_a_large_call_has_the_shape_of_the_others():
    assert {packed.count for packed in pack_texts([64] * 1000, PackingLimits(2048))} == {32}


def test_a_single_text_has_a_narrow_row():
    widths = {pack_texts([length], PackingLimits())[0].width for length in range(1, 513)}
    assert len(widths) <= 12
    assert all(pack_texts([length], PackingLimits())[0].width < length * 1.5 + 8 for length in range(1, 513))
    assert [round_width(n) for n in (1, 8, 9, 64, 65, 97, 129, 500)] == [8, 8, 16, 64, 96, 128, 192, 512]


def test_unpacked_rows_stay_within_the_positions():
    batches = pack_texts([37, 39, 40, 2], PackingLimits(100, pack=False, widest=40))
    assert max(packed.width for packed in batches) == 40
    assert all(len(row) == 1 for packed in batches for row in packed.rows)


def test_a_text_longer_than_the_budget_forms_a_batch():
    batches = pack_texts([3000, 5, 5], PackingLimits(1024))
    assert sum(len(row) for packed in batches for row in packed.rows) == 3
    assert max(packed.width for packed in batches) == 4096


def test_pooling_skips_a_prompt():
    text = TextIds(np.arange(10, dtype=np.int32), np.zeros(10, np.int32), skip=4)
    batch = assemble([text], pack_texts([10], PackingLimits())[0])
    assert batch["lengths"].tolist() == [6] and batch["token_index"][0].tolist() == [4, 5, 6, 7, 8, 9]
    assert (batch["sequence_ids"] > 0).sum() == 10  # tokens attend to the prompt

import numpy as np
import pytest

from tests.data.document_cases import VOCABULARY, make_documents
from tfplm.data.batches.batching import Batching, Pad, bucket_by_length, collate, of_prefix, token_pads, with_prefix
from tfplm.data.sequences.packing import full_sentences
from tfplm.data.sequences.recipes import Sequences, length_stages


def examples(count=3000, seed=0):  # mean 24 tokens
    lengths = np.clip(np.random.default_rng(seed).lognormal(3, 0.6, count).astype(int), 2, 200)
    return [{"input_ids": np.arange(n, dtype=np.int32) + 1, "label": np.int32(i)} for i, n in enumerate(lengths)]


def test_every_example_once_and_hardly_any_padding():
    batches = list(bucket_by_length(examples(10_000), Batching(2048, pool=50), np.random.default_rng(0)))
    assert sorted(np.concatenate([b["label"] for b in batches]).tolist()) == list(range(10_000))
    lengths = [len(example["input_ids"]) for example in examples(10_000)]
    for batch in batches:
        assert batch["input_ids"].size <= 2048
        real = [lengths[i] for i in batch["label"]]
        assert batch["attention_mask"].sum(1).tolist() == real
        assert [row[:n].tolist() for row, n in zip(batch["input_ids"], real)] == [list(range(1, n + 1)) for n in real]
        assert all(value.dtype == np.int32 for value in batch.values())
    padding = 1 - sum(lengths) / sum(b["input_ids"].size for b in batches)
    assert padding < 0.03, padding
    assert np.mean([b["input_ids"].size for b in batches[:-1]]) > 0.8 * 2048


@pytest.mark.parametrize("packing", ["framed", "stream", "full_sentences", "doc_sentences", "next", "order", "order3",
                                     "follow"])
def test_no_packing_pads_more_than_a_few_per_cent(packing):
    rng = np.random.default_rng(0)
    batches = list(bucket_by_length(Sequences(packing, 128).pack(make_documents(300), VOCABULARY, rng), Batching(4096),
                                    rng))
    real = sum(int(batch["attention_mask"].sum()) for batch in batches)
    assert 1 - real / sum(batch["input_ids"].size for batch in batches) < 0.03


def test_widths_multiples_and_rows():
    widths = (16, 32, 64, 128, 256)
    for batch in bucket_by_length(examples(), Batching(2048, widths=widths), np.random.default_rng(0)):
        assert batch["input_ids"].shape[1] in widths
    batches = list(bucket_by_length(examples(), Batching(2048, multiple=8, rows_multiple=4, drop_remainder=True)))
    assert all(b["input_ids"].shape[1] % 8 == 0 and len(b["label"]) % 4 == 0 for b in batches)
    with pytest.raises(ValueError, match="an example has 126 tokens; expected at most"):
        list(bucket_by_length(examples(), Batching(2048, widths=(16, 32))))


def test_seeded_order():
    orders = [[b["label"].tolist() for b in bucket_by_length(examples(), Batching(2048), np.random.default_rng(seed))]
              for seed in (0, 0, 1)]
    assert orders[0] == orders[1] != orders[2]
    widths = [b["input_ids"].shape[1] for b in bucket_by_length(examples(), Batching(2048), np.random.default_rng(0))]
    assert widths != sorted(widths) and widths != sorted(widths, reverse=True)


def test_one_long_example_and_none():
    (batch,) = bucket_by_length([{"input_ids": np.ones(500, np.int32)}], Batching(100))
    assert batch["input_ids"].shape == (1, 500)
    assert list(bucket_by_length([])) == []


def test_collate_pads_with_the_padding_token():
    batch = collate([{"input_ids": np.array([5, 6], np.int32)}, {"input_ids": np.array([7], np.int32)}], 3, token_pads(9))
    assert batch["input_ids"].tolist() == [[5, 6, 9], [7, 9, 9]]
    assert batch["attention_mask"].tolist() == [[1, 1, 0], [1, 0, 0]]


def test_features_with_two_tokenizations():
    """Each has a separate width, padding token and attention mask; other arrays are padded by their `Pad`."""
    own = [{"input_ids": np.arange(1, n, dtype=np.int32), "labels": np.int32(n)} for n in (3, 6)]
    other = [{"input_ids": np.arange(50, 50 + n, dtype=np.int32), "token_type_ids": np.ones(n, np.int32)} for n in (9, 2)]
    marks = [np.ones(n, np.int32) for n in (1, 2)]
    features = [{**one, **with_prefix(two, "teacher/"), "marks": mark} for one, two, mark in zip(own, other, marks)]
    pads = token_pads(0) | token_pads(7, "teacher/") | {"marks": Pad(-1)}
    batch = collate(features, lambda longest: -(-longest // 4) * 4, pads)
    assert set(batch) == {"input_ids", "attention_mask", "labels", "marks", "teacher/input_ids", "teacher/attention_mask",
                          "teacher/token_type_ids"}
    assert batch["input_ids"].tolist() == [[1, 2, 0, 0, 0, 0, 0, 0], [1, 2, 3, 4, 5, 0, 0, 0]]
    teacher = of_prefix(batch, "teacher/")
    assert teacher["input_ids"].shape == (2, 12) and teacher["input_ids"][1].tolist() == [50, 51] + [7] * 10
    assert teacher["attention_mask"].sum(1).tolist() == [9, 2] == teacher["token_type_ids"].sum(1).tolist()
    assert batch["attention_mask"].sum(1).tolist() == [2, 5] and batch["marks"].tolist() == [[1, -1], [1, 1]]


def test_two_tokenizations_in_buckets():
    rng = np.random.default_rng(0)
    features = [{"input_ids": np.ones(n, np.int32), "teacher/input_ids": np.ones(2 * n, np.int32)}
                for n in rng.integers(1, 40, 100)]
    pads = token_pads(0) | token_pads(5, "teacher/")
    for batch in bucket_by_length(features, Batching(200, multiple=8), rng, pads):
        width, other = batch["input_ids"].shape[1], batch["teacher/input_ids"].shape[1]
        longest = batch["attention_mask"].sum(1).max()
        assert (width, other) == (-(-longest // 8) * 8, -(-2 * longest // 8) * 8)
        assert (batch["teacher/input_ids"][batch["teacher/attention_mask"] == 0] == 5).all()


def test_length_curriculum():
    assert length_stages(100, 512) == [(25, 64), (25, 128), (25, 256), (25, 512)]
    assert length_stages(10, 128, shortest=32) == [(3, 32), (3, 64), (4, 128)]
    assert length_stages(5, 48) == [(5, 48)]
    assert sum(steps for steps, _ in length_stages(2, 512)) == 2


def test_unknown_packing():
    with pytest.raises(ValueError, match="packing is .*; expected one of framed, stream, full_sentences"):
        Sequences("tight").pack([], VOCABULARY, np.random.default_rng(0))
    assert list(full_sentences([], 10, VOCABULARY)) == []

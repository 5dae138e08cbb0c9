import numpy as np
import pytest

from tests.data.document_cases import VOCABULARY, make_documents
from tfplm.data.batches.batching import Batching, bucket_by_length, collate
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
    with pytest.raises(ValueError, match="an example has 126 tokens, more than the widest"):
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
    batch = collate([{"input_ids": np.array([5, 6], np.int32)}, {"input_ids": np.array([7], np.int32)}], 3, pad=9)
    assert batch["input_ids"].tolist() == [[5, 6, 9], [7, 9, 9]]
    assert batch["attention_mask"].tolist() == [[1, 1, 0], [1, 0, 0]]


def test_length_curriculum():
    assert length_stages(100, 512) == [(25, 64), (25, 128), (25, 256), (25, 512)]
    assert length_stages(10, 128, shortest=32) == [(3, 32), (3, 64), (4, 128)]
    assert length_stages(5, 48) == [(5, 48)]
    assert sum(steps for steps, _ in length_stages(2, 512)) == 2


def test_unknown_packing():
    with pytest.raises(ValueError, match="expected framed, stream, full_sentences"):
        Sequences("tight").pack([], VOCABULARY, np.random.default_rng(0))
    assert list(full_sentences([], 10, VOCABULARY)) == []

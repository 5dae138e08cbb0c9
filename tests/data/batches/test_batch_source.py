import functools
import itertools

import numpy as np
import pytest

from tests.data.document_cases import VOCABULARY, make_documents
from tests.data.noise.noise_cases import same
from tests.data.text_cases import make_text, write_vocabulary
from tfplm.data.batches.batch_source import (
    BatchSource,
    as_dataset,
    feature_batches,
    mixed_batches,
    shuffled,
    token_batches,
)
from tfplm.data.batches.batching import Batching
from tfplm.data.noise import Masking, mask_tokens, predict_next
from tfplm.data.records.build import records
from tfplm.data.records.reader import DocumentList, TokenRecords
from tfplm.data.sequences.recipes import Sequences

DOCUMENTS = DocumentList(make_documents(40), VOCABULARY)
MASK = functools.partial(mask_tokens, vocabulary=VOCABULARY, masking=Masking("word"))


def source(packing="next", noise=MASK, **keywords):
    return token_batches(DOCUMENTS, Sequences(packing, 64), noise, batching=Batching(1024, pool=4), **keywords)


def equal(a, b):
    return len(a) == len(b) and all(map(same, a, b))


def test_same_seed_same_batches_and_new_masks_in_each_epoch():
    first, again, other = (list(source(seed=seed).epoch(0)) for seed in (1, 1, 2))
    assert len(first) > 5 and equal(first, again) and not equal(first, other)
    assert not equal(first, list(source(seed=1).epoch(1)))
    assert all(value.dtype == np.int32 for batch in first for value in batch.values())


def test_a_sorted_file_is_shuffled_as_a_whole():
    examples = [{"input_ids": np.zeros(3 + number % 5, np.int32), "labels": np.int32(number >= 1000)}
                for number in range(2000)]
    made = BatchSource(shuffled(examples), Batching(batch_rows=10, pool=4), seed=1)
    first, again, other = (np.concatenate([batch["labels"] for batch in made.epoch(number)]) for number in (0, 0, 1))
    assert len(first) == 2000 and first.sum() == 1000 and np.array_equal(first, again) and not np.array_equal(first, other)
    for labels in np.split(first, 10):  # each tenth of the epoch has both labels
        assert 0.3 < labels.mean() < 0.7
    plain = BatchSource(shuffled(examples), Batching(batch_rows=10, pool=4), shuffle=False)
    assert np.concatenate([batch["labels"] for batch in plain.epoch(0)])[:40].sum() == 0


@pytest.mark.parametrize("packing", ["next", "framed", "full_sentences"])
def test_resume_in_the_middle_of_an_epoch(packing):
    whole = list(itertools.islice(source(packing).batches(), 40))
    for start in (1, 7, 25, 33):
        assert equal(list(itertools.islice(source(packing).batches(start), 40 - start)), whole[start:])
    run = source(packing)
    list(itertools.islice(run.batches(), 40))
    kept = source(packing, epoch_lengths=run.epoch_lengths)
    assert len(kept.epoch_lengths) >= 1
    assert equal(list(itertools.islice(kept.batches(33), 7)), whole[33:])


def test_epochs_end():
    run = source()
    one = len(list(run.batches(epochs=1)))
    assert run.epoch_lengths == [one]
    two = list(source().batches(epochs=2))
    assert one < len(two) < 2.3 * one
    assert list(source().batches(len(two), epochs=2)) == []


def test_evaluation_order_is_fixed():
    a, b = (list(source(shuffle=False).epoch(number)) for number in (0, 3))
    assert equal(a, b)


def test_shards_share_the_documents():
    parts = [list(source("doc_sentences", None, shard=(index, 3)).epoch(0)) for index in range(3)]
    seen = [{int(token) // 2000 for batch in part for token in batch["input_ids"].ravel() if token >= 2000}
            for part in parts]
    assert set.union(*seen) == set(range(1, 41)) and sum(map(len, seen)) == 40


def test_every_token_once_in_a_framed_epoch():
    tokens = np.concatenate([batch["input_ids"].ravel() for batch in source("framed", None).epoch(0)])
    tokens = np.sort(tokens[tokens >= 2000])
    everything = np.sort(np.concatenate([document.ids for document in DOCUMENTS.documents]))
    assert len(np.unique(tokens)) == len(tokens) and len(everything) - len(tokens) < 64
    assert np.isin(tokens, everything).all()


def test_dataset():
    import tensorflow as tf

    run = source()
    dataset = run.dataset(epochs=1)
    assert isinstance(dataset, tf.data.Dataset)
    assert dataset.element_spec["input_ids"] == tf.TensorSpec([None, None], tf.int32)
    assert dataset.element_spec["next_sentence_labels"] == tf.TensorSpec([None], tf.int32)
    expected = list(source().batches(epochs=1))
    for _ in range(2):
        assert equal(list(dataset.as_numpy_iterator()), expected)
    later = list(source().dataset(start=5, epochs=1).as_numpy_iterator())
    assert equal(later, expected[5:])
    assert len(list(source().dataset().take(len(expected) + 3))) == len(expected) + 3, "epoch after epoch"
    with pytest.raises(ValueError, match="there is no batch to train on"):
        as_dataset(lambda: iter([]))


def test_too_small_a_corpus():
    tiny = token_batches(DocumentList([], VOCABULARY), Sequences("framed", 64))
    with pytest.raises(ValueError, match="the corpus has too few tokens for one batch; expected at least one"):
        list(itertools.islice(tiny.batches(), 1))


@pytest.fixture
def text_records(tmp_path):
    (tmp_path / "text.txt").write_text(make_text(200), encoding="utf-8")

    def make(**options):
        records(text=[str(tmp_path / "text.txt")], tokenizer=write_vocabulary(tmp_path / "vocab.txt"), quiet=True,
                processes=1, shard_megabytes=0.006, output=str(tmp_path / "out"), **options)
        return tmp_path / "out"

    return make


def test_from_records(text_records):
    reader = TokenRecords(text_records())
    run = token_batches(reader, Sequences("stream", 32), predict_next, batching=Batching(256), seed=3)
    batches = list(run.epoch(0))
    real = sum(int(batch["attention_mask"].sum()) for batch in batches)
    assert reader.tokens <= real <= reader.tokens + 200 or real > 0.97 * reader.tokens
    assert equal(batches, list(token_batches(TokenRecords(reader.folder), Sequences("stream", 32), predict_next,
                                             batching=Batching(256), seed=3).epoch(0)))


def test_static_features(text_records):
    folder = text_records(layout="bert", max_length=48, repeats=2)
    files = sorted(str(file) for file in folder.glob("train-*"))
    run = feature_batches(files, batching=Batching(1024), seed=1)
    batches = list(run.epoch(0))
    count = sum(len(batch["input_ids"]) for batch in batches)
    assert set(batches[0]) == {"input_ids", "attention_mask", "token_type_ids", "masked_lm_positions", "masked_lm_ids",
                               "masked_lm_weights", "next_sentence_labels"}
    assert all(value.dtype == np.int32 for batch in batches for value in batch.values())
    assert equal(batches, list(feature_batches(files, batching=Batching(1024), seed=1).epoch(0)))
    halves = [sum(len(batch["input_ids"]) for batch in feature_batches(files, (i, 2)).epoch(0)) for i in range(2)]
    assert sum(halves) == count
    padding = 1 - sum(b["attention_mask"].sum() for b in batches) / sum(b["attention_mask"].size for b in batches)
    assert padding < 0.05


def test_tasks_are_mixed_by_weight():
    sources = {"pairs": source("next"), "language": source("stream", predict_next)}
    names = [name for name, _ in itertools.islice(mixed_batches(sources, {"pairs": 3, "language": 1}), 300)]
    assert abs(names.count("pairs") / 300 - 0.75) < 0.06
    whole = list(itertools.islice(mixed_batches(sources, {"pairs": 3, "language": 1}), 30))
    later = list(itertools.islice(mixed_batches(sources, {"pairs": 3, "language": 1}, start=20), 10))
    assert [name for name, _ in whole[20:]] == [name for name, _ in later]
    assert equal([batch for _, batch in whole[20:]], [batch for _, batch in later])
    with pytest.raises(ValueError, match="expected a number above 0 for each of pairs, language"):
        mixed_batches(sources, {"pairs": 1})


@pytest.mark.parametrize("packing", ["framed", "stream", "full_sentences", "doc_sentences", "next", "order", "order3",
                                     "follow"])
def test_columns_of_documents_follow_their_tokens(packing):
    """Every packing keeps the values of the tokens of documents; special tokens and padding have 0."""
    columns = {"twice": lambda document: document.ids * 2, "place": lambda document: np.arange(len(document))}
    made = token_batches(DOCUMENTS, Sequences(packing, 64), columns=columns, batching=Batching(1024), seed=1)
    plain = token_batches(DOCUMENTS, Sequences(packing, 64), batching=Batching(1024), seed=1)
    for batch, other in zip(made.epoch(0), plain.epoch(0), strict=True):
        ordinary = ~VOCABULARY.is_special(batch["input_ids"]) & (batch["attention_mask"] == 1)
        np.testing.assert_array_equal(batch["twice"], batch["input_ids"] * 2 * ordinary)
        assert batch["place"].dtype == np.int32 and not batch["place"][~ordinary].any()
        within = ordinary[:, 1:] & ordinary[:, :-1]
        assert (np.diff(batch["place"], axis=1)[within] == 1).all()
        assert same({key: value for key, value in batch.items() if key not in columns}, other)

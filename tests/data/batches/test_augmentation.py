import functools

import numpy as np
import pytest

from tfplm.data.batches.augmentation import (
    changeable,
    cut_span,
    cut_tokens,
    mask_at_random,
    nearest_embeddings,
    replace_tokens,
    sample_ngrams,
    table_neighbours,
)
from tfplm.data.batches.batch_source import BatchSource
from tfplm.data.batches.batching import Batching
from tfplm.data.noise.vocabulary import NoiseVocabulary

PAD, CLS, SEP, MASK, SIZE = 0, 1, 2, 3, 100
VOCABULARY = NoiseVocabulary(SIZE, PAD, MASK, CLS, SEP, SEP, specials=(PAD, CLS, SEP, MASK))


def make_batch(rows=400, width=43, seed=0):
    """Pairs: [CLS] a [SEP] b [SEP], padded."""
    rng = np.random.default_rng(seed)
    ids, mask, types = (np.zeros((rows, width), np.int32) for _ in range(3))
    for row in range(rows):
        one, two = rng.integers(1, 21, 2)
        length = one + two + 3
        ids[row, :length] = np.r_[CLS, rng.integers(4, SIZE, one), SEP, rng.integers(4, SIZE, two), SEP]
        mask[row, :length], types[row, one + 2:length] = 1, 1
    return {"input_ids": ids, "attention_mask": mask, "token_type_ids": types,
            "label": rng.integers(0, 2, rows).astype(np.int32)}


@pytest.fixture
def batch():
    made = make_batch()
    for value in made.values():
        value.flags.writeable = False  # nothing is changed in place
    return made


CHANGES = {"mask": mask_at_random, "ngram": functools.partial(sample_ngrams, rate=0.5), "token": cut_tokens,
           "span": cut_span,
           "replace": functools.partial(replace_tokens, neighbours=table_neighbours(np.full((SIZE, 2), 7)))}


@pytest.mark.parametrize("name", CHANGES)
def test_seeded_and_special_tokens_are_kept(batch, name):
    change = functools.partial(CHANGES[name], vocabulary=VOCABULARY)
    one, two = (change(batch, np.random.default_rng(1)) for _ in range(2))
    other = change(batch, np.random.default_rng(2))
    assert all(np.array_equal(one[key], two[key]) for key in batch)
    assert not all(np.array_equal(one[key], other[key]) for key in batch)
    assert np.array_equal(one["label"], batch["label"]) and set(one) == set(batch)
    assert all(one[key].dtype == np.int32 and one[key].shape == batch[key].shape for key in batch)
    for token in (CLS, SEP):
        assert ((one["input_ids"] == token).sum(1) == (batch["input_ids"] == token).sum(1)).all()
    real = one["attention_mask"].astype(bool)
    ids = one["input_ids"]
    assert real[(ids == CLS) | (ids == SEP)].all() and not real[ids == PAD].any()


def test_masks(batch):
    ids = mask_at_random(batch, np.random.default_rng(0), VOCABULARY, 0.3)["input_ids"]
    text, changed = changeable(batch, VOCABULARY), ids != batch["input_ids"]
    assert (ids[changed] == MASK).all() and not changed[~text].any()
    assert abs(changed.sum() / text.sum() - 0.3) < 0.02
    with pytest.raises(ValueError, match="mask"):
        mask_at_random(batch, np.random.default_rng(0), NoiseVocabulary(SIZE), 0.3)


def test_replacement_by_a_table(batch):
    table = np.stack([(np.arange(SIZE) + 1) % SIZE, (np.arange(SIZE) + 2) % SIZE, np.full(SIZE, -1)], 1)
    ids = replace_tokens(batch, np.random.default_rng(0), VOCABULARY, table_neighbours(table), 0.6)["input_ids"]
    text = changeable(batch, VOCABULARY)
    steps = (ids - batch["input_ids"])[text] % SIZE
    shares = np.bincount(steps, minlength=3) / len(steps)
    assert np.allclose(shares[:3], [0.6, 0.2, 0.2], atol=0.02) and shares[3:].sum() == 0


def test_replacement_by_context(batch):
    def left(batch, chosen, rng):  # the token before it
        return np.roll(batch["input_ids"], 1, axis=1)[chosen]

    ids = replace_tokens(batch, np.random.default_rng(0), VOCABULARY, left, 1.0)["input_ids"]
    text = changeable(batch, VOCABULARY)
    assert np.array_equal(ids[text], np.roll(batch["input_ids"], 1, axis=1)[text])
    with pytest.raises(ValueError, match=r"neighbours returned an array \[3\]; expected an id for each of the \d+ pos"):
        replace_tokens(batch, np.random.default_rng(0), VOCABULARY, lambda *_: np.arange(3), 0.5)


def test_nearest_embeddings():
    angles = np.radians([0, 5, 20, 90, 100, 175])
    vectors = np.stack([np.cos(angles), np.sin(angles)], 1) * np.array([1, 9, 1, 1, 3, 1])[:, None]
    assert nearest_embeddings(vectors, 2).tolist() == [[1, 2], [0, 2], [1, 0], [4, 2], [3, 5], [4, 3]]
    groups = np.array([0, 1, 0, 1, 0, -1])
    assert nearest_embeddings(vectors, 2, groups).tolist() == [[2, -1], [3, -1], [0, 4], [1, -1], [2, -1], [-1, -1]]
    assert nearest_embeddings(vectors, 2, least=0.9).tolist() == [[1, 2], [0, 2], [1, 0], [4, -1], [3, -1], [-1, -1]]
    rng = np.random.default_rng(0)
    many = rng.normal(size=(2500, 8))
    cosine = many @ many.T / np.outer(*[np.linalg.norm(many, axis=1)] * 2) - 9 * np.eye(2500)
    assert np.array_equal(nearest_embeddings(many, 3), np.argsort(-cosine, 1)[:, :3])


def texts(batch, row):
    """The tokens of both texts of a row."""
    ids = batch["input_ids"][row][1:int(batch["attention_mask"][row].sum()) - 1].tolist()
    return ids[:ids.index(SEP)], ids[ids.index(SEP) + 1:]


def test_ngrams(batch):
    labelled = {**batch, "tag_ids": batch["input_ids"] * 10, "tag_mask": changeable(batch, VOCABULARY).astype(np.int32)}
    found = sample_ngrams(labelled, np.random.default_rng(0), VOCABULARY, 0.4, 3)
    sizes, cut, long = [], 0, 0
    for row in range(len(batch["input_ids"])):
        before, after = texts(batch, row), texts(found, row)
        for one, two in zip(before, after):
            assert any(one[place:place + len(two)] == two for place in range(len(one)))
            sizes += [len(two)] if before != after and len(one) > 3 else []
        long += max(map(len, before)) > 3  # others can be reduced to themselves
        cut += before != after and max(map(len, before)) > 3
    assert abs(cut / long - 0.4) < 0.06
    assert np.allclose(np.bincount(sizes)[1:] / len(sizes), [1 / 3] * 3, atol=0.07)
    assert np.array_equal(found["tag_ids"], found["input_ids"] * 10)
    assert np.array_equal(found["tag_mask"], changeable(found, VOCABULARY).astype(np.int32))
    with pytest.raises(ValueError, match="the batch has positions of tokens: start, end; n-gram sampling moves tokens"):
        sample_ngrams({**batch, "start": 1, "end": 2}, np.random.default_rng(0), VOCABULARY)


def test_cut_offs(batch):
    text = changeable(batch, VOCABULARY)
    for change in (cut_tokens, cut_span):
        found = change(batch, np.random.default_rng(0), VOCABULARY, 0.3)
        hidden = (batch["attention_mask"] == 1) & (found["attention_mask"] == 0)
        assert not (hidden & ~text).any() and np.array_equal(found["input_ids"], batch["input_ids"])
        assert np.array_equal(hidden.sum(1), np.rint(text.sum(1) * 0.3))
        if change is cut_span:  # without special tokens, the hidden tokens of a row are contiguous
            edges = [np.abs(np.diff(np.r_[0, row[keep].astype(int), 0])).sum() for row, keep in zip(hidden, text)]
            assert edges == (2 * hidden.any(1)).tolist()
    rows = {key: np.repeat(value[:1], 3000, 0) for key, value in batch.items()}
    hidden = cut_tokens(rows, np.random.default_rng(0), VOCABULARY, 0.5)["attention_mask"] == 0
    share = hidden[:, text[0]].mean(0)
    assert np.abs(share - share.mean()).max() < 0.05  # all tokens have the same probability


def test_as_noise_of_a_source():
    made = make_batch(16)
    examples = [{"input_ids": ids[mask == 1], "token_type_ids": types[mask == 1]} for ids, mask, types in
                zip(made["input_ids"], made["attention_mask"], made["token_type_ids"])]
    noise = functools.partial(cut_tokens, vocabulary=VOCABULARY, rate=0.5)
    source = BatchSource(lambda epoch, rng: examples, Batching(batch_tokens=200), noise=noise, shuffle=True)
    first, again = list(source.epoch(0)), list(source.epoch(0))
    assert all(np.array_equal(a["attention_mask"], b["attention_mask"]) for a, b in zip(first, again))
    assert any((batch["attention_mask"] == 0).any() for batch in first)

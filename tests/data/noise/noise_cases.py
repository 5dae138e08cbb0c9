"""Batches and measures shared by the noise tests."""

import numpy as np

from tfplm.data.noise import NoiseVocabulary

PAD, CLS, SEP, MASK, SIZE = 0, 2, 3, 4, 5000
VOCABULARY = NoiseVocabulary(SIZE, PAD, MASK, CLS, SEP, SEP, sentinels=tuple(range(SIZE - 1, SIZE - 101, -1)),
                             specials=(1,))


def make_batch(rows=64, width=128, seed=0, shortest=None, ids="random"):
    """[CLS] tokens [SEP] tokens [SEP] padding; words of 1 to 3 tokens, sentences of about 12."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(shortest or width, width + 1, rows)
    columns = np.arange(width)
    real = columns < lengths[:, None]
    body = rng.integers(10, SIZE - 200, (rows, width)) if ids == "random" else columns + 10 + np.zeros((rows, 1), int)
    middle = lengths // 2
    types = (columns > middle[:, None]) & real
    ids = np.where(columns == 0, CLS, np.where(columns == lengths[:, None] - 1, SEP, body))
    ids = np.where(columns == middle[:, None], SEP, ids)
    batch = {"input_ids": np.where(real, ids, PAD), "attention_mask": real, "token_type_ids": types,
             "word_starts": (rng.random((rows, width)) < 0.7) | (columns < 2),
             "sentence_ids": np.cumsum(rng.random((rows, width)) < 1 / 12, 1)}
    return {key: value.astype(np.int32) for key, value in batch.items()}


def plain_batch(rows=64, width=128, seed=0, shortest=None):
    """[CLS] tokens [SEP] padding, the tokens of a row all different and in ascending order."""
    batch = make_batch(rows, width, seed, shortest, ids="ascending")
    inner = (batch["input_ids"] == SEP) & (np.arange(width) < batch["attention_mask"].sum(1)[:, None] - 1)
    batch["input_ids"] = np.where(inner, np.arange(width, dtype=np.int32) + 10, batch["input_ids"])
    batch["token_type_ids"][:] = 0
    return batch


def copy(batch):
    return {key: value.copy() for key, value in batch.items()}


def same(a, b):
    return set(a) == set(b) and all(np.array_equal(a[key], b[key]) for key in a)


def chi_square(counts, probabilities):
    """Pearson's statistic divided by its degrees of freedom: about 1 if the counts follow the probabilities."""
    counts, expected = np.asarray(counts, float), np.asarray(probabilities) * np.sum(counts)
    return ((counts - expected) ** 2 / expected).sum() / (len(counts) - 1)

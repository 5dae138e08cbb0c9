import functools

import numpy as np
import pytest

from tests.data.noise.noise_cases import VOCABULARY, copy, make_batch, same
from tfplm.data.noise import (
    Masking,
    NoiseVocabulary,
    PhraseTable,
    corrupt_spans,
    delete_tokens,
    denoise,
    infill_text,
    join_phrases,
    mask_segment,
    mask_tokens,
    mix_policies,
    permute_sentences,
    predict_next,
    rotate_document,
)
from tfplm.data.noise.rows import choose_exactly, gather_left

NOISES = {
    **{f"mask {unit}": functools.partial(mask_tokens, masking=Masking(unit))
       for unit in ("token", "word", "ngram", "span")},
    "t5": corrupt_spans, "mass": mask_segment, "unilm": mix_policies, "deletion": delete_tokens,
    "infilling": infill_text, "permutation": permute_sentences, "rotation": rotate_document, "bart": denoise,
    "all of bart": functools.partial(denoise, kinds=("permutation", "rotation", "deletion", "masking", "infilling")),
    "next": predict_next,
}


@pytest.mark.parametrize("name", NOISES)
def test_pure_seeded_int32(name):
    batch = make_batch(shortest=20)
    before = copy(batch)
    first, again, other = (NOISES[name](batch, np.random.default_rng(seed), VOCABULARY) for seed in (5, 5, 6))
    assert same(batch, before), "the input was changed"
    assert same(first, again)
    assert name == "next" or not same(first, other)
    assert all(value.dtype == np.int32 for value in first.values()), {k: v.dtype for k, v in first.items()}
    assert all(len(value) == len(batch["input_ids"]) for value in first.values())


@pytest.mark.parametrize("name", NOISES)
@pytest.mark.parametrize("rows,width,shortest", [(1, 5, 5), (3, 6, 5), (2, 17, 5), (7, 64, 5)])
def test_small_and_ragged_rows(name, rows, width, shortest):
    for seed in range(20):
        batch = make_batch(rows, width, seed, shortest)
        result = NOISES[name](batch, np.random.default_rng(seed), VOCABULARY)
        ids, mask = result["input_ids"], result["attention_mask"]
        assert ids.shape == mask.shape and ids.min() >= 0 and ids.max() < VOCABULARY.size
        assert (np.diff(mask, axis=1) <= 0).all(), "padding is on the right"
        assert (ids[mask == 0] == VOCABULARY.pad).all()


def test_choose_exactly():
    rng = np.random.default_rng(0)
    candidates = rng.random((50, 40)) < 0.5
    count = rng.integers(0, 30, 50)
    chosen = choose_exactly(candidates, count, rng)
    assert not (chosen & ~candidates).any()
    assert np.array_equal(chosen.sum(1), np.minimum(count, candidates.sum(1)))
    often = sum(choose_exactly(np.ones((1000, 6), bool), np.full(1000, 2), rng).sum(0) for _ in range(10))
    assert abs(often / 10_000 - 2 / 6).max() < 0.015


def test_gather_left():
    keep = np.array([[1, 0, 1, 1], [0, 0, 0, 1], [0, 0, 0, 0]], bool)
    values = np.arange(12).reshape(3, 4)
    (left,) = gather_left(keep, 2, values, fill=-1)
    assert left.tolist() == [[0, 2], [7, -1], [-1, -1]]


def test_vocabulary():
    again = NoiseVocabulary(**VOCABULARY.to_json())
    assert again == VOCABULARY
    assert again.is_special(np.array([[0, 1, 2, 3, 4, 5, 4999]])).tolist() == [[True] * 5 + [False, True]]
    with pytest.raises(ValueError, match=r"needs the special token\(s\) mask, which the vocabulary lacks"):
        mask_tokens(make_batch(), np.random.default_rng(0), NoiseVocabulary(5000, 0, -1, 2, 3, 3))
    with pytest.raises(IndexError):
        again.is_special(np.array([[5000]]))


def test_phrases_become_words():
    # 北京 大学 is one entity of the list, 大学 another, 学生 overlaps an earlier match
    ids = np.array([[2, 10, 11, 12, 13, 14, 3, 0], [2, 12, 13, 20, 13, 14, 3, 0]], np.int32)
    table = PhraseTable([[10, 11, 12, 13], [12, 13], [13, 14], [20]])
    batch = {"input_ids": ids, "attention_mask": (ids > 0).astype(np.int32), "token_type_ids": np.zeros_like(ids)}
    starts = join_phrases(batch, table)["word_starts"]
    assert starts.tolist() == [[1, 1, 0, 0, 0, 1, 1, 1], [1, 1, 0, 1, 1, 0, 1, 1]]
    assert "word_starts" not in batch
    masked = mask_tokens(join_phrases(batch, table), np.random.default_rng(0), VOCABULARY,
                         Masking("word", rate=0.6, mask_share=1.0, random_share=0.0))
    whole = [set(p[w == 1]) for p, w in zip(masked["masked_lm_positions"], masked["masked_lm_weights"])]
    assert whole[0] in ({1, 2, 3, 4}, {5})
    assert all(len(phrase & whole[1]) in (0, 2) for phrase in ({1, 2}, {4, 5}))
    assert PhraseTable([]).hashes == {}
    assert np.array_equal(join_phrases(batch, PhraseTable([list(range(50))]))["word_starts"], np.ones_like(ids))

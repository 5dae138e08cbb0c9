import numpy as np
import pytest

from tests.data.noise.noise_cases import MASK, SIZE, VOCABULARY, chi_square, make_batch, plain_batch
from tfplm.data.noise import Masking, mask_tokens
from tfplm.data.noise.masking import choose
from tfplm.data.noise.spans import geometric, inverse_rank
from tfplm.data.noise.words import find_words

UNITS = ("token", "word", "ngram", "span")


def restored(noisy, original):
    """Returns True if the noisy ids with every label put back are the original."""
    ids = noisy["input_ids"].copy()
    rows, columns = np.nonzero(noisy["masked_lm_weights"])
    ids[rows, noisy["masked_lm_positions"][rows, columns]] = noisy["masked_lm_ids"][rows, columns]
    return np.array_equal(ids, original["input_ids"])


def masked_positions(noisy, width):
    masked = np.zeros((len(noisy["input_ids"]), width), bool)
    rows, columns = np.nonzero(noisy["masked_lm_weights"])
    masked[rows, noisy["masked_lm_positions"][rows, columns]] = True
    return masked


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("seed", range(5))
def test_rules_of_bert(unit, seed):
    batch = make_batch(shortest=16, seed=seed)
    limit = 15
    noisy = mask_tokens(batch, np.random.default_rng(seed), VOCABULARY, Masking(unit, max_predictions=limit))
    assert restored(noisy, batch)
    masked = masked_positions(noisy, 128)
    assert not VOCABULARY.is_special(batch["input_ids"])[masked].any()
    positions, weights = noisy["masked_lm_positions"], noisy["masked_lm_weights"]
    assert positions.shape == weights.shape == (64, limit)
    assert (np.diff(weights, axis=1) <= 0).all()
    assert (np.diff(np.where(weights == 1, positions, 1000), axis=1)[weights[:, 1:] == 1] > 0).all()
    assert (noisy["masked_lm_ids"][weights == 0] == 0).all() and (positions[weights == 0] == 0).all()
    lengths = batch["attention_mask"].sum(1)
    budget = np.minimum(np.maximum(np.rint(lengths * 0.15), 1), limit)
    assert (weights.sum(1) <= budget).all()
    if unit == "token":
        assert np.array_equal(weights.sum(1), budget)
    else:
        assert (weights.sum(1) >= budget - 2).mean() > 0.97  # the next word of up to 3 tokens may not fit


def test_share_of_masks_random_and_kept():
    batch = make_batch(400)
    for unit in UNITS:
        noisy = mask_tokens(batch, np.random.default_rng(1), VOCABULARY, Masking(unit))
        masked = masked_positions(noisy, 128)
        before, after = batch["input_ids"][masked], noisy["input_ids"][masked]
        kinds = [(after == MASK).sum(), ((after != MASK) & (after != before)).sum(), (after == before).sum()]
        # the tokens of a span share one draw: fewer independent draws, a wider band
        assert chi_square(kinds, [0.8, 0.1, 0.1]) < (6 if unit != "span" else 25), (unit, kinds)
        random = after[(after != MASK) & (after != before)]
        assert random.min() < SIZE * 0.02 and random.max() > SIZE * 0.98
        assert chi_square(np.histogram(random, 10, (0, SIZE))[0], np.full(10, 0.1)) < 3
        assert not (noisy["input_ids"] != batch["input_ids"])[~masked].any()


def test_all_positions_are_equally_likely():
    batch = plain_batch(2000, 34)
    counts = masked_positions(mask_tokens(batch, np.random.default_rng(0), VOCABULARY), 34).sum(0)
    assert counts[0] == counts[33] == 0
    assert chi_square(counts[1:33], np.full(32, 1 / 32)) < 1.8


def test_word_masks_are_whole():
    batch = make_batch(200, shortest=40)
    noisy = mask_tokens(batch, np.random.default_rng(0), VOCABULARY, Masking("word"))
    masked = masked_positions(noisy, 128)
    words = find_words(VOCABULARY.is_special(batch["input_ids"]), batch["word_starts"])
    for row in range(200):
        for word in range(words.count[row]):
            inside = masked[row, words.index[row] == word]
            assert inside.all() or not inside.any()


def test_token_unit_ignores_words_and_word_unit_without_flags_is_token():
    batch = make_batch()
    flagless = {key: value for key, value in batch.items() if key != "word_starts"}
    noisy = mask_tokens(flagless, np.random.default_rng(0), VOCABULARY, Masking("word"))
    assert np.array_equal(noisy["masked_lm_weights"].sum(1), np.full(64, 19))


def runs(batch, masking, seed):
    """The lengths in words of the spans drawn; asserts that each is one run of whole words."""
    span = choose(batch, np.random.default_rng(seed), VOCABULARY, masking)
    words = find_words(VOCABULARY.is_special(batch["input_ids"]), batch["word_starts"])
    lengths = []
    for row in range(len(span)):
        for number in range(1, span[row].max() + 1):
            positions = np.flatnonzero(span[row] == number)
            assert np.array_equal(positions, np.arange(positions[0], positions[-1] + 1)), "a span has no gaps"
            touched = np.unique(words.index[row, positions])
            assert np.isin(words.index[row], touched).sum() == len(positions), "words are whole"
            lengths.append(len(touched))
    return np.array(lengths)


@pytest.mark.parametrize("unit,probabilities,mean", [("ngram", inverse_rank(3), 18 / 11),
                                                     ("span", geometric(0.2, 10), 3.8)])
def test_span_lengths_follow_the_paper(unit, probabilities, mean):
    # long rows: the last span of a row is shortened to fit the budget
    lengths = runs(make_batch(40, 4000), Masking(unit, rate=0.1, max_predictions=1000), 0)
    assert len(lengths) > 2000
    assert abs(lengths.mean() - mean) < 0.03 * mean
    counts = np.bincount(lengths, minlength=len(probabilities) + 1)[1:]
    assert len(counts) == len(probabilities)
    assert abs(counts / counts.sum() - probabilities).max() < 0.02


def test_mean_of_spanbert():
    assert abs((geometric(0.2, 10) * np.arange(1, 11)).sum() - 3.8) < 0.01
    assert np.allclose(inverse_rank(3), [6 / 11, 3 / 11, 2 / 11])


def test_spans_do_not_cross_special_tokens_and_report_their_boundaries():
    batch = make_batch(200)
    noisy = mask_tokens(batch, np.random.default_rng(3), VOCABULARY, Masking("span"))
    real = noisy["masked_lm_weights"] == 1
    starts, ends, positions = noisy["span_starts"], noisy["span_ends"], noisy["masked_lm_positions"]
    assert (starts[real] < positions[real]).all() and (positions[real] < ends[real]).all()
    assert (starts[~real] == 0).all() and (ends[~real] == 0).all()
    special = VOCABULARY.is_special(batch["input_ids"])
    for row, column in zip(*np.nonzero(real)):
        assert not special[row, starts[row, column] + 1:ends[row, column]].any()
        inside = np.arange(starts[row, column] + 1, ends[row, column])
        assert np.isin(inside, positions[row][real[row]]).all()


def test_the_tokens_of_a_span_are_replaced_in_the_same_way():
    batch = make_batch(200)
    noisy = mask_tokens(batch, np.random.default_rng(3), VOCABULARY, Masking("span"))
    real = noisy["masked_lm_weights"] == 1
    kinds = {}
    for row, column in zip(*np.nonzero(real)):
        position, key = noisy["masked_lm_positions"][row, column], (row, noisy["span_starts"][row, column])
        before, after = batch["input_ids"][row, position], noisy["input_ids"][row, position]
        kinds.setdefault(key, []).append("mask" if after == MASK else "kept" if after == before else "random")
    assert all(len(set(kind)) == 1 for kind in kinds.values())
    assert {kind[0] for kind in kinds.values()} == {"mask", "kept", "random"}


def test_bad_settings():
    for settings, message in (({"unit": "letter"}, "expected token, word, ngram or span"),
                              ({"rate": 0.0}, "rate must lie between 0 and 1"),
                              ({"mask_share": 0.9, "random_share": 0.2}, "add up to at most 1")):
        with pytest.raises(ValueError, match=message):
            Masking(**settings)

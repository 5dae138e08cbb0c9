import numpy as np
import pytest

from tests.data.noise.noise_cases import CLS, MASK, SEP, VOCABULARY, chi_square, make_batch, plain_batch
from tfplm.data.noise import (
    corrupt_spans,
    delete_tokens,
    denoise,
    infill_text,
    mask_segment,
    mix_policies,
    permute_sentences,
    predict_next,
    raw_length,
    rotate_document,
    target_length,
)
from tfplm.data.noise.denoising import _draw_span_words
from tfplm.data.noise.sentinels import span_mask
from tfplm.data.noise.words import find_words


def rows_of(batch, ids="input_ids", mask="attention_mask"):
    return [row[:length].tolist() for row, length in zip(batch[ids], batch[mask].sum(1))]


def test_permutation_keeps_sentences_whole():
    batch = plain_batch(300, 64, shortest=30)
    noisy = permute_sentences(batch, np.random.default_rng(0), VOCABULARY)
    moved = 0
    for row, (old, new) in enumerate(zip(rows_of(batch), rows_of(noisy))):
        assert sorted(old) == sorted(new) and new[0] == CLS and new[-1] == SEP
        sentence_ids = batch["sentence_ids"][row][1:len(old) - 1]
        sentences = [[t for t, n in zip(old[1:-1], sentence_ids) if n == k] for k in np.unique(sentence_ids)]
        starts = [new.index(sentence[0]) for sentence in sentences]
        assert all(new[s:s + len(x)] == x for s, x in zip(starts, sentences))
        moved += starts != sorted(starts)
    assert moved > 200


def test_permutations_are_equally_likely():
    batch = plain_batch(6000, 11)
    batch["sentence_ids"] = np.broadcast_to(np.array([0] * 4 + [1] * 3 + [2] * 4, np.int32), (6000, 11))
    noisy = permute_sentences(batch, np.random.default_rng(1), VOCABULARY)["input_ids"]
    _, counts = np.unique(noisy, axis=0, return_counts=True)
    assert len(counts) == 6 and chi_square(counts, np.full(6, 1 / 6)) < 2.5


def test_rotation():
    batch = plain_batch(4000, 12)
    noisy = rotate_document(batch, np.random.default_rng(0), VOCABULARY)
    body, turned = batch["input_ids"][0][1:-1].tolist(), [row[1:-1] for row in rows_of(noisy)]
    pivots = [body.index(row[0]) for row in turned]
    assert all(row == body[p:] + body[:p] for row, p in zip(turned, pivots))
    assert chi_square(np.bincount(pivots, minlength=10), np.full(10, 0.1)) < 2.2
    ragged = plain_batch(50, 64, shortest=10)
    for old, new in zip(rows_of(ragged), rows_of(rotate_document(ragged, np.random.default_rng(0), VOCABULARY))):
        assert (new[0], new[-1]) == (CLS, SEP) and sorted(old) == sorted(new)


def test_deletion():
    batch = plain_batch(200, 128, shortest=40)
    noisy = delete_tokens(batch, np.random.default_rng(0), VOCABULARY)
    for old, new in zip(rows_of(batch), rows_of(noisy)):
        assert len(old) - len(new) == round((len(old) - 2) * 0.15)
        assert new == [token for token in old if token in set(new)], "order and special tokens stay"
        assert (new[0], new[-1]) == (CLS, SEP)


def infilled_gaps(old, new):
    """The number of tokens that each [MASK] replaces; checks that the other tokens are those of the original."""
    gaps, position = [], 0
    for index, token in enumerate(new):
        if token == MASK:
            following = next((t for t in new[index + 1:] if t != MASK), None)
            end = old.index(following) if following is not None else len(old)
            several = new[index + 1:index + 2] == [MASK]
            if not several:
                gaps.append(end - position)
                position = end
        else:
            assert old[position] == token
            position += 1
    assert position == len(old)
    return gaps


def test_infilling_keeps_the_other_tokens():
    for starts in (True, False):
        batch = plain_batch(300, 128, shortest=12)
        if not starts:
            del batch["word_starts"]
        noisy = infill_text(batch, np.random.default_rng(0), VOCABULARY)
        words = find_words(VOCABULARY.is_special(batch["input_ids"]), batch.get("word_starts"))
        for row, (old, new) in enumerate(zip(rows_of(batch), rows_of(noisy))):
            infilled_gaps(old, new)
            replaced = [old.index(token) for token in old if token not in set(new)]
            count = words.count[row]
            assert len(np.unique(words.index[row, replaced])) == max(1, round(count * 0.3)), "30 % of the words"
            assert np.isin(words.index[row], words.index[row, replaced]).sum() == len(replaced), "whole words"


def test_infilling_lengths_are_poisson():
    lengths, count = _draw_span_words(np.full(500, 400), 3.0, np.random.default_rng(0))
    assert (lengths.sum(1) == 400).all()
    drawn = np.concatenate([row[:n - 1] for row, n in zip(lengths, count)])  # the last one is trimmed
    poisson = [np.exp(-3) * 3.0 ** k / np.prod(np.arange(1, k + 1)) for k in range(9)]
    counts = np.bincount(drawn, minlength=9)[:9]
    assert abs(counts / len(drawn) - poisson).max() < 0.005
    batch = plain_batch(200, 512)
    del batch["word_starts"]
    noisy = infill_text(batch, np.random.default_rng(1), VOCABULARY)
    masks = (noisy["input_ids"] == MASK).sum()
    assert abs(200 * 0.3 * 510 / masks - 3.0) < 0.15
    zero = sum(gap == 0 for old, new in zip(rows_of(batch), rows_of(noisy)) for gap in infilled_gaps(old, new))
    assert 0.02 < zero / masks < 0.06, "about exp(-3) of the spans are empty"


def test_bart():
    batch = plain_batch(50, 64, shortest=20)
    noisy = denoise(batch, np.random.default_rng(0), VOCABULARY)
    assert np.array_equal(noisy["labels"], batch["input_ids"])
    moved = batch["input_ids"][:, :-1] * batch["attention_mask"][:, 1:]
    assert np.array_equal(noisy["decoder_input_ids"][:, 1:], moved)
    assert (noisy["decoder_input_ids"][:, 0] == SEP).all()
    assert np.array_equal(noisy["label_weights"], batch["attention_mask"])
    assert not {"word_starts", "sentence_ids", "masked_lm_ids"} & set(noisy)
    masked = denoise(batch, np.random.default_rng(0), VOCABULARY, kinds=("masking",))["input_ids"]
    changed = masked != batch["input_ids"]
    assert (masked[changed] == MASK).all() and abs(changed.sum() / batch["attention_mask"].sum() - 0.15) < 0.01
    with pytest.raises(ValueError, match="needs sentence_ids, and the batch has only"):
        denoise({key: batch[key] for key in ("input_ids", "attention_mask")}, np.random.default_rng(0), VOCABULARY)
    with pytest.raises(ValueError, match="unknown noise shuffling: expected some of permutation, rotation"):
        denoise(batch, np.random.default_rng(0), VOCABULARY, kinds=("shuffling",))


def t5_mask_of_one_row(length, rng, density=0.15, mean=3.0):
    """`random_spans_noise_mask` of t5.data.preprocessors, in NumPy, for one row."""
    noise = min(max(round(length * density), 1), length - 1)
    spans = max(round(noise / mean), 1)

    def segmentation(items, segments):
        first = (np.arange(items - 1) < segments - 1).astype(int)
        rng.shuffle(first)
        return np.bincount(np.cumsum(np.concatenate([[0], first])), minlength=segments)

    parts = np.stack([segmentation(length - noise, spans), segmentation(noise, spans)], 1).ravel()
    starts = np.zeros(length, int)
    starts[np.cumsum(parts)[:-1]] = 1
    return np.cumsum(starts) % 2 == 1


@pytest.mark.parametrize("length", [7, 20, 100])
def test_t5_mask_is_that_of_t5(length):
    rng = np.random.default_rng(0)
    ours = span_mask(np.full(4000, length), length + 3, rng)
    theirs = np.stack([t5_mask_of_one_row(length, rng) for _ in range(4000)])
    assert not ours[:, length:].any()
    ours = ours[:, :length]
    assert np.array_equal(np.unique(ours.sum(1)), np.unique(theirs.sum(1)))
    assert abs(ours.mean(0) - theirs.mean(0)).max() < 0.035, "each position is noise equally often"
    first = [np.diff(m.astype(int), axis=1, prepend=0).clip(0).sum(1) for m in (ours, theirs)]
    assert np.array_equal(np.unique(first[0]), np.unique(first[1])), "the same number of spans"
    if length == 7:
        assert abs(np.bincount(ours.argmax(1), minlength=7) - np.bincount(theirs.argmax(1), minlength=7)).max() < 200


def test_t5_spans_and_lengths():
    assert (raw_length(512), target_length(raw_length(512))) == (568, 114)  # t5's random_spans_helper
    assert (raw_length(128), target_length(raw_length(128))) == (141, 29)
    mask = span_mask(np.full(200, 568), 568, np.random.default_rng(0))
    assert (mask.sum(1) == 85).all()
    spans = np.diff(mask.astype(int), axis=1, prepend=0).clip(0).sum(1)
    assert (spans == 28).all() and abs(85 / 28 - 3) < 0.04
    ids = np.arange(568, dtype=np.int32)[None] + 100
    batch = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
    result = corrupt_spans(batch, np.random.default_rng(0), VOCABULARY)
    assert result["input_ids"].shape == (1, 512) and result["labels"].shape == (1, 114)


@pytest.mark.parametrize("seed", range(3))
def test_t5_targets_restore_the_inputs(seed):
    batch = make_batch(100, 128, seed, shortest=12)
    result = corrupt_spans(batch, np.random.default_rng(seed), VOCABULARY)
    sentinels = set(VOCABULARY.sentinels)
    for old, new, target, decoder in zip(rows_of(batch), rows_of(result), rows_of(result, "labels", "label_weights"),
                                         rows_of(result, "decoder_input_ids", "decoder_attention_mask")):
        assert new[-1] == target[-1] == SEP and decoder == [VOCABULARY.pad, *target[:-1]]
        hidden, current = {}, None
        for token in target[:-1]:
            if token in sentinels:
                current = hidden.setdefault(token, [])
            else:
                current.append(token)
        assert list(hidden) == list(VOCABULARY.sentinels[:len(hidden)]), "in order, each once"
        back = [t for token in new[:-1] for t in (hidden[token] if token in sentinels else [token])]
        assert back == [token for token in old if not VOCABULARY.is_special(np.array(token))]
        assert all(hidden.values()) and new[0] not in sentinels


def test_t5_errors():
    tiny = {"input_ids": np.array([[2, 9, 3]], np.int32), "attention_mask": np.ones((1, 3), np.int32)}
    with pytest.raises(ValueError, match="at least two tokens"):
        corrupt_spans(tiny, np.random.default_rng(0), VOCABULARY)
    with pytest.raises(ValueError, match="and the vocabulary 100 sentinels"):
        corrupt_spans(make_batch(2, 4000), np.random.default_rng(0), VOCABULARY)


def test_mass():
    batch = plain_batch(4000, 42)
    result = mask_segment(batch, np.random.default_rng(0), VOCABULARY)
    original = batch["input_ids"]
    positions, labels = result["decoder_position_ids"], result["labels"]
    assert labels.shape == (4000, 20) and (result["label_weights"] == 1).all(), "half of the 40 tokens"
    assert (np.diff(positions, axis=1) == 1).all(), "one segment"
    assert np.array_equal(np.take_along_axis(original, positions, 1), labels)
    assert (result["decoder_input_ids"][:, 0] == MASK).all()
    assert np.array_equal(result["decoder_input_ids"][:, 1:], labels[:, :-1])
    start = positions[:, 0] - 1
    assert abs((start == 0).mean() - (0.2 + 0.6 / 21)) < 0.025 and abs((start == 20).mean() - (0.2 + 0.6 / 21)) < 0.025
    assert chi_square(np.bincount(start, minlength=21)[1:20], np.full(19, 1 / 19)) < 2
    seen = np.take_along_axis(result["input_ids"], positions, 1)
    shares = [(seen == MASK).mean(), ((seen != MASK) & (seen != labels)).mean(), (seen == labels).mean()]
    assert np.allclose(shares, [0.8, 0.1, 0.1], atol=0.006)
    outside = np.ones_like(original, bool)
    np.put_along_axis(outside, positions, False, 1)
    assert np.array_equal(result["input_ids"][outside], original[outside])


def test_unilm():
    batch = make_batch(6000, 32)
    result = mix_policies(batch, np.random.default_rng(0), VOCABULARY)
    assert chi_square(np.bincount(result["attention_policy"], minlength=4), [1 / 3, 1 / 6, 1 / 6, 1 / 3]) < 2.6
    prefix, policy = result["prefix_lengths"], result["attention_policy"]
    assert (prefix[policy == 0] == 32).all() and (prefix[(policy == 1) | (policy == 2)] == 0).all()
    assert (prefix[policy == 3] == 17).all(), "[CLS] a [SEP]"
    with pytest.raises(ValueError, match="expected 4 numbers that add up to 1"):
        mix_policies(batch, np.random.default_rng(0), VOCABULARY, shares=(0.5, 0.5))


def test_next_and_previous_token():
    batch = plain_batch(3, 8, shortest=5)
    forward = predict_next(batch)
    backward = predict_next(batch, direction="right-to-left")
    for row, ids in enumerate(rows_of(batch)):
        assert forward["labels"][row, :len(ids) - 1].tolist() == ids[1:]
        assert forward["label_weights"][row].sum() == len(ids) - 1 and forward["label_weights"][row, len(ids) - 1] == 0
        assert backward["labels"][row, 1:len(ids)].tolist() == ids[:-1]
        assert backward["label_weights"][row].sum() == len(ids) - 1 and backward["label_weights"][row, 0] == 0
    with pytest.raises(ValueError, match="expected left-to-right or right-to-left"):
        predict_next(batch, direction="up")

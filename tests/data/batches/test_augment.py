import numpy as np
import pytest

from tfplm.data.batches.augment import Augmentation, augment, augment_once, replace_words, words_by_tag

SENTENCES = [["the", "cat", "sat"], ["a", "dog", "ran"], ["the", "bird", "flew"]]
TAGS = [["D", "N", "V"]] * 3


def test_shares_and_tags():
    table = words_by_tag(SENTENCES, TAGS)
    assert table["D"] == ["the", "a", "the"]
    rng, settings = np.random.default_rng(0), Augmentation(ngram_rate=0.0)
    words, tags = ["the", "cat", "sat"] * 2000, ["D", "N", "V"] * 2000
    changed = augment_once(words, rng, settings, tags, table)
    masks = sum(word == "[MASK]" for word in changed)
    assert abs(masks / 6000 - 0.1) < 0.012
    replaced = [(a, b, t) for a, b, t in zip(words, changed, tags) if b not in (a, "[MASK]")]
    assert all(b in table[t] for _, b, t in replaced)
    # a third of the replacements (half for D... the one "a") are different from the original word
    assert abs(len(replaced) / 6000 - 0.1 * np.mean([1 / 3, 2 / 3, 2 / 3])) < 0.012


def test_ngrams():
    rng, settings = np.random.default_rng(0), Augmentation(0.0, 0.0)
    words = list("abcdefghij")
    variants = [augment_once(words, rng, settings) for _ in range(4000)]
    cut = [variant for variant in variants if len(variant) < 10]
    assert abs(len(cut) / 4000 - 0.25) < 0.02
    assert all("".join(variant) in "abcdefghij" for variant in variants)
    assert np.allclose(np.bincount([len(v) for v in cut], minlength=6)[1:] / len(cut), 0.2, atol=0.04)


def test_variants_are_different_and_seeded():
    first = augment(SENTENCES[0], np.random.default_rng(1), tags=TAGS[0], table=words_by_tag(SENTENCES, TAGS))
    assert first[0] == SENTENCES[0] and 3 < len(first) <= 21
    assert len({tuple(variant) for variant in first}) == len(first)
    assert first == augment(SENTENCES[0], np.random.default_rng(1), tags=TAGS[0], table=words_by_tag(SENTENCES, TAGS))
    with pytest.raises(ValueError, match="a sentence has 3 words and 2 tags, expected equally many: the cat sat"):
        words_by_tag(SENTENCES[:1], [["D", "N"]])


def test_neighbours_of_words():
    near = {"好": ["棒", "佳"], "电影": ["影片"]}
    words = ["好", "电影", "吗"] * 2000
    changed = replace_words(words, np.random.default_rng(0), lambda word: near.get(word, []), 0.2)
    assert len(changed) == 6000 and words[:3] == ["好", "电影", "吗"]
    shares = {(a, b): sum(pair == (a, b) for pair in zip(words, changed)) / 2000 for a, b in set(zip(words, changed))}
    assert set(shares) == {("好", "好"), ("好", "棒"), ("好", "佳"), ("电影", "电影"), ("电影", "影片"), ("吗", "吗")}
    assert abs(shares["好", "棒"] - 0.1) < 0.02 and abs(shares["好", "佳"] - 0.1) < 0.02
    assert abs(shares["电影", "影片"] - 0.2) < 0.03
    assert changed == replace_words(words, np.random.default_rng(0), lambda word: near.get(word, []), 0.2)

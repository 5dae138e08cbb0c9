"""n-gram language models."""

import itertools

import numpy as np
import pytest

from tfplm.data.words.kneser_ney import KneserNey

TEXT = [[0, 1, 2, 0, 1], [1, 2, 3], [0, 1, 2, 3, 3], [2], [0, 1, 4]]


def ids_of(sentences) -> np.ndarray:
    return np.array(list(itertools.chain.from_iterable([*sentence, -1] for sentence in sentences)), np.int32)


@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_probabilities_of_all_next_words_sum_to_one(order):
    model = KneserNey(order, 6).fit(ids_of(TEXT))
    for before in ([], [0], [0, 1], [5], [3, 5], [0, 1, 2, 3]):
        total = sum(model.probabilities(np.array([*before, word]))[len(before)] for word in range(6))
        assert total + model.probabilities(np.array([*before, -1]))[-1] == pytest.approx(1) if before else True


def reference(sentences, order, vocab_size, discounts):
    """Interpolated Kneser-Ney, word by word, with given discounts for each order."""
    marked = [[vocab_size + 1, *sentence, vocab_size] for sentence in sentences]
    grams = {k: [tuple(s[i:i + k]) for s in marked for i in range(len(s) - k + 1)] for k in range(1, order + 1)}

    def count(gram):
        k = len(gram)
        if k == order or gram[0] == vocab_size + 1:
            return 0 if k == 1 and order > 1 else grams[k].count(gram)
        return len({other for other in grams[k + 1] if other[1:] == gram})

    def probability(word, context):
        k = len(context) + 1
        follow = {gram for gram in grams[k] if gram[:-1] == context and gram != (vocab_size + 1,)}
        numbers = {gram: count(gram) for gram in follow}
        total = sum(numbers.values())
        lower = probability(word, context[1:]) if context else 1 / (vocab_size + 1)
        if not total:
            return lower
        taken = {gram: discounts[k - 1][min(number, 3)] for gram, number in numbers.items()}
        gram = (*context, word)
        return (numbers.get(gram, 0) - taken.get(gram, 0)) / total + sum(taken.values()) / total * lower

    return probability


def test_equals_a_direct_computation():
    model, flat = KneserNey(3, 6).fit(ids_of(TEXT)), [[0, 0.5, 0.75, 0.75]] * 3
    probability = reference(TEXT, 3, 6, flat)
    for sentence in [[0, 1, 2, 3], [4, 4, 5, 0], [3]]:
        marked = [7, *sentence, 6]
        expected = [probability(marked[i], tuple(marked[max(0, i - 2):i])) for i in range(1, len(marked))]
        np.testing.assert_allclose(model.probabilities(np.array([*sentence, -1])), expected, rtol=1e-12)


def test_longer_contexts_lower_the_perplexity_of_text_with_structure():
    random, sentences = np.random.default_rng(0), []
    for _ in range(800):
        word, sentence = random.integers(20), []
        for _ in range(12):
            sentence.append(int(word))
            word = (3 * word + random.integers(3)) % 20
        sentences.append(sentence)
    train, test = ids_of(sentences[:700]), ids_of(sentences[700:])
    one, two, three = (KneserNey(order, 20).fit(train).perplexity([test]) for order in (1, 2, 3))
    assert two < 0.5 * one
    assert three < 1.1 * two


def test_errors():
    with pytest.raises(ValueError, match="the order is 0"):
        KneserNey(0, 5)
    with pytest.raises(ValueError, match="the text has no words"):
        KneserNey(2, 5).fit(np.array([-1, -1]))

import random

import numpy as np
import pytest

from tests.data.document_cases import VOCABULARY, make_documents
from tests.data.noise.noise_cases import chi_square
from tfplm.data.sequences.segment_pairs import segment_pairs, truncate

V = VOCABULARY


def pairs(relation="next", length=64, documents=None, seed=0, **keywords):
    documents = documents or make_documents(200)
    return list(segment_pairs(documents, length, V, np.random.default_rng(seed), relation, **keywords))


def segments(example):
    ids, types = example["input_ids"], example["token_type_ids"]
    middle = int(types.argmax()) - 1
    assert (ids[0], ids[middle], ids[-1]) == (V.begin, V.separator, V.end)
    assert (types[middle + 1:] == 1).all() and (types[:middle + 1] == 0).all()
    return ids[1:middle], ids[middle + 1:-1]


def test_truncation_equals_that_of_bert():
    def slowly(a, b, limit):
        while a + b > limit:
            a, b = (a - 1, b) if a > b else (a, b - 1)
        return a, b

    assert all(truncate(a, b, limit) == slowly(a, b, limit)
               for a in range(1, 20) for b in range(1, 20) for limit in range(2, 25))


@pytest.mark.parametrize("relation", ["next", "order", "order3", "follow"])
def test_pairs_are_text(relation):
    documents = make_documents(200)
    for example in pairs(relation):
        a, b = segments(example)
        assert len(a) and len(b) and len(example["input_ids"]) <= 64
        for part in (a, b):
            assert (np.diff(part) == 1).all(), "one piece of one document"
        owner = [documents[int(part[0]) // 2000 - 1] for part in (a, b)]
        label = int(example["next_sentence_labels"])
        if relation != "next" or label == 0:
            assert (label == 2) or owner[0] is owner[1]
        assert relation != "follow" or label == 0
        if label == 0:
            assert a[-1] < b[0]
        elif label == 1 and relation != "next":
            assert b[-1] < a[0], "swapped"
        else:
            assert owner[0] is not owner[1]
        flags = np.concatenate([o.word_starts[p - o.ids[0]] for o, p in zip(owner, (a, b))])
        inside = np.r_[1:len(a) + 1, len(a) + 2:len(a) + 2 + len(b)]
        assert np.array_equal(example["word_starts"][inside], flags)


def test_labels_are_balanced():
    labels = [int(example["next_sentence_labels"]) for example in pairs("order")]
    assert chi_square(np.bincount(labels, minlength=2), [0.5, 0.5]) < 4
    labels = [int(example["next_sentence_labels"]) for example in pairs("order3")]
    assert chi_square(np.bincount(labels, minlength=3), [1 / 3] * 3) < 4


def lengths_of_bert(documents, length, seed, short_rate=0.1):
    """(segment lengths before truncation, label) of `create_instances_from_document` in google-research/bert, computed
    from sentence lengths."""
    rng, result, limit = random.Random(seed), [], length - 3
    texts = [document.sentence_lengths.tolist() for document in documents]
    for number, text in enumerate(texts):
        target = rng.randint(2, limit) if rng.random() < short_rate else limit
        chunk, i = [], 0
        while i < len(text):
            chunk.append(text[i])
            if i == len(text) - 1 or sum(chunk) >= target:
                a_end = rng.randint(1, len(chunk) - 1) if len(chunk) >= 2 else 1
                a, b = sum(chunk[:a_end]), 0
                if len(chunk) == 1 or rng.random() < 0.5:
                    for _ in range(10):
                        other = rng.randint(0, len(texts) - 1)
                        if other != number:
                            break
                    for sentence in texts[other][rng.randint(0, len(texts[other]) - 1):]:
                        b += sentence
                        if b >= target - a:
                            break
                    i -= len(chunk) - a_end
                    result.append((*truncate(a, b, limit), 1))
                else:
                    result.append((*truncate(a, sum(chunk[a_end:]), limit), 0))
                chunk = []
            i += 1
    return np.array(result)


def test_next_sentence_pairs_equal_those_of_bert():
    documents = make_documents(400, most_sentences=60, longest=16)
    theirs = np.concatenate([lengths_of_bert(documents, 64, seed) for seed in range(4)])
    ours = np.concatenate([[(*map(len, segments(example)), int(example["next_sentence_labels"]))
                            for example in pairs("next", 64, documents, seed)] for seed in range(4)])
    assert abs(len(ours) / len(theirs) - 1) < 0.02, "as many"
    assert abs(ours[:, 2].mean() - theirs[:, 2].mean()) < 0.01, "as many from elsewhere (a little more than half)"
    for column in (0, 1):
        both = [np.histogram(x[:, column], 8, (0, 61))[0] / len(x) for x in (ours, theirs)]
        assert abs(both[0] - both[1]).max() < 0.012, "the same lengths"


def test_short_rate_and_full_length():
    documents = make_documents(400, most_sentences=60)
    lengths = np.array([len(example["input_ids"]) for example in pairs("order", documents=documents, short_rate=0.0)])
    assert (lengths == 64).mean() > 0.85
    short = np.array([len(example["input_ids"]) for example in pairs("order", documents=documents, short_rate=1.0)])
    assert short.mean() < 55


def test_every_sentence_is_used():
    documents = make_documents(50, longest=6)
    seen = {int(token) for example in pairs("next", 200, documents, short_rate=0.0) for token in example["input_ids"]}
    tokens = {int(token) for document in documents for token in document.ids}
    assert len(tokens - seen) < 0.05 * len(tokens), "but for what truncation takes"


def test_seeded_and_one_document():
    first, again, other = (pairs("next", seed=seed) for seed in (1, 1, 2))
    assert all(np.array_equal(a["input_ids"], b["input_ids"]) for a, b in zip(first, again))
    assert any(not np.array_equal(a["input_ids"], b["input_ids"]) for a, b in zip(first, other))
    (document,) = make_documents(1, most_sentences=1, longest=9)
    for relation in ("next", "order", "order3"):
        assert len(pairs(relation, documents=[document])) <= 1


def test_errors():
    with pytest.raises(ValueError, match="relation is .*; expected one of next, order, order3, follow"):
        pairs("before")
    with pytest.raises(ValueError, match="length is .*; expected at least 5: a pair needs"):
        pairs(length=4)

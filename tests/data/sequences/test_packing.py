import numpy as np
import pytest

from tests.data.document_cases import VOCABULARY, make_documents
from tfplm.data.sequences.packing import contiguous, full_sentences

V = VOCABULARY


def text_of(documents):
    return np.concatenate([np.append(document.ids, V.end) for document in documents])


@pytest.mark.parametrize("length", [8, 37, 128])
def test_stream_is_the_text_itself(length):
    documents = make_documents()
    examples = list(contiguous(documents, length, V))
    joined = np.concatenate([example["input_ids"] for example in examples])
    assert all(len(example["input_ids"]) == length for example in examples)
    assert np.array_equal(joined, text_of(documents)[:len(joined)])
    assert len(text_of(documents)) - len(joined) < length, "less than one example is lost"
    flags = np.concatenate([np.append(document.word_starts, True) for document in documents])[:len(joined)]
    assert np.array_equal(np.concatenate([example["word_starts"] for example in examples]), flags)


def test_frames_and_sentences():
    documents = make_documents()
    examples = list(contiguous(documents, 64, V, frame=True))
    body = np.concatenate([example["input_ids"][1:-1] for example in examples])
    assert np.array_equal(body, text_of(documents)[:len(body)])
    lengths = [document.sentence_lengths.tolist() for document in documents]
    closed = [size for sizes in lengths for size in [*sizes[:-1], sizes[-1] + 1]]
    numbers = np.repeat(np.arange(len(closed)), closed)
    for row, example in enumerate(examples):
        assert (example["input_ids"][0], example["input_ids"][-1]) == (V.begin, V.end)
        expected = numbers[row * 62:(row + 1) * 62]
        assert np.array_equal(example["sentence_ids"][1:-1], expected - expected[0])
        assert (example["word_starts"][[0, -1]] == 1).all() and (example["token_type_ids"] == 0).all()


def test_small_corpus_gives_one_short_example():
    (document,) = make_documents(1, most_sentences=1, longest=5)
    (example,) = contiguous([document], 128, V, frame=True)
    assert example["input_ids"].tolist() == [V.begin, *document.ids, V.separator, V.end]
    assert list(contiguous([], 128, V)) == []
    with pytest.raises(ValueError, match="length is .*; expected at least"):
        list(contiguous([document], 2, V, frame=True))


@pytest.mark.parametrize("cross", [True, False])
@pytest.mark.parametrize("length", [16, 40, 128])
def test_full_sentences(cross, length):
    documents = make_documents()
    examples = [example["input_ids"] for example in full_sentences(documents, length, V, cross)]
    assert all(len(ids) <= length and ids[0] == V.begin and ids[-1] == V.end for ids in examples)
    tokens = np.concatenate(examples)
    assert np.array_equal(tokens[tokens >= 2000], np.concatenate([document.ids for document in documents]))
    ends = {int(end) for document in documents for end in document.ids[np.cumsum(document.sentence_lengths) - 1]}
    whole = [int(ids[-2]) in ends for ids in examples]
    if length > 32:
        assert all(whole), "no sentence is cut"
        filled = np.array([len(ids) for ids in examples])
        assert not cross or (filled > length - 32).mean() > 0.95
    for ids in examples:
        numbers = np.unique(ids[ids >= 2000] // 2000)
        assert cross or len(numbers) == 1
        inner = ids[1:-1]
        assert (inner == V.separator).sum() == len(numbers) - 1, "a separator between documents"


def test_sentence_ids_of_full_sentences():
    documents = make_documents(5)
    for example in full_sentences(documents, 100, V):
        numbers = example["sentence_ids"]
        assert numbers[0] == 0 and (np.diff(numbers) >= 0).all() and (np.diff(numbers) <= 1).all()

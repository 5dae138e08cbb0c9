"""Texts in containers of every kind: encoded in their order, or refused with what is expected."""

import collections

import numpy as np
import pytest
import tensorflow as tf

from tests.embed.encoder.encoder_cases import encoder

TEXTS = ["a dog", "the cat", "a dog and the cat"]


class Column(collections.UserList):
    """Like a column of a table of pandas: with a shape and values."""

    shape, ndim = (3,), 1


class Table(collections.UserDict):
    columns, shape, ndim = ("text", "label"), (3, 2), 2


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return encoder(tmp_path_factory.mktemp("model"))


MANY = {
    "list": lambda: TEXTS, "tuple": lambda: tuple(TEXTS), "generator": lambda: (text for text in TEXTS),
    "iterator": lambda: iter(TEXTS), "array": lambda: np.array(TEXTS), "objects": lambda: np.array(TEXTS, object),
    "bytes": lambda: [text.encode() for text in TEXTS], "array of bytes": lambda: np.array(TEXTS, "S"),
    "tensor": lambda: tf.constant(TEXTS), "dataset": lambda: tf.data.Dataset.from_tensor_slices(TEXTS),
    "values of a dict": lambda: dict(enumerate(TEXTS)).values(),
    "deque": lambda: collections.deque(TEXTS), "column": lambda: Column(TEXTS),
    "numpy strings": lambda: [np.str_(text) for text in TEXTS], "scalar tensors": lambda: list(tf.constant(TEXTS)),
}

@pytest.mark.parametrize("kind", MANY)
def test_many(made, kind):
    np.testing.assert_allclose(made.encode(MANY[kind]()), made.encode(TEXTS), atol=1e-6)


@pytest.mark.parametrize("text", ["a dog", np.str_("a dog"), b"a dog", np.array("a dog"), tf.constant("a dog")],
                         ids=["str", "numpy str", "bytes", "array", "tensor"])
def test_one(made, text):
    vector = made.encode(text)
    assert vector.shape == (made.dimension,)
    np.testing.assert_allclose(vector, made.encode("a dog"), atol=1e-6)


def test_pairs(made):
    pairs = [("a dog", "the cat"), ("the cat", "a dog")]
    vectors = made.encode(pairs)
    np.testing.assert_allclose(made.encode(tuple(pairs)), vectors, atol=1e-6)  # not a pair of pairs
    np.testing.assert_allclose(made.encode(pairs[0]), vectors[0], atol=1e-6)
    np.testing.assert_allclose(made.encode((b"a dog", b"the cat")), vectors[0], atol=1e-6)


@pytest.mark.parametrize("nothing", [[], (), np.array([]), iter([]), np.zeros((0,), object), tf.zeros((0,), tf.string)])
def test_nothing(made, nothing):
    assert made.encode(nothing).shape == (0, made.dimension)


REFUSED = {
    "set": (lambda: set(TEXTS), "the texts are a set, which has no order"),
    "frozen set": (lambda: frozenset(TEXTS), "a frozenset, which has no order"),
    "dict": (lambda: {"text": "a dog"}, r"a dict, whose items are its keys.*list\(texts.values\(\)\)"),
    "table": (lambda: Table(text=TEXTS), "a Table.*expected a str, or a list of texts"),
    "two axes": (lambda: np.array([["a", "b"]]), "a ndarray with 2 axes; expected one axis: pass one column"),
    "None": (lambda: None, r"the texts are None \(NoneType\); expected a str, or a list of texts"),
    "number": (lambda: 5, r"the texts are 5 \(int\)"), "model": (lambda: object(), "expected a str, or a list of texts"),
    "None inside": (lambda: ["a dog", None], "text 1 is NoneType 'None'; expected a str, a pair"),
    "NaN inside": (lambda: ["a dog", float("nan")], "text 1 is float 'nan'; expected a str"),
    "number inside": (lambda: [5, "a dog"], "text 0 is int '5'; expected a str"),
    "ids": (lambda: np.array([5, 6]), "text 0 is int '5'; expected a str"),
    "lists of ids": (lambda: [[5, 6]], "text 0 is list .*; expected a str, a pair"),
    "nested too deep": (lambda: [[["a dog"]]], "text 0 is list"), "half a pair": (lambda: ("a dog", None), "text 1 is None"),
    "three": (lambda: [("a", "b", "c")], "text 0 is tuple"),
    "not UTF-8": (lambda: [b"a dog", b"\xff\xfe"], r"text 1 is not UTF-8, b'\\xff\\xfe'; expected a str"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_refused(made, kind):
    container, message = REFUSED[kind]
    with pytest.raises(TypeError, match=message):
        made.encode(container())


def test_whitening_of_wrong_containers(made):
    with pytest.raises(TypeError, match="the texts are one str, 'a dog'; expected many texts"):
        made.fit_whitening("a dog")
    with pytest.raises(TypeError, match="a set, which has no order"):
        made.fit_whitening(set(TEXTS))


def test_texts_in_place_of_tokens_are_named(made):
    """`[["question", "answer"]]` is a pair for other libraries, and here a list of tokens."""
    with pytest.warns(UserWarning, match="'a dog', in a list of tokens, is not a token"):
        made.encode([["a dog", "the cat"]])


@pytest.mark.parametrize(("rows", "message"), [
    ([5, 6], "a text is 5.*expected a list of ids"), ([[5.5, 6.0]], r"a text is \[5.5, 6.0\]"),
    ([[[5], [6]]], "expected a list of ids"), (["a dog"], "a text is a dog"), ([[True, False]], "expected a list of ids")])
def test_ids(made, rows, message):
    with pytest.raises(TypeError, match=message):
        made.encode_ids(rows)
    with pytest.raises(ValueError, match="a text has the id 4294967301; expected ids of the vocabulary"):
        made.encode_ids([np.array([2**32 + 5])])


def test_tokenized_batches(made):
    batch = made.tokenizer(TEXTS)
    expected = made.encode(TEXTS)
    for convert in (lambda rows: rows, lambda rows: rows.tolist(), tf.constant, lambda rows: rows.astype(float)):
        vectors = made.embed({name: convert(rows) for name, rows in batch.items()})
        np.testing.assert_allclose(vectors, expected, atol=1e-5)
    for wrong, message in (({"input_ids": [[2, 3], [2]]}, "rows with different lengths"), ({"input_ids": TEXTS}, "texts"),
                           ({"input_ids": [[2.5, 3.0]]}, "contains 2.5; expected whole numbers"),
                           ({"input_ids": [2, 3]}, r"the shape \[2\]; expected \[batch, length\]"),
                           ({"segment_ids": [[2, 3]]}, "expected 'token_type_ids' in place of 'segment_ids'")):
        with pytest.raises(ValueError, match=message):
            made.embed(wrong)

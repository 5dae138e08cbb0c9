"""Batches of every kind: right, or told what is expected, in a call, `predict` and `fit`."""

import collections

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfplm
from tests.models import cases

ROWS = [[5, 6, 7], [8, 9, 10]]
IDS = np.array(ROWS, np.int32)
LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


@pytest.fixture(scope="module")
def model():
    built = cases.model("bert", "sequence_classification")
    config = built.config.replace(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    again = tfplm.from_config(config, "sequence_classification")
    again.set_weights(built.get_weights())
    again.compile("sgd", LOSS, run_eagerly=True)
    return again


READABLE = {
    "list": ROWS, "tuple": tuple(map(tuple, ROWS)), "array": IDS, "int64": IDS.astype(np.int64),
    "uint8": IDS.astype(np.uint8), "float32": IDS.astype(np.float32), "float64": IDS.astype(np.float64),
    "float16": IDS.astype(np.float16), "object": IDS.astype(object), "list of arrays": list(IDS),
    "tensor": tf.constant(IDS),
    "int64 tensor": tf.constant(IDS, tf.int64), "float tensor": tf.constant(IDS, tf.float32),
    "list of tensors": [tf.constant(row) for row in IDS], "dict of lists": {"input_ids": ROWS},
    "mask of booleans": {"input_ids": ROWS, "attention_mask": [[True] * 3] * 2},
    "mask of floats": {"input_ids": IDS, "attention_mask": np.ones((2, 3))},
    "mask per token": {"input_ids": IDS, "attention_mask": np.ones((2, 3, 3), bool)},
    "one row of positions": {"input_ids": IDS, "position_ids": [[0, 1, 2]]},
    "without a value": {"input_ids": IDS, "attention_mask": None},
    "own mapping": collections.UserDict(input_ids=IDS), "ordered": collections.OrderedDict(input_ids=IDS.tolist()),
}


@pytest.mark.parametrize("kind", READABLE)
def test_readable(model, kind):
    expected = model({"input_ids": tf.constant(IDS)})
    np.testing.assert_allclose(model(READABLE[kind]), expected, atol=1e-6)
    if kind not in ("own mapping", "one row of positions"):  # which Keras cannot cut into batches
        np.testing.assert_allclose(model.predict(READABLE[kind], verbose=0), expected, atol=1e-6)


def test_lists_in_every_loop(model):
    batch = {"input_ids": ROWS, "attention_mask": [[1, 1, 1], [1, 1, 0]]}
    arrays = {name: np.array(rows) for name, rows in batch.items()}
    weights = model.get_weights()
    losses = []
    for x, y in ((batch, [0, 1]), (arrays, np.array([0, 1]))):
        model.set_weights(weights)
        history = model.fit(x, y, verbose=0, validation_data=(x, y)).history
        losses.append([*history["loss"], *history["val_loss"], model.evaluate(x, y, verbose=0),
                       model.test_on_batch(x, y), model.train_on_batch(x, y), *np.ravel(model.predict_on_batch(x))])
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-4)


def dataset(x):
    return tf.data.Dataset.from_tensors((x, np.array([0, 1]))).repeat()


TEXTS = "input_ids contains texts.*expected token ids: texts are tokenized first"
RAGGED = "rows with different lengths; expected rows of one length: pad them"
UNREADABLE = {
    "text": ("a good film", TEXTS), "texts": (["a good film", "a bad one"], "such as 'a good film'; " + TEXTS[24:]),
    "array of texts": (np.array(["a good film", "a bad one"]), TEXTS), "bytes": ([b"a film"], TEXTS),
    "objects": (np.array(["a film", "b"], object), TEXTS), "tensor of texts": (tf.constant(["a film"]), TEXTS),
    "tokens": ([["a", "film"], ["a", "dog"]], TEXTS), "dict of texts": ({"input_ids": ["a film"]}, TEXTS),
    "ragged": ([[5, 6, 7], [8]], RAGGED), "ragged objects": (np.array([[5, 6, 7], [8]], object), RAGGED),
    "ragged tensor": (tf.ragged.constant([[5, 6, 7], [8]]), r"a ragged tensor; expected rows of one length"),
    "sparse tensor": (tf.sparse.from_dense(IDS), "a sparse tensor; expected a dense one"),
    "one row": ([5, 6, 7], r"the shape \[3\]; expected \[batch, length\]: for one text pass \[ids\]"),
    "one array": (IDS[0], r"the shape \[3\]; expected"), "number": (5, r"the shape \[\]; expected"),
    "four axes": (IDS[None, None], r"the shape \[1, 1, 2, 3\]; expected"),
    "fractions": (IDS + 0.5, "contains 5.5; expected whole numbers"),
    "NaN": (IDS * np.nan, "contains nan; expected whole numbers"),
    "too large": (IDS.astype(np.int64) + 2**32, "contains 4294967301; expected whole numbers below 2,147,483,648"),
    "outside": (IDS + 40, "contains 47, expected ids from 0 to 46"), "booleans": (IDS > 5, "has the dtype bool"),
    "missing": ([[5, None, 7], [8, 9, 10]], r"contains None \(NoneType\); expected whole numbers"),
    "two arrays": ([IDS, IDS], "is a list of 2 arrays; expected one array .* or a dict"),
    "no rows": (IDS[:0], r"is empty, it has the shape \[0, 3\]"), "no tokens": (IDS[:, :0], r"is empty.*\[2, 0\]"),
    "no ids": ({"attention_mask": IDS}, "the keys 'attention_mask', expected 'input_ids'"),
    "nothing": ({}, "the keys none"),
    "typing error": ({"input_idss": IDS}, "expected 'input_ids' in place of 'input_idss'"),
    "TF1 mask": ({"input_ids": IDS, "input_mask": IDS}, "expected 'attention_mask' in place of 'input_mask'"),
    "TF1 segments": ({"input_ids": IDS, "segment_ids": IDS}, "expected 'token_type_ids' in place of 'segment_ids'"),
    "short mask": ({"input_ids": IDS, "attention_mask": np.ones((2, 2))},
                   r"has the shape \[2, 2\], but input_ids \[2, 3\]; expected the same shape or \[2, 3, 3\]"),
    "mask of one row": ({"input_ids": IDS, "attention_mask": np.ones(3)}, r"attention_mask has the shape \[3\]"),
    "short segments": ({"input_ids": IDS, "token_type_ids": np.ones((2, 2), int)},
                       r"token_type_ids has the shape \[2, 2\]"),
    "other segments": ({"input_ids": IDS, "token_type_ids": IDS - 5}, "token_type_ids contains 2, expected 0 to 1"),
    "other positions": ({"input_ids": IDS, "position_ids": IDS + 14}, "position_ids contains 21, expected 0 to 20"),
    "negative positions": ({"input_ids": IDS, "position_ids": IDS - 6}, "position_ids contains -1, expected 0 to 20"),
    "added mask": ({"input_ids": IDS, "attention_mask": np.full((2, 3), -1e9)}, "1 for real tokens and 0 for padding"),
    "infinite mask": ({"input_ids": IDS, "attention_mask": np.full((2, 3), -np.inf)}, "expected 1 for real tokens"),
}


@pytest.mark.parametrize("kind", UNREADABLE)
def test_unreadable(model, kind):
    x, message = UNREADABLE[kind]
    labels = np.array([0, 1])
    for call in (lambda: model(x), lambda: model.predict(x, verbose=0), lambda: model.fit(x, labels, verbose=0),
                 lambda: model.evaluate(x, labels, verbose=0)):
        with pytest.raises(ValueError, match=message):
            call()


@pytest.mark.parametrize("kind", ["array of texts", "ragged tensor", "one array", "short mask", "TF1 segments"])
def test_unreadable_in_a_pipeline(model, kind):
    x, message = UNREADABLE[kind]
    with pytest.raises(ValueError, match=message):
        model.fit(dataset(x), steps_per_epoch=1, verbose=0)
    traced = tf.function(model)
    with pytest.raises(ValueError, match=message):
        traced(x)


def test_three_axes_only_for_heads_of_versions():
    with pytest.raises(ValueError, match=r"the ids have 3 axes.*expected \[batch, length\] for the head 'masked_lm'"):
        cases.model("bert", "masked_lm")(IDS[:, None])
    assert cases.model("bert", "sequence_classification")(IDS[:, None]).shape == (2, 2)


def test_float_ids_are_exact_in_half_precision():
    """Keras would round float ids to bfloat16, which has 8 bits."""
    model = tfplm.from_config("bert-tiny", num_hidden_layers=1, dtype="bfloat16")
    ids = keras.Input((None,))
    outer = keras.Model(ids, model(ids)["pooled_output"])
    rows = np.array([[101, 12345, 102]])
    np.testing.assert_array_equal(outer(rows.astype(np.float32)), outer(rows))
    np.testing.assert_array_equal(np.float32(model(rows.astype(np.float32))["pooled_output"]), np.float32(outer(rows)))
    assert np.abs(np.float32(outer(rows)) - np.float32(outer(rows + 1))).max() > 0


def test_batch_as_keyword(model):
    np.testing.assert_array_equal(model(batch=ROWS, training=False), model(IDS))
    with pytest.raises(TypeError, match="batch"):
        model(training=False)


def test_unknown_keys_are_named_once(model):
    with pytest.warns(UserWarning, match="does not use 'labels' of x; it knows input_ids, decoder_input_ids"):
        model.predict({"input_ids": IDS, "labels": np.array([0, 1])}, verbose=0)
    np.testing.assert_array_equal(model({"input_ids": IDS, "text": ["a", "b"]}), model(IDS))

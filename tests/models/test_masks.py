"""Attention masks: a change of one token changes exactly the outputs of the positions that attend to it."""

import numpy as np
import pytest

import tfplm
from tests.models import cases

LENGTH, WINDOW = 8, 3
ROWS, COLUMNS = np.mgrid[:LENGTH, :LENGTH]
SOURCE = 3  # tokens of segment 0, for the prefix policy
POLICIES = {  # the attention of one layer
    "bert": np.ones((LENGTH, LENGTH), bool),
    "bert_causal": COLUMNS <= ROWS,
    "causal_reverse": COLUMNS >= ROWS,
    "prefix": (COLUMNS < SOURCE) | (ROWS >= SOURCE) & (COLUMNS <= ROWS),
    "gpt2": COLUMNS <= ROWS,
    "openai-gpt": COLUMNS <= ROWS,
    "bucketed_decoder": COLUMNS <= ROWS,
}
SPARSE = (COLUMNS <= ROWS) & (COLUMNS > ROWS - WINDOW)


def changes(model, batch, key: str = "input_ids") -> np.ndarray:
    """`[T,T]` bool: True in row i, column j if output i changes with token j."""
    before = model(batch)["sequence_output"].numpy()
    length = batch[key].shape[1]
    others = {name: np.stack([values] * length) for name, values in batch.items()}  # [column, row, ...]
    for column in range(length):
        others[key][column, :, column] = (batch[key][:, column] - 2) % 40 + 3
    after = model({name: np.concatenate(values) for name, values in others.items()})["sequence_output"].numpy()
    after = after.reshape(length, *before.shape)
    return (np.abs(after - before).max(axis=(1, 3)) > 1e-5).T


@pytest.mark.parametrize("name", POLICIES)
def test_policy(name):
    batch = cases.batch(name, rows=2, length=LENGTH, padded=False)
    np.testing.assert_array_equal(changes(cases.model(name), batch), POLICIES[name])


def test_sparse_is_banded_in_every_second_layer():
    """One layer of each kind: dense attends to all earlier tokens, banded only to a window of them."""
    batch = cases.batch("sparse", rows=1, length=LENGTH, padded=False)
    maps = cases.model("sparse")(batch, output_attentions=True)["attentions"]
    for index, expected in enumerate([COLUMNS <= ROWS, SPARSE, COLUMNS <= ROWS]):
        np.testing.assert_array_equal(np.asarray(maps[index])[0].min(axis=0) > 0, expected)
    np.testing.assert_array_equal(changes(cases.model("sparse"), batch), COLUMNS <= ROWS)


@pytest.mark.parametrize(("name", "kinds"), [
    ("local", [np.abs(ROWS - COLUMNS) <= 2, np.ones((LENGTH, LENGTH), bool), np.abs(ROWS - COLUMNS) <= 2]),
    ("local_bucketed", [(COLUMNS >= ROWS) & (COLUMNS < ROWS + 4)] * 2),
])
def test_kinds_of_layers(name, kinds):
    """The pattern is repeated over the layers; a window of 4 is 2 tokens on each side, or the next 4 with the token."""
    batch = cases.batch(name, rows=1, length=LENGTH, padded=False)
    maps = cases.model(name)(batch, output_attentions=True)["attentions"]
    assert len(maps) == len(kinds)
    for attention, expected in zip(maps, kinds):
        np.testing.assert_array_equal(np.asarray(attention)[0].min(axis=0) > 0, expected)


@pytest.mark.parametrize("name", ["bert", "bert_causal", "albert"])
def test_a_custom_mask(name):
    """`attention_mask` `[B,T,T]` is an additional condition."""
    model = cases.model(name)
    if name == "albert":
        model = tfplm.from_config(cases.CASES[name].replace(num_hidden_layers=1))
    batch = cases.batch(name, rows=2, length=LENGTH, padded=False)
    own = (np.abs(ROWS - COLUMNS) <= 1) | (COLUMNS == 0)
    batch["attention_mask"] = np.broadcast_to(own, (2, LENGTH, LENGTH)).astype(np.int32)
    maps = model(batch, output_attentions=True)["attentions"]
    expected = own & POLICIES["bert_causal"] if name == "bert_causal" else own
    for attention in maps:
        np.testing.assert_array_equal(np.asarray(attention)[0].min(axis=0) > 1e-9, expected)


@pytest.mark.parametrize("name", ["bart", "mbart", "t5", "mt5", "deep_decoder"])
def test_seq2seq_decoders_do_not_leak(name):
    batch = cases.batch(name, rows=2, length=LENGTH, padded=False)
    length = batch["decoder_input_ids"].shape[1]
    seen = changes(cases.model(name), batch, "decoder_input_ids")
    np.testing.assert_array_equal(seen, np.tri(length, dtype=bool))
    assert changes(cases.model(name), batch, "input_ids").all()  # attends to the whole memory


def test_prefix_needs_segments():
    with pytest.raises(ValueError, match="'prefix' needs token_type_ids: 0 for the source, 1 for the target"):
        cases.model("prefix")({"input_ids": np.ones((1, 4), np.int32)})


def test_a_row_without_real_tokens_is_finite():
    batch = cases.batch("bert")
    batch["attention_mask"] = np.zeros_like(batch["attention_mask"])
    assert np.isfinite(cases.model("bert")(batch)["sequence_output"]).all()

"""Head masks, and embeddings instead of ids: outputs equal those of the reference within 1e-5; errors."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.models import cases, golden

FOLDER = golden.FOLDER.parent / "beside_ids"
NAMES = sorted(path.stem for path in FOLDER.glob("*.npz"))
IDS = {"inputs_embeds": "input_ids", "decoder_inputs_embeds": "decoder_input_ids"}


@functools.cache
def arrays(name: str, part: str) -> dict[str, np.ndarray]:
    with np.load(FOLDER / f"{name}.npz") as file:
        return {key.removeprefix(f"{part}/"): file[key] for key in file.files if key.startswith(f"{part}/")}


WITH_HEAD_MASKS = [name for name in NAMES if arrays(name, "heads")]


def check(name: str, part: str, batch: dict, **taps):
    outputs, expected = golden.flat(golden.load(name)(batch, **taps)), arrays(name, part)
    assert expected.keys() <= outputs.keys()
    for key, array in expected.items():
        np.testing.assert_allclose(golden.real(name, key, outputs[key]), golden.real(name, key, array), rtol=0, atol=1e-5,
                                   err_msg=key)


def test_cases():
    assert {"bert", "gpt2", "bart", "t5"} <= set(WITH_HEAD_MASKS) and len(NAMES) >= 10


@pytest.mark.parametrize("name", WITH_HEAD_MASKS)
def test_head_masks(name):
    masks = {key: array for key, array in arrays(name, "in").items() if key not in IDS}
    assert len(masks) == (3 if golden.load(name).is_seq2seq else 1)
    check(name, "heads", {**golden.batch(name), **masks}, output_attentions=True)


@pytest.mark.parametrize("name", NAMES)
def test_embeddings(name):
    embeddings = {key: array for key, array in arrays(name, "in").items() if key in IDS}
    rest = {key: array for key, array in golden.batch(name).items() if key not in IDS.values()}
    check(name, "embeds", {**rest, **embeddings})


@pytest.mark.parametrize("name", ["bert", "albert", "gpt2", "bart", "t5", "textcnn", "bilstm"])
def test_embeddings_of_the_ids_equal_the_ids(name):
    model, batch = cases.model(name), cases.batch(name)
    scale = model.config.hidden_size ** 0.5 if model.config.scale_embedding else 1.0
    rest = {key: array for key, array in batch.items() if key not in IDS.values()}
    embeddings = {key: model.embeddings.word(batch[ids]) * scale for key, ids in IDS.items() if ids in batch}
    expected = golden.flat(model(batch))
    for key, array in golden.flat(model({**rest, **embeddings})).items():
        np.testing.assert_allclose(array, expected[key], atol=1e-6, err_msg=key)


def test_embeddings_of_choices_and_their_gradient():
    model, batch = cases.model("bert", "multiple_choice"), cases.batch("bert", head="multiple_choice")
    embeddings = tf.convert_to_tensor(model.embeddings.word(batch.pop("input_ids")))  # [B,K,T,E]
    with tf.GradientTape() as tape:
        tape.watch(embeddings)
        logits = model({**batch, "inputs_embeds": embeddings})
    assert logits.shape == (3, 2) and np.abs(tape.gradient(logits, embeddings)).max() > 0


def test_a_head_mask_of_one_row_applies_to_all_layers():
    model, batch = cases.model("bert"), cases.batch("bert")
    row = np.array([1, 0, 0.5], np.float32)
    expected = model({**batch, "head_mask": np.stack([row, row])})["sequence_output"]
    np.testing.assert_array_equal(model({**batch, "head_mask": row})["sequence_output"], expected)
    in_half = model({**batch, "head_mask": row.astype(np.float16)})["sequence_output"]
    np.testing.assert_allclose(in_half, expected, atol=1e-6)
    assert np.abs(model(batch)["sequence_output"] - expected).max() > 1e-3


def test_a_masked_head_has_no_gradient():
    model, batch = cases.model("bert"), cases.batch("bert")
    value = model.stack.blocks[1].attention.value.kernel.value  # [H,N*D], heads of 4
    with tf.GradientTape() as tape:
        outputs = model({**batch, "head_mask": np.array([[1, 1, 1], [1, 0, 1]], np.float32)})["sequence_output"]
        loss = tf.reduce_sum(outputs[..., :3] ** 2)
    gradient = np.asarray(tape.gradient(loss, value))
    assert [np.abs(gradient[:, start:start + 4]).max() > 0 for start in (0, 4, 8)] == [True, False, True]


def embedded(name: str, size: int = 12, length: int = 5) -> dict:
    return {"inputs_embeds": np.zeros((2, length, size), np.float32)}


@pytest.mark.parametrize(("name", "batch", "message"), [
    ("bert", {**embedded("bert"), "input_ids": np.ones((2, 5), np.int32)},
     "has input_ids and inputs_embeds, expected one of them: remove the ids"),
    ("albert", embedded("albert"), "inputs_embeds has vectors of size 12, expected 7: use vectors of the size of"),
    ("bert", embedded("bert", length=22), "inputs_embeds has 22 tokens, but the model has 21 positions: truncate"),
    ("bart", embedded("bart"), "neither decoder_input_ids nor decoder_inputs_embeds.*: pass one of the two"),
    ("textcnn", {"input_ids": np.ones((2, 5), np.int32), "head_mask": np.ones(3)},
     "a textcnn model has no attention: remove head_mask"),
    ("bert", {"attention_mask": np.ones((2, 5))}, "the batch has the keys 'attention_mask', expected 'input_ids'"),
])
def test_errors(name, batch, message):
    with pytest.raises(ValueError, match=message):
        cases.model(name)(batch)


def test_a_head_that_uses_the_last_end_token_needs_ids():
    batch = {**embedded("t5"), "decoder_input_ids": np.ones((2, 3), np.int32)}
    with pytest.raises(ValueError, match="uses the state of the last end token, .*: pass input_ids"):
        cases.model("t5", "sequence_classification")(batch)


def test_half_precision_reads_float32_embeddings():
    keras.utils.set_random_seed(1)
    model = type(cases.model("bert"))(cases.CASES["bert"], dtype="bfloat16")
    assert model(embedded("bert"))["sequence_output"].dtype == tf.bfloat16

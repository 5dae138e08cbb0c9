"""`Model.summary` shows shapes and blocks before any call, and the right numbers of parameters."""

import keras
import numpy as np
import pytest

from tests.models import cases
from tfplm.core.keras_internals import flat_layers

BLOCK = {"attention", "attention_residual", "ffn", "ffn_residual"}


def table(model: keras.Model, **keywords) -> dict[str, list[str]]:
    """Name of a row -> its shape and its parameters; of rows with equal names the first."""
    lines, rows = [], {}
    model.summary(print_fn=lambda text, **_: lines.extend(text.splitlines()), line_length=150, positions=[0.4, 0.6, 1.0],
                  **keywords)
    for line in lines:
        cells = [cell.strip() for cell in line.strip("│┃").split("│")]
        if len(cells) == 3:
            rows.setdefault(cells[0].removeprefix("└").split("(")[0].strip(), cells[1:])
    rows["total"] = next(line.split(":")[1].split("(")[0].strip() for line in lines if "Total params" in line)
    return rows


@pytest.fixture(autouse=True)
def wide(monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")


@pytest.mark.parametrize(("name", "head", "shapes"), [
    ("bert", "sequence_classification", {"encoder": "(None, None, 12)", "pooler": "(None, 12)", "head": "(None, 2)"}),
    ("t5", "seq2seq_lm", {"decoder": "(None, None, 12)", "decoder_embeddings": "(None, None, 12)",
                          "head": "(None, None, 47)"}),
    ("bilstm", "token_classification", {"encoder": "(None, None, 12)", "embeddings": "(None, None, 7)",
                                        "head": "(None, None, 2)"}),
    ("gpt2", "causal_lm", {"decoder": "(None, None, 12)", "head": "(None, None, 47)"}),
    ("bert", "question_answering", {"head": "(None, None)"})])
def test_shapes_before_any_call(name, head, shapes):
    model = cases.model(name, head)
    rows = table(model)
    assert {row: rows[row][0] for row in shapes} == shapes
    assert "?" not in [cells[0] for row, cells in rows.items() if row != "total"]
    assert rows["total"] == f"{sum(int(np.prod(weight.shape)) for weight in model.weights):,}"


def test_nested_blocks():
    model = cases.model("bert", "masked_lm")
    rows = table(model, expand_nested=True, show_trainable=False)
    assert {"block_0", "block_1"} | BLOCK <= set(rows) and not BLOCK & set(table(model))
    block = model.stack.blocks[0]
    assert rows["block_0"] == ["(None, None, 12)", f"{block.count_params():,}"]
    assert sum(int(rows[part][1].replace(",", "")) for part in BLOCK) == block.count_params()
    assert {"cross", "cross_residual"} <= set(table(cases.model("t5", "seq2seq_lm"), expand_nested=True))


def test_inside_of_a_functional_model():
    ids = keras.Input((None,), dtype="int32")
    rows = table(keras.Model(ids, cases.model("bert")(ids)["pooled_output"]), expand_nested=True)
    assert rows["encoder"][0] == rows["ffn"][0] == "(None, None, 12)"


@pytest.mark.parametrize("name", cases.FAMILIES)
def test_the_shapes_are_those_of_the_outputs(name):
    model, batch = cases.model(name), cases.batch(name)
    outputs = model(batch)
    stack = model.decoder if model.is_seq2seq else model.stack
    assert stack.output_shape[-1] == outputs["sequence_output"].shape[-1] == model.embeddings.output_shape[-1] or (
        cases.CASES[name].architecture in cases.BASELINES)
    known = [layer for layer in flat_layers(model) if hasattr(layer, "output_shape")]
    assert len(known) > 3 and all(None in layer.output_shape for layer in known)

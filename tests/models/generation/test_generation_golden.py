"""`generate` of the reference, Hugging Face transformers: the same ids, and the same scores of beams."""

import json
from pathlib import Path

import numpy as np
import pytest

import tfplm

FOLDER = Path(__file__).parents[2] / "golden"
FILES = {path.stem: json.loads(path.read_text()) for path in sorted((FOLDER / "generation").glob("*.json"))
         if path.stem != "processors"}
QUICK = ("greedy_eos", "beam_4_length_penalty_2.0")  # of every model
SIMILAR = ("mbart", "openai-gpt", "t5-v1_1")  # to a model beside them
CASES = [(name, index) for name, file in FILES.items() for index in range(len(file["cases"]))]
NO_TOKENS = {"eos_token_id": [], "forced_bos_token_id": -1, "forced_eos_token_id": []}
_models = {}


def model_of(name: str):
    if name not in _models:
        weights = FILES[name]["weights"]
        _models[name] = tfplm.from_pretrained(FOLDER / "models" / weights, weights.rpartition("-")[2])
    return _models[name]


def until_end(row: list[int], ends: list[int], prompt: int) -> list[int]:
    """A row up to its first end token; the tokens after it differ between strategies."""
    for position in range(prompt, len(row)):
        if row[position] in ends:
            return list(row[:position + 1])
    return list(row)


def test_there_are_cases():
    assert len(CASES) == 134


def _parameters():
    for name, index in CASES:
        case = FILES[name]["cases"][index]["name"]
        marks = () if name == "gpt2" or case in QUICK else pytest.mark.all if name in SIMILAR else pytest.mark.slow
        yield pytest.param(name, index, id=f"{name}-{case}", marks=marks)


pytestmark = pytest.mark.usefixtures("eagerly")


@pytest.mark.parametrize("name,index", _parameters())
def test_reference(name, index):
    case = FILES[name]["cases"][index]
    arguments = {**NO_TOKENS, **case["arguments"]}
    batch = {key: np.array(value, np.int32) for key, value in case["inputs"].items()}
    beams = arguments.get("num_beams", 1) > 1
    found = model_of(name).generate(batch, return_scores=beams, **arguments)
    if beams:
        found, scores = found
        np.testing.assert_allclose(scores, case["sequences_scores"], atol=2e-4)
    ends = arguments["eos_token_id"]
    ends = [ends] if isinstance(ends, int) else ends
    prompt = batch["input_ids"].shape[1] if FILES[name]["weights"].endswith("causal_lm") else 1
    assert [until_end(row, ends, prompt) for row in found.tolist()] == \
        [until_end(row, ends, prompt) for row in case["sequences"]]

"""Processed distributions against those of the reference, Hugging Face transformers."""

import json
from pathlib import Path

import numpy as np
import pytest
from keras import ops

from tfplm.core.config import Config
from tfplm.models.generation import processors
from tfplm.models.generation.plan import make_plan
from tfplm.models.generation.rules import process
from tfplm.options.generate import GenerationOptions

CASES = json.loads((Path(__file__).parents[2] / "golden" / "generation" / "processors.json").read_text())["cases"]


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_reference(case):
    options = GenerationOptions(do_sample=True, max_new_tokens=8, **case["arguments"])
    plan, numbers = make_plan(Config(vocab_size=13), options, (False, False))
    history = np.pad(np.array(case["history"], np.int32), [(0, 0), (0, plan.new)])
    scores = process(plan, numbers, ops.convert_to_tensor(case["logits"], "float32"), history, np.zeros(3, np.int32), 0)
    np.testing.assert_allclose(np.asarray(ops.softmax(scores)), case["probabilities"], atol=2e-6)


def test_all_processors_have_a_case():
    assert len(CASES) == 12


def test_padding_does_not_count_as_history():
    history, real = np.array([[7, 7, 3, 4, 3]], np.int32), np.array([[False, False, True, True, True]])
    scores = ops.ones((1, 9))
    penalized = np.asarray(processors.repetition_penalty(scores, history, real, 2.0))[0]
    assert np.flatnonzero(penalized == 0.5).tolist() == [3, 4]
    forbidden = np.asarray(processors.no_repeat_ngram(scores, history, real, 5, 2))[0]
    assert np.flatnonzero(np.isinf(forbidden)).tolist() == [4]  # 3 4 occurred, and the text ends with 3
    one = np.array([[False, False, False, False, True]])
    assert np.isfinite(np.asarray(processors.no_repeat_ngram(scores, history, one, 5, 3))).all()


def test_a_minimum_number_of_tokens_is_kept():
    scores = ops.convert_to_tensor([[5.0, 1.0, 0.5, 0.0]])
    filters = processors.top_k(scores, 1, 2), processors.top_p(scores, 0.1, 2), processors.min_p(scores, 0.9, 2)
    for filtered in filters:
        assert np.flatnonzero(np.isfinite(np.asarray(filtered))[0]).tolist() == [0, 1]
    assert np.isfinite(np.asarray(processors.typical_p(scores, 0.01, 2))).sum() == 2


@pytest.mark.parametrize("length,width", [(1, 16), (16, 16), (17, 32), (64, 64), (65, 80), (128, 128), (129, 160),
                                          (1000, 1024)])
def test_bucket(length, width):
    from tfplm.models.generation.prompts import bucket
    assert bucket(length) == width

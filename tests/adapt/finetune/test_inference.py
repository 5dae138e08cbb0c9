"""Inference: outputs are in the order of the features, without padding, and independent of the batching."""

import numpy as np
import pytest

import tfplm
from tests.adapt.adapt_cases import TINY
from tfplm.adapt.finetune.inference import Inference
from tfplm.data.batches.batching import token_pads

LENGTHS = [5, 16, 1, 9, 8, 30, 5]


def features_of(lengths=LENGTHS):
    rng = np.random.RandomState(0)
    return [{"input_ids": rng.randint(5, 50, length).astype("int32"), "example": np.int32(index), "label": np.int32(0)}
            for index, length in enumerate(lengths)]


def test_order_and_padding():
    model = tfplm.from_config("bert-tiny", "token_classification", num_labels=3, **{**TINY, "vocab_size": 50})
    features = features_of()
    found = Inference(model)(features, ("label",), per_token=True)
    assert [row.shape for row in found] == [(length, 3) for length in LENGTHS]
    for row, feature in zip(found, features):
        np.testing.assert_allclose(row, np.asarray(model({"input_ids": feature["input_ids"][None]}))[0], atol=1e-5)


def test_dicts_of_outputs():
    model = tfplm.from_config("bert-tiny", "question_answering", **{**TINY, "vocab_size": 50})
    found = Inference(model)(features_of(), ("label",), per_token=True)
    assert [(row["start"].shape, row["end"].shape) for row in found] == [((length,), (length,)) for length in LENGTHS]


@pytest.mark.parametrize("labels", [2, 8, 16])
def test_number_of_labels_equal_to_the_width_of_a_batch(labels):
    model = tfplm.from_config("bert-tiny", "sequence_classification", num_labels=labels, **{**TINY, "vocab_size": 50})
    found = Inference(model)(features_of(), ("label",))
    assert [row.shape for row in found] == [(labels,)] * len(LENGTHS)


def test_no_features_and_progress():
    model = tfplm.from_config("bert-tiny", "sequence_classification", **{**TINY, "vocab_size": 50})
    calls = []

    class Progress:
        def advance(self, done, logs, counts):
            calls.append((done, counts()))

    inference = Inference(model)
    assert inference([]) == []
    inference(features_of([512] * 0 + [60] * 200), ("label",), Progress())
    assert calls[-1] == (200, {"examples": 200}) and len(calls) > 1


def test_padding_uses_the_pad_token_of_the_tokenizer():
    model = tfplm.from_config("gpt2", "sequence_classification",
                              **{**TINY, "vocab_size": 50, "pad_token_id": 49, "embedding_dropout_prob": 0.0})
    features = features_of()
    found = Inference(model, token_pads(49))(features, ("label",))
    for row, feature in zip(found, features):
        np.testing.assert_allclose(row, np.asarray(model({"input_ids": feature["input_ids"][None]}))[0], atol=1e-5)

"""The second head of pre-training has as many outputs as the checkpoint: two (BERT, ALBERT) or three (StructBERT)."""

import keras
import numpy as np
import pytest

import tfplm
from tests.models import cases, golden
from tfplm.core.config import read_json
from tfplm.models.pretrained.source import open_source


def outputs(model):
    return {key: value.numpy() for key, value in model(cases.batch("bert")).items()}


@pytest.mark.parametrize("form", ["hf", "tf1", "keras"])
@pytest.mark.parametrize("name", ["bert", "albert"])
def test_three_relations_are_restored(name, form, tmp_path):
    model = tfplm.from_config(cases.CASES[name], "pretraining", num_labels=3)
    expected = outputs(model)
    assert expected["next_sentence"].shape == (3, 3) and model.num_labels == 3
    if form == "keras":
        model.save(tmp_path / "model.keras")
        assert keras.models.load_model(tmp_path / "model.keras").num_labels == 3
    else:
        tfplm.save_pretrained(model, tmp_path, format=form)
    again = tfplm.from_pretrained(tmp_path, "pretraining")
    found = outputs(again)
    for key, array in expected.items():
        np.testing.assert_array_equal(found[key], array)


def test_transformers_reads_the_number_from_the_labels(tmp_path):
    model = tfplm.from_config(cases.CASES["albert"], "pretraining", num_labels=3)
    tfplm.save_pretrained(model, tmp_path / "3")
    assert read_json(tmp_path / "3" / "config.json")["id2label"] == {"0": "LABEL_0", "1": "LABEL_1", "2": "LABEL_2"}
    tfplm.save_pretrained(tfplm.from_config(cases.CASES["albert"], "pretraining"), tmp_path / "2")
    assert "id2label" not in read_json(tmp_path / "2" / "config.json")


def test_labels_of_a_classifier_are_not_relations(tmp_path):
    """The new second head of a model fine-tuned on 15 classes has two outputs."""
    config = cases.CASES["bert"].replace(id2label={index: str(index) for index in range(15)})
    tfplm.save_pretrained(tfplm.from_config(config, "sequence_classification"), tmp_path)
    assert outputs(tfplm.from_pretrained(tmp_path, "pretraining"))["next_sentence"].shape == (3, 2)


def test_another_number_of_relations_initializes_the_head(tmp_path):
    """Pre-training with `sop3` can start from a model with two relations; all other weights are kept."""
    model = tfplm.from_config(cases.CASES["albert"], "pretraining")
    tfplm.save_pretrained(model, tmp_path)
    again = tfplm.from_pretrained(tmp_path, "pretraining", num_labels=3)
    assert again.loading_report.fresh == ["next_sentence/bias", "next_sentence/kernel"]
    np.testing.assert_array_equal(outputs(again)["masked_lm"], outputs(model)["masked_lm"])


def test_the_reference_with_three():
    assert golden.load("albert-relations3-pretraining").num_labels == 3
    assert open_source(golden.FOLDER / "albert-relations3-pretraining").labels == ("LABEL_0", "LABEL_1", "LABEL_2")

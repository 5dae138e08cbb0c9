"""A config that does not belong to its weights is refused before a model is built from it."""

import resource
import time

import pytest

import tfplm
from tests.models import cases
from tfplm.core.config import read_json, write_json
from tfplm.models.pretrained import api


@pytest.fixture(scope="module", params=["bert", "t5", "gpt2", "albert"])
def saved(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    tfplm.save_pretrained(cases.model(request.param), folder)
    return folder, read_json(folder / "config.json")


NAMES = {"num_hidden_layers": ("num_hidden_layers", "num_layers", "n_layer"), "vocab_size": ("vocab_size",),
         "hidden_size": ("hidden_size", "d_model", "n_embd"), "num_hidden_groups": ("num_hidden_groups",),
         "intermediate_size": ("intermediate_size", "d_ff", "n_inner"), "type_vocab_size": ("type_vocab_size",),
         "max_position_embeddings": ("max_position_embeddings", "n_positions")}


@pytest.mark.parametrize("size", [24, 3_000, 10**6, 10**9, 2**31, 2**40])
@pytest.mark.parametrize("field", NAMES)
def test_nothing_is_built_or_allocated(saved, monkeypatch, field, size):
    folder, values = saved
    key = next((name for name in NAMES[field] if name in values), None)
    name = values["model_type"]
    undetermined = (name, field) == ("t5", "max_position_embeddings") or (name, field, size) == (
        "albert", "num_hidden_layers", 24)  # one block for all layers
    if key is None or undetermined:
        pytest.skip("the family has no such size, or the weights do not determine it")
    write_json(folder / "config.json", {**values, key: size})
    monkeypatch.setattr(api, "MODELS", {})
    memory, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
    with pytest.raises(ValueError, match=str(folder)):
        tfplm.from_pretrained(folder)
    assert time.perf_counter() - start < 5 and resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < 50_000


def test_labels_of_a_model():
    model = tfplm.from_config(cases.CASES["bert"], "sequence_classification", num_labels=5)
    assert model.num_labels == model.config.num_labels == 5 and model.id2label[4] == "LABEL_4"
    named = tfplm.from_config(cases.CASES["bert"].replace(id2label={0: "体育", 1: "财经"}), "token_classification")
    assert named.id2label == {0: "体育", 1: "财经"} and named.config.num_labels == 2


def test_a_config_that_only_this_library_understands_is_named_unless_it_is_harmless(tmp_path, caplog):
    config = cases.CASES["bert"].replace(crf=True)
    tfplm.save_pretrained(tfplm.from_config(config, "token_classification"), tmp_path)
    assert not caplog.records and tfplm.from_pretrained(tmp_path, "token_classification").config.crf
    tfplm.save_pretrained(tfplm.from_config(config.replace(norm_placement="pre")), tmp_path)
    assert "the saved config has keys that only tfplm understands: norm_placement" in caplog.text

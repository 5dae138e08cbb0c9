"""The shapes of models match the names and shapes of published checkpoints."""

import functools

import pytest

from tests.models.pretrained import published
from tfplm.core.checkpoints.tf1 import is_weight
from tfplm.families import registry
from tfplm.models.pretrained.matching import match
from tfplm.models.pretrained.recognition import recognize

HF = {name: stored for name, stored in published.stored().items()
      if stored["config"]["model_type"] in registry.families()}
TF1 = {name: stored for name, stored in published.stored("tf1").items()
       if "xlnet" not in name and "brightmart" not in name}


def test_cases():
    assert len(HF) >= 28 and len(TF1) == 11
    unpublished = {"textcnn", "bilstm"}
    assert {stored["config"]["model_type"] for stored in HF.values()} >= set(registry.families()) - unpublished


def _names():
    """The first of each family, and the others, which are slow."""
    families = [stored["config"]["model_type"] for stored in HF.values()]
    for index, name in enumerate(HF):
        yield pytest.param(name, marks=[pytest.mark.slow] if families[index] in families[:index] else [])


@functools.cache
def _shapes(name, head):
    config = HF[name]["config"]
    return published.shapes(registry.family(config["model_type"]), config, head)


@pytest.mark.parametrize("published_file", [False, True], ids=["today", "file"])
@pytest.mark.parametrize("name", _names())
def test_hugging_face(name, published_file):
    stored, family = HF[name], registry.family(HF[name]["config"]["model_type"])
    tensors = published.as_published(stored) if published_file else stored["tensors"]
    checkpoint = published.checkpoint(name, "hf", tensors)
    heads = [None] if published_file else {family.head_of(stored["architecture"]), None}
    for head in heads:
        shapes = _shapes(name, head)
        result = match(shapes, checkpoint, family.names)
        fresh = {path.partition("/")[0] for path in result.missing}
        assert fresh <= ({"pooler"} if head is None else set()), fresh
        assert set(result.found) | set(result.missing) == set(shapes)
        assert set(result.ignored) <= set(tensors)
        if head is not None and not published_file:
            unused = {key for key in result.ignored if not key.startswith(family.names.hf_prefix + "pooler")}
            assert not unused


# the size of a generator is not in the discriminator's config
GENERATORS = {"electra_small": {}, "electra_base": {"hidden_size": 256, "num_attention_heads": 4,
                                                    "intermediate_size": 1024}}
TF1_HEADS = {"classifier": ["sequence_classification"], "squad": ["question_answering"],
             "electra": ["replaced_token_detection", "masked_lm"], "gpt2": ["causal_lm"]}


@pytest.mark.parametrize("name", TF1)
def test_tf1(name):
    stored = TF1[name]
    tensors = {key: shape for key, shape in stored["tensors"].items() if is_weight(key, stored["tensors"])}
    checkpoint = published.checkpoint(name, "tf1", tensors)
    family = recognize(stored["config"], checkpoint, checkpoint.path)
    heads = next((heads for part, heads in TF1_HEADS.items() if part in name), ["pretraining", "masked_lm"])
    for head in [*heads, None]:
        changes = GENERATORS[name] if head == "masked_lm" and name in GENERATORS else {}
        labels = 3 if head == "sequence_classification" else None
        shapes = published.shapes(family, stored["config"], head, num_labels=labels, **changes)
        result = match(shapes, checkpoint, family.names_for(head))
        assert not result.missing
        assert set(result.found) == set(shapes)
        other = {key for key in result.ignored if "adam" in key or "global_step" in key}
        assert not other
        if head in ("pretraining", "sequence_classification", "causal_lm"):
            assert not result.ignored


def test_tf1_albert_computes_gelu_by_tanh():
    stored, family = TF1["albert_base_v2"], registry.family("albert")
    assert family.read_config(stored["config"], "tf1").hidden_act == "gelu_new"
    assert family.read_config(stored["config"]).hidden_act == "gelu"


def test_brightmarts_albert_is_rejected_by_its_tensors():
    """Its factorized embeddings differ (a matrix without bias, before positions and norm), which is an error."""
    stored = published.stored("tf1")["albert_tiny_zh_brightmart"]
    checkpoint = published.checkpoint("tiny", "tf1", stored["tensors"])
    with pytest.raises(ValueError, match=r"tiny has \d+ tensors such as bert/\S+: it is an ALBERT of .*brightmart"):
        recognize(stored["config"], checkpoint, checkpoint.path)

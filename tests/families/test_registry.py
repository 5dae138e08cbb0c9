"""Families and presets by name."""

import importlib
import pkgutil

import pytest

import tfplm.families as package
from tfplm.families import registry

FILES = [module.name for module in pkgutil.iter_modules(package.__path__) if module.name not in ("published", "registry")]
TOKENIZER_ONLY = {"xlnet"}


def test_every_file_is_a_family():
    types = {importlib.import_module(f"{package.__name__}.{name}").MODEL_TYPE for name in FILES}
    assert types == set(registry.families()) | TOKENIZER_ONLY and len(types) == len(FILES) >= 13


@pytest.mark.parametrize("name", FILES)
def test_files_are_short_and_have_no_class(name):
    source = importlib.import_module(f"{package.__name__}.{name}").__loader__.get_source(None)
    assert len(source.splitlines()) < 110 and "\nclass " not in source


def test_no_two_families_share_ten_lines():
    lines = {name: [line.strip() for line in importlib.import_module(f"{package.__name__}.{name}").__loader__.get_source(
        None).splitlines() if line.strip()] for name in FILES}
    runs = {}
    for name, text in lines.items():
        for start in range(len(text) - 9):
            assert runs.setdefault(tuple(text[start:start + 10]), name) == name, text[start]


@pytest.mark.parametrize(("name", "message"), [
    ("bert-base-chinse", "there is no preset 'bert-base-chinse'; the nearest are bert-base-chinese"),
    ("zzzz", "there is no preset 'zzzz'; `tfplm presets` lists all"),
])
def test_unknown_preset(name, message):
    with pytest.raises(ValueError, match=message):
        registry.preset(name)


def test_unknown_family():
    with pytest.raises(ValueError, match="model_type 'robertaa' is not supported; did you mean 'roberta'.*expected"):
        registry.family("robertaa")


@pytest.mark.parametrize(("family", "head", "architecture", "expected"), [
    ("bert", None, "encoder", "BertModel"), ("bert", "causal_lm", "encoder", "BertLMHeadModel"),
    ("roberta", "causal_lm", "encoder", "RobertaForCausalLM"), ("gpt2", "causal_lm", "decoder", "GPT2LMHeadModel"),
    ("electra", "replaced_token_detection", "encoder", "ElectraForPreTraining"),
    ("t5", "seq2seq_lm", "seq2seq", "T5ForConditionalGeneration"), ("mt5", None, "encoder", "MT5EncoderModel"),
    ("openai-gpt", "sequence_classification", "decoder", "OpenAIGPTForSequenceClassification"),
])
def test_class_names(family, head, architecture, expected):
    assert registry.family(family).class_name(head, architecture) == expected


def test_where_presets_were_published():
    """Each preset has a paper, and at most one repository, in which it is named."""
    from tfplm.families import published
    assert all(published.paper(name) for name in registry.presets())
    named = " ".join(published.REPOSITORIES.values()).split()
    assert len(named) == len(set(named)) > 70 and set(named) <= set(registry.presets())
    assert published.repository("bert-base-chinese") == "google-bert/bert-base-chinese"
    assert published.paper("t5-v1_1-xl") == "Shazeer 2020" and published.repository("gpt3-xl") is None

"""The public names, on which users' code relies."""

import inspect

import pytest

import tfplm

SIGNATURES = {
    "from_pretrained": ["source", "head", "num_labels", "dtype", "config_overrides"],
    "from_config": ["preset_or_config", "head", "num_labels", "dtype", "overrides"],
    "save_pretrained": ["model", "directory", "tokenizer", "format"],
    "presets": [],
}


@pytest.mark.parametrize("name", SIGNATURES)
def test_signatures(name):
    assert list(inspect.signature(getattr(tfplm, name)).parameters) == SIGNATURES[name]


def test_names():
    assert set(SIGNATURES) | {"Tokenizer", "count_parameters", "__version__"} <= set(tfplm.__all__)
    assert set(dir(tfplm)) >= set(tfplm.__all__)
    for name in tfplm.__all__:
        assert getattr(tfplm, name) is not None
    with pytest.raises(AttributeError, match="module 'tfplm' has no attribute 'from_pretraned'"):
        tfplm.from_pretraned


def test_presets_of_the_issue():
    names = set(tfplm.presets())
    assert {"bert-base-chinese", "chinese-roberta-wwm-ext", "chinese-macbert-base", "rbt3", "roberta-base",
            "xlm-roberta-base", "albert-xxlarge-v2", "electra-small-discriminator", "electra-small-generator",
            "distilbert-base-uncased", "spanbert-base-cased", "ernie-1.0-base-zh", "ernie-2.0-base-en",
            "minilm-l6-h384", "tinybert-4l-312d", "openai-gpt", "gpt2", "gpt3-175b", "bart-base", "mbart-large-cc25",
            "t5-11b", "t5-v1_1-base", "mt5-small", "unilm-base-cased"} <= names


def test_from_config_save_and_load(tmp_path):
    """from_config -> save_pretrained -> from_pretrained, as in the documentation."""
    model = tfplm.from_config("bert-tiny", "masked_lm", num_hidden_layers=1)
    tfplm.save_pretrained(model, tmp_path)
    loaded = tfplm.from_pretrained(tmp_path, "masked_lm")
    assert tfplm.count_parameters(loaded) == tfplm.count_parameters(model)
    assert {path.name for path in tmp_path.iterdir()} == {"config.json", "model.safetensors"}

"""Counts of parameters equal the published ones, and need no memory."""

import sys

import keras
import pytest

import tfplm
from tfplm import cli
from tfplm.core.config import Config
from tfplm.families import registry
from tfplm.models.pretrained.counting import parameters_by_name

PUBLISHED = {
    "bert-base-uncased": 109_482_240, "bert-base-cased": 108_310_272, "bert-base-chinese": 102_267_648,
    "chinese-bert-wwm": 102_267_648, "chinese-bert-wwm-ext": 102_267_648, "chinese-roberta-wwm-ext": 102_267_648,
    "chinese-macbert-base": 102_267_648, "bert-base-multilingual-cased": 177_853_440,
    "bert-large-uncased": 335_141_888, "bert-large-cased": 333_579_264, "bert-tiny": 4_385_920,
    "bert-mini": 11_170_560, "bert-small": 28_763_648, "bert-medium": 41_373_184,
    "spanbert-base-cased": 108_310_272, "unilm-base-cased": 108_310_272,
    "tinybert-4l-312d": 14_350_248, "tinybert-6l-768d": 66_955_008,
    "minilm-l12-h384": 33_360_000, "minilm-l6-h384": 22_713_216,
    "roberta-base": 124_645_632, "roberta-large": 355_359_744,
    "xlm-roberta-base": 278_043_648, "xlm-roberta-large": 559_890_432,
    "albert-base-v2": 11_683_584, "albert-large-v2": 17_683_968, "albert-xlarge-v2": 58_724_864,
    "albert-xxlarge-v2": 222_595_584,
    "electra-small-discriminator": 13_483_008, "electra-base-discriminator": 108_891_648,
    "electra-large-discriminator": 334_092_288, "distilbert-base-uncased": 66_362_880,
    "openai-gpt": 116_534_784, "gpt2": 124_439_808, "gpt2-medium": 354_823_168, "gpt2-large": 774_030_080,
    "gpt2-xl": 1_557_611_200, "t5-small": 60_506_624, "t5-base": 222_903_552, "t5-large": 737_668_096,
    "modernbert-base": 149_014_272, "modernbert-large": 394_781_696,
    "bart-base": 139_420_416, "bart-large": 406_291_456, "mbart-large-cc25": 610_851_840,
}
WITH_HEAD = {
    ("bert-base-uncased", "pretraining"): 110_106_428, ("bert-base-uncased", "masked_lm"): 109_514_298,
    ("roberta-base", "masked_lm"): 124_697_433, ("gpt2", "causal_lm"): 124_439_808,
    ("t5-v1_1-small", "seq2seq_lm"): 76_961_152, ("t5-v1_1-base", "seq2seq_lm"): 247_577_856,
    ("mt5-small", "seq2seq_lm"): 300_176_768, ("electra-small-generator", "masked_lm"): 13_546_682,
    ("electra-base-generator", "masked_lm"): 33_740_602, ("bart-large-cnn", "seq2seq_lm"): 406_340_696,
    ("modernbert-base", "masked_lm"): 149_655_232, ("modernbert-large", "masked_lm"): 395_881_664,
    ("ernie-1.0-base-zh", "masked_lm"): 99_885_648, ("ernie-3.0-base-zh", "masked_lm"): 117_986_368,
}


SIZES = ("large", "medium", "xl", "mini", "small-", "t5-base", "tinybert-6l", "minilm-l6")  # of a family counted beside


@pytest.mark.parametrize("preset", [
    pytest.param(name, marks=pytest.mark.slow) if any(size in name for size in SIZES) else name for name in PUBLISHED])
def test_published(preset):
    assert tfplm.count_parameters(preset) == PUBLISHED[preset]


@pytest.mark.parametrize(("preset", "head"), WITH_HEAD)
def test_published_with_head(preset, head):
    assert tfplm.count_parameters(preset, head) == WITH_HEAD[preset, head]


def test_baselines():
    words, lstm = 30_522 * 300, 4 * 256 * (300 + 256 + 1) * 2
    assert tfplm.count_parameters("textcnn") == words + (3 + 4 + 5) * 300 * 100 + 3 * 100
    assert tfplm.count_parameters("bilstm") == words + lstm
    assert tfplm.count_parameters("bilstm-2-layers") == words + lstm + 4 * 256 * (512 + 256 + 1) * 2


def test_roberta_without_pooler():
    by_name = parameters_by_name("roberta-base")
    assert sum(size for path, size in by_name.items() if not path.startswith("pooler/")) == 124_055_040


def test_large_models_need_no_memory():
    resource = pytest.importorskip("resource")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert tfplm.count_parameters("t5-11b") == 11_307_321_344
    width = 12288
    assert tfplm.count_parameters("gpt3-175b") == 174_604_259_328 == (
        (50257 + 2048) * width + 96 * (12 * width**2 + 13 * width) + 2 * width)
    keras.Sequential([keras.layers.Dense(2)])(keras.Input((3,)))  # here Keras would allocate the variables
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 400 * 2 ** (20 if sys.platform == "darwin" else 10)


def test_sharing():
    """ALBERT's table 4 (in millions), with E = 128; the exact sums follow from the shapes."""
    base = {**registry.preset("albert-base-v2").to_dict(), "num_hidden_groups": 1}
    count = {share: tfplm.count_parameters(Config.from_dict({**base, "share": share}))
             for share in ("none", "attention", "ffn", "all")}
    attention = 4 * (768 * 768 + 768) + 2 * 768
    ffn = 768 * 3072 + 3072 + 3072 * 768 + 768 + 2 * 768
    assert count["all"] == 11_683_584
    assert count["attention"] == count["all"] + 11 * ffn
    assert count["ffn"] == count["all"] + 11 * attention
    assert count["none"] == count["all"] + 11 * (attention + ffn)
    published = {"all": 12e6, "attention": 64e6, "ffn": 38e6, "none": 89e6}
    assert all(abs(count[share] - number) < 1e6 for share, number in published.items())


def test_params_of_a_variant_by_weight(terminal, capsys):
    assert cli.main(["params", "bert-tiny", "--vocab-size", "500", "--num-hidden-layers", "1", "--by-weight"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["embeddings/word/embeddings", "64,000", f"{64_000 / 344_832:.1%}", "500", "x", "128"]
    assert lines[-1].split() == ["total", "344,832"]
    assert not any("block_1" in line for line in lines)
    assert cli.main(["params", "bert-tiny", "--by-layer", "--by-weight"]) == 1
    assert "expected one of the two tables: omit one of them" in capsys.readouterr().err


def test_groups_and_inner_blocks():
    config = registry.preset("albert-base-v2")
    block = 4 * (768 * 768 + 768) + 2 * 768 + 768 * 3072 + 3072 + 3072 * 768 + 768 + 2 * 768
    for fields in ({"num_hidden_groups": 3}, {"inner_group_num": 3}):
        assert tfplm.count_parameters(config.replace(**fields)) == 11_683_584 + 2 * block


def test_factorization_saves_parameters():
    """V x H against V x E + E x H (ALBERT, section 3.1), and also the rows of positions and token types."""
    full = Config(vocab_size=30_000)
    words = 30_000 * 768 - (30_000 * 128 + 128 * 768)
    assert words == 19_101_696
    others = (512 + 2 + 2) * (768 - 128) - 768  # position and type rows, the norm; the projection has a bias
    saved = tfplm.count_parameters(full) - tfplm.count_parameters(full.replace(embedding_size=128))
    assert saved == words + others


def test_a_model_has_as_many_parameters_as_its_preset():
    model = tfplm.from_config("bert-tiny", "masked_lm")
    assert tfplm.count_parameters(model) == tfplm.count_parameters("bert-tiny", "masked_lm") == model.count_params()
    assert parameters_by_name(model) == parameters_by_name("bert-tiny", "masked_lm")


def test_every_preset_is_a_model():
    names = tfplm.presets()
    assert len(names) == len(set(names)) > 75
    assert all(registry.preset(name).vocab_size > 8_000 for name in names)

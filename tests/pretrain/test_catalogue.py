"""Names, sums and mixtures of objectives, and the head and preset that they determine."""

import pytest

from tfplm.pretrain.objectives.catalogue import default_preset, parse_objective, saved_classes, saved_head


def test_syntax():
    (plan,) = parse_objective("MLM:1 + sop:0.5")
    assert plan.terms == (("mlm", 1.0), ("sop", 0.5)) and plan.share == 1 and plan.packing == "order"
    plans = parse_objective("mlm+nsp@3, clm")
    assert [(plan.text, plan.share) for plan in plans] == [("mlm+nsp", 3.0), ("clm", 1.0)]
    assert saved_head(plans) == "pretraining" and saved_head(parse_objective("unilm")) == "masked_lm"
    assert saved_head(parse_objective("rtd+sop")) == "replaced_token_detection"
    assert saved_head(parse_objective("emoji+mlm")) == "masked_lm" and saved_head(parse_objective("clm")) == "causal_lm"


def test_classes_of_the_saved_head():
    assert saved_classes(parse_objective("emoji"), ("☀",)) == ("☀",)
    assert saved_classes(parse_objective("emoji,tagging"), ("☀",)) == ("B", "M", "E", "S")
    assert saved_classes(parse_objective("mlm+tagging"), ()) is None


@pytest.mark.parametrize("objective, preset", [
    ("mlm+nsp", "bert-base-uncased"), ("rtd+sop", "electra-small-discriminator"), ("clm", "gpt2"),
    ("clm,clm-reverse", "gpt2"), ("clm,mlm", "bert-base-uncased"), ("span-corruption", "t5-small"),
    ("mass,span-corruption", "bart-base")])
def test_default_preset(objective, preset):
    """That of the first objective among those that can train the fewest architectures."""
    assert default_preset(parse_objective(objective)) == preset


@pytest.mark.parametrize("text, message", [
    ("mlmm", "there is no objective 'mlmm'; did you mean 'mlm'\\? Expected one or more of clm, .*mlm, nsp"),
    ("mlm+", "there is no objective ''"),
    ("mlm:0", "objective 'mlm:0' has the weight '0'; expected a number above 0: write it as in mlm:1"),
    ("mlm@x", "objective 'mlm@x' has the weight 'x'; expected a number above 0"),
    ("mlm+mlm", "both change the tokens|names one objective twice"),
    ("mlm+rtd", "mlm and rtd both change the tokens of a batch, so they cannot share a batch; train on batches of each: "
                "mlm,rtd"),
    ("nsp+sop", "nsp and sop both determine what an example consists of"),
    ("denoising+nsp", "its objectives need different architectures \\(denoising: seq2seq; nsp: encoder\\)"),
    ("mlm,denoising", "its tasks need different architectures \\(mlm: encoder; denoising: seq2seq\\)"),
    ("rtd,mlm", "rtd trains a model without a projection to the vocabulary, so it cannot be combined"),
])
def test_impossible_objectives(text, message):
    with pytest.raises(ValueError, match=message):
        saved_head(parse_objective(text))

"""The relevance of pairs by a cross-encoder: of `tfplm finetune`, of sentence-transformers, of other programs."""

import json

import numpy as np
import pytest

import tfplm
from tests.adapt.adapt_cases import BAD, GOOD, save_bert
from tests.serve.engines.test_classify_engine import classifier, engine_of
from tfplm.adapt.finetune.result import save_task
from tfplm.adapt.tasks.task import TaskSettings
from tfplm.adapt.tasks.texts import Classification, Regression
from tfplm.data.tasks.labels import LabelMap
from tfplm.serve.engines.rerank_engine import RerankEngine, positive_label

PAIRS = [(GOOD[0], text) for text in (*BAD[:5], "", "好" * 300)]


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return save_bert(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def folder(base, tmp_path_factory):
    """One output over pairs, as sentence-transformers 5 writes a CrossEncoder."""
    path = tmp_path_factory.mktemp("cross-encoder")
    classifier(base, path, 1)
    (path / "modules.json").write_text(json.dumps([{"idx": 0, "name": "0", "path": "", "type": "Transformer"}]))
    (path / "config_sentence_transformers.json").write_text(json.dumps({"model_type": "CrossEncoder", "prompts": {},
                                                                        "default_prompt_name": None}))
    return path


def logits_of(folder, labels=1):
    model, tokenizer = tfplm.from_pretrained(folder, "sequence_classification"), tfplm.Tokenizer.from_pretrained(folder)
    return np.concatenate([np.asarray(model(tokenizer([first], [second], max_length=64), training=False))
                           for first, second in PAIRS])


def scores_of(engine) -> list[float]:
    return [each.score for each in engine.encode(PAIRS)]


def test_the_score_is_the_sigmoid_of_one_output(folder):
    engine = engine_of(folder)
    assert isinstance(engine, RerankEngine) and engine.info.interfaces == ("rerank",)
    np.testing.assert_allclose(scores_of(engine), 1 / (1 + np.exp(-logits_of(folder)[:, 0])), atol=1e-5)
    assert [each.tokens for each in engine.encode(PAIRS)][-2:] == [len(GOOD[0]) + 3, 64]


def test_large_outputs_do_not_overflow(folder):
    engine = engine_of(folder)
    assert [engine._score({"value": value}) for value in (-1e30, -800.0, 0.0, 800.0)] == [0.0, 0.0, 0.5, 1.0]


def test_a_regression_of_tfplm_over_pairs(base, tmp_path):
    classifier(base, tmp_path, 1)
    save_task(Regression(tfplm.Tokenizer.from_pretrained(base), TaskSettings(max_length=64, pairs=True)), tmp_path)
    np.testing.assert_allclose(scores_of(engine_of(tmp_path)), 1 / (1 + np.exp(-logits_of(tmp_path)[:, 0])), atol=1e-5)


@pytest.mark.parametrize("options, column", [({}, 0), ({"positive_label": "not_entailment"}, 1)])
def test_a_classification_of_tfplm_over_pairs(base, tmp_path, options, column):
    names = ["entailment", "not_entailment"]  # as they are sorted
    classifier(base, tmp_path, 2, id2label=dict(enumerate(names)))
    settings = TaskSettings(max_length=64, pairs=True)
    save_task(Classification(tfplm.Tokenizer.from_pretrained(base), settings, LabelMap(names)), tmp_path)
    logits = np.exp(logits_of(tmp_path))
    expected = (logits / logits.sum(1, keepdims=True))[:, column]
    np.testing.assert_allclose(scores_of(engine_of(tmp_path, engine="rerank", **options)), expected, atol=1e-5)


@pytest.mark.parametrize("names, expected", [
    (("0", "1"), "1"), (("LABEL_0", "LABEL_1"), "LABEL_1"), (("no", "yes"), "yes"), (("False", "True"), "True"),
    (("duplicate", "not_duplicate"), "duplicate"), (("irrelevant", "relevant"), "relevant"), (("相关", "不相关"), "相关"),
    (("negative", "positive"), "positive"), (("entailment", "non-entailment"), "entailment"),
    (("similar", "Dissimilar"), "similar"), (("是", "否"), "是")])
def test_the_label_of_relevant_pairs(names, expected):
    assert positive_label(names) == expected and positive_label(names[::-1]) == expected


@pytest.mark.parametrize("names, wanted, reason", [
    (("cat", "dog"), None, "the labels are cat, dog, expected two, one of which denies the other: name .*--positive-label"),
    (("a", "b", "not_a"), None, "expected two"), (("no", "not_a"), None, "expected two"),
    (("unit", "distance"), None, "expected two"),
    (("no", "yes"), "yess", "positive_label is 'yess', but the labels are no, yes; did you mean 'yes'")])
def test_a_label_is_not_guessed(names, wanted, reason):
    with pytest.raises(ValueError, match=reason):
        positive_label(names, wanted)


def test_a_cross_encoder_with_a_prompt_is_refused(folder, tmp_path):
    (tmp_path / "config_sentence_transformers.json").write_text('{"default_prompt_name": "query"}')
    with pytest.raises(ValueError, match="has the default prompt 'query', which is not understood here"):
        engine_of(tmp_path, engine="rerank")

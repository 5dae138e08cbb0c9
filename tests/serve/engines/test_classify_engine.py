"""Classes by a model of `tfplm finetune`, and by classifiers that other programs made."""

import json

import numpy as np
import pytest

import tfplm
from tests.adapt.adapt_cases import BAD, GOOD, save_bert, train, write_texts
from tests.models.portable.portable_cases import needs
from tfplm.adapt.finetune.predictor import Predictor
from tfplm.adapt.finetune.result import save_task
from tfplm.adapt.tasks.task import TaskSettings
from tfplm.adapt.tasks.texts import Classification
from tfplm.data.tasks.labels import LabelMap
from tfplm.options.serve import ServeOptions
from tfplm.serve import command
from tfplm.serve.engines.catalogue import make_engine

PAIRS = [(GOOD[0], BAD[0]), (GOOD[1], "")]


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return save_bert(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def finetuned(base, tmp_path_factory):
    folder = tmp_path_factory.mktemp("finetuned")
    train(base, folder / "model", data=str(write_texts(folder / "data", ("train", "dev"), repeat=2)), epochs=1)
    return folder / "model"


@pytest.fixture(scope="module")
def engine(finetuned):
    return engine_of(finetuned)


def engine_of(folder, **options):
    return make_engine(ServeOptions(source=str(folder), **{"warm_up": False, **options}))


def classifier(base, folder, labels=3, **changes):
    """A folder as `transformers` writes it, without a task."""
    model = tfplm.from_pretrained(base, "sequence_classification", num_labels=labels, **changes)
    tfplm.save_pretrained(model, folder, tfplm.Tokenizer.from_pretrained(base))
    return model


def test_labels_of_texts_are_those_of_the_fine_tuning(engine, finetuned):
    texts = [*GOOD[:3], BAD[0], "", "好" * 500]
    found = engine.join(engine.encode(texts))
    for labels, expected in zip(found, Predictor.from_pretrained(finetuned).predict(texts), strict=True):
        assert [set(each) for each in labels] == [{"label", "score"}] * 2
        assert {each["label"]: pytest.approx(each["score"], abs=1e-5) for each in labels} == expected["probabilities"]
        assert labels[0]["label"] == expected["label"] and labels[0]["score"] >= labels[1]["score"]
    assert engine.info.interfaces == ("tasks",) and json.dumps(found)
    assert engine.cost(texts) == len(texts) * 2 * (8 + len("好评".encode()))


def test_texts_and_pairs_do_not_depend_on_their_neighbours(engine):
    """A text beside a pair stays a text, and rows that only fill a batch do not show."""
    inputs = [*GOOD, PAIRS[0], BAD[0], PAIRS[1], *BAD[1:]]  # 18: batches have 1, 2, ..., 8, 16, 24 rows
    together = engine.encode(inputs)
    for one, other in zip(together, [engine.encode([each])[0] for each in inputs], strict=True):
        assert [each["label"] for each in one] == [each["label"] for each in other]
        np.testing.assert_allclose([each["score"] for each in one], [each["score"] for each in other], atol=1e-5)


def test_a_classifier_of_another_program(base, tmp_path):
    model = classifier(base, tmp_path, id2label={0: "bad", 1: "so so", 2: "good"})
    engine = engine_of(tmp_path)
    batch = tfplm.Tokenizer.from_pretrained(base)([GOOD[0]])
    logits = np.asarray(model(batch, training=False))[0]
    scores = {each["label"]: each["score"] for each in engine.encode([GOOD[0]])[0]}
    expected = np.exp(logits) / np.exp(logits).sum()
    np.testing.assert_allclose([scores[name] for name in ("bad", "so so", "good")], expected, atol=1e-5)


@pytest.mark.parametrize("labels, problem, names, function", [
    (2, None, ["LABEL_0", "LABEL_1"], "softmax"), (2, "multi_label_classification", ["LABEL_0", "LABEL_1"], "sigmoid"),
    (1, "regression", ["LABEL_0"], "none")])
def test_scores_are_what_the_model_was_trained_for(base, tmp_path, labels, problem, names, function):
    model = classifier(base, tmp_path, labels, problem_type=problem)
    engine = engine_of(tmp_path, engine="classify")
    (found,) = engine.encode([GOOD[0]])
    logits = np.asarray(model(tfplm.Tokenizer.from_pretrained(base)([GOOD[0]]), training=False))[0]
    expected = {"softmax": np.exp(logits) / np.exp(logits).sum(), "sigmoid": 1 / (1 + np.exp(-logits)), "none": logits}
    assert sorted(each["label"] for each in found) == names and engine.info.settings["function_to_apply"] == function
    np.testing.assert_allclose([each["score"] for each in sorted(found, key=lambda each: each["label"])],
                               expected[function], atol=1e-5)


def test_length(finetuned):
    assert engine_of(finetuned).model.task.settings.max_length == 32  # that of the fine-tuning
    assert engine_of(finetuned, max_seq_len=9).model.predict(["好" * 20])[0].tokens == 9
    assert engine_of(finetuned, max_seq_len="NONE").model.predict(["好" * 90])[0].tokens == 64
    with pytest.raises(ValueError, match="max_seq_len is 65, but the model has positions for 64"):
        engine_of(finetuned, max_seq_len=65)


def test_a_warm_engine_gives_the_same(finetuned, engine):
    warm = engine_of(finetuned, warm_up=True)
    assert warm.encode(GOOD[:1])[0] == [{**each, "score": pytest.approx(each["score"], abs=1e-5)}
                                        for each in engine.encode(GOOD[:1])[0]]


def test_a_fine_tuned_folder_is_served_as_it_is(finetuned, engine, monkeypatch):
    """`tfplm serve FOLDER`: the engine and the port need not be named."""
    httpx = pytest.importorskip("httpx")
    monkeypatch.setattr(command, "HTTP_PORT", 0)
    with command.make_server(ServeOptions(source=str(finetuned), quiet=True, warm_up=False)) as server:
        assert command.describe_addresses(server) == f"serving at http://127.0.0.1:{server.http_port}"
        reply = httpx.post(f"http://127.0.0.1:{server.http_port}/predict", json={"inputs": GOOD[0]}, timeout=60)
    assert reply.json() == [{**each, "score": pytest.approx(each["score"], abs=1e-5)}
                            for each in engine.encode([GOOD[0]])[0]]


def test_what_is_no_classifier_is_refused(base, tmp_path):
    with pytest.raises(ValueError, match=r"no trained classifier \(its head: none\); expected a model that was fine-tuned"):
        engine_of(base, engine="classify")
    save_bert(tmp_path)
    save_task(Classification(tfplm.Tokenizer.from_pretrained(base), TaskSettings(), LabelMap(["a", "b"])), tmp_path)
    task = json.loads((tmp_path / "task.json").read_text()) | {"task": "tagging"}
    (tmp_path / "task.json").write_text(json.dumps(task))
    with pytest.raises(ValueError, match="is a model of the task tagging, expected one that .*: tfplm predict opens it"):
        engine_of(tmp_path, engine="classify")


def test_scores_that_are_no_numbers_fail(finetuned):
    engine = engine_of(finetuned)
    for weight in engine.model.model.weights:
        if weight.path.endswith("classifier/bias"):
            weight.assign([np.nan] * weight.shape[0])
    with pytest.raises(ValueError, match="scores are .*nan.*, expected finite numbers"):
        engine.encode(["a"])


@pytest.mark.slow
def test_another_program_gives_the_same_scores(engine, finetuned):
    needs("onnx")
    texts = [*GOOD, *PAIRS, BAD[0] * 20]
    for one, other in zip(engine.encode(texts), engine_of(finetuned, backend="onnx").encode(texts)):
        assert [each["label"] for each in one] == [each["label"] for each in other]
        np.testing.assert_allclose([each["score"] for each in one], [each["score"] for each in other], atol=1e-5)

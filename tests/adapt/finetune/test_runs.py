"""Training runs: best weights, early stopping, seeds, resuming, cross-validation."""

import json
import shutil
import signal

import keras
import numpy as np
import pytest

import tfplm
from tests.adapt.adapt_cases import BAD, GOOD, TINY, train, write_texts
from tfplm.adapt.finetune import training as run_module
from tfplm.adapt.finetune.callbacks import BestWeights
from tfplm.adapt.finetune.predictor import Predictor
from tfplm.models.pretrained.weights import named_variables
from tfplm.training.loop.progress import Progress

SMALL = [*((text, "好评") for text in GOOD[:4]), *((text, "差评") for text in BAD[:4])]


@pytest.fixture(autouse=True, scope="module")
def interruptible():
    """Restores the SIGINT handler: shells start background processes with SIGINT ignored, and children inherit that."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Eight rows: in batches of two, three epochs have twelve batches."""
    return write_texts(tmp_path_factory.mktemp("small"), ("train", "dev"), SMALL, repeat=1)


def weights(model) -> dict:
    return {path: variable.numpy() for path, variable in named_variables(model).items()}


def same(one: dict, other: dict) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(one[path], other[path]) for path in one)


@pytest.mark.parametrize("scores, kept", [((0.5, 0.9, 0.7), 1), ((0.5, 0.5), 0), ((float("nan"), 0.1), 1),
                                          ((float("nan"),), None)])
def test_best_weights(tmp_path, scores, kept):
    model = tfplm.from_config("bert-tiny", "sequence_classification", **TINY)
    best = BestWeights(tmp_path / "checkpoints" / "best.npz", "val_accuracy", model)
    bias = model.head.classifier.bias
    for epoch, score in enumerate(scores):
        bias.assign([epoch, epoch])
        best.on_epoch_end(epoch, {"val_accuracy": score})
    bias.assign([99, 99])
    best.restore()
    assert bias.numpy().tolist() == ([99, 99] if kept is None else [kept, kept])
    assert not list(tmp_path.rglob("*.part"))
    with pytest.raises(ValueError, match="the logs have loss, but not val_accuracy: place a callback"):
        best.on_epoch_end(0, {"loss": 1.0})


def test_early_stopping(tiny, small, tmp_path):
    result = train(tiny, tmp_path / "model", data=str(small), epochs=9, patience=2, learning_rate=0.0, train="head")
    assert len(result.history["loss"]) == 3  # the first is the best, followed by two that are not better
    assert json.loads((tmp_path / "model" / "finetune.json").read_text(encoding="utf-8"))["learning_rate"] == 0.0
    start = weights(tfplm.from_pretrained(tiny, None))
    assert all(np.array_equal(value, start[path]) for path, value in weights(result.model).items() if path in start
               and path.startswith("encoder"))


def test_restarting_a_finished_training_keeps_its_best_weights(classifier, tiny, tmp_path):
    shutil.copytree(classifier.folder, tmp_path / "model")
    again = train(tiny, tmp_path / "model", data=str(classifier.data), epochs=3)
    assert same(weights(again.model), weights(classifier.result.model)) and again.dev == classifier.result.dev
    with pytest.raises(ValueError, match=r"contains a training with other options \(epochs 3, now 4\)"):
        train(tiny, tmp_path / "model", data=str(classifier.data), epochs=4)


class Stop(Progress):
    """Stops the training like a crash or Ctrl-C."""

    at, how, seen = 0, None, 0

    def on_train_batch_end(self, batch, logs=None):
        super().on_train_batch_end(batch, logs)
        Stop.seen += 1
        if Stop.seen == Stop.at:
            Stop.how()


class Crash(Exception):
    """An exception that no callback handles, like a kill."""


def crash():
    raise Crash


def press():
    signal.raise_signal(signal.SIGINT)


@pytest.mark.slow
@pytest.mark.parametrize("options", [
    {"train": "features"}, {"hidden_dropout_prob": 0.1, "unfreeze_every": 2},
    pytest.param({"class_weights": "balanced", "patience": 5, "hidden_dropout_prob": 0.1}, marks=pytest.mark.all)])
def test_weights_are_the_same_after_a_crash_and_ctrl_c(tiny, small, tmp_path, monkeypatch, options):
    options = {"data": str(small), "batch_size": 2, "epochs": 3, **options}
    straight = train(tiny, tmp_path / "straight", **options)
    monkeypatch.setattr(run_module, "Progress", Stop)
    for Stop.at, Stop.how, error in ((3, crash, Crash), (3, press, KeyboardInterrupt)):
        Stop.seen = 0
        with pytest.raises(error):
            train(tiny, tmp_path / "stopped", save_every=2, **options)
        assert not (tmp_path / "stopped" / "config.json").exists()
    Stop.at = 0
    resumed = train(tiny, tmp_path / "stopped", save_every=2, **options)
    assert same(weights(resumed.model), weights(straight.model))
    assert resumed.dev == straight.dev and resumed.history["val_accuracy"] == straight.history["val_accuracy"]


@pytest.mark.slow
def test_seeds(tiny, small, tmp_path):
    results = [weights(train(tiny, tmp_path / str(index), data=str(small), seed=seed, hidden_dropout_prob=0.1).model)
               for index, seed in enumerate((1, 1, 2))]
    assert same(results[0], results[1]) and not same(results[0], results[2])


@pytest.mark.slow
def test_cross_validation_predicts_each_example_once(tiny, tmp_path):
    rows = [*SMALL, ("只有一次的类", "怪")]  # a label that is missing from the training part of one fold only
    data = write_texts(tmp_path / "data", ("train", "test"), rows, repeat=1)
    result = train(tiny, tmp_path / "model", data=str(data), folds=2, epochs=1, train="head")
    lines = (tmp_path / "model" / "predictions.jsonl").read_text(encoding="utf-8").splitlines()
    assert sorted(json.loads(line)["text"] for line in lines) == sorted(text for text, _ in rows)
    assert result.model is None and len(result.folds) == 2 and {"accuracy", "accuracy_deviation"} <= set(result.dev)
    assert result.dev["accuracy"] == pytest.approx(np.mean([fold["accuracy"] for fold in result.folds]))
    assert result.dev["accuracy_deviation"] == pytest.approx(np.std([fold["accuracy"] for fold in result.folds]))
    tests = [json.loads((tmp_path / "model" / f"fold-{number}" / "results.json").read_text())["test"] for number in (1, 2)]
    assert result.test["accuracy"] == pytest.approx(np.mean([scores["accuracy"] for scores in tests]))
    assert (tmp_path / "model" / "fold-2" / "test_predictions.jsonl").read_text(encoding="utf-8").count("\n") == len(rows)
    predictor = Predictor.from_pretrained(tmp_path / "model" / "fold-1")
    assert set(predictor.task.labels.names) == {"好评", "差评", "怪"}
    with pytest.raises(ValueError, match="there are 9 examples; expected at least one for each of 10 folds: use"):
        train(tiny, tmp_path / "many", data=str(data), folds=10)


def test_without_development_data_a_tenth_is_held_out(tiny, tmp_path, capsys):
    data = write_texts(tmp_path / "data", ("train",), repeat=5)
    result = train(tiny, tmp_path / "model", data=str(data), epochs=1, train="head", quiet=False)
    printed = capsys.readouterr()
    assert "no development data: 10 of the training examples are held out for evaluation" in printed.out
    assert f"dev   accuracy {result.dev['accuracy']:.4f}" in printed.out and "epoch 1/1" in printed.err
    assert "tensorboard --logdir" in printed.out


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["mixed_bfloat16", *[
    pytest.param(dtype, marks=pytest.mark.all) for dtype in ("mixed_float16", "bfloat16")]])
def test_other_precisions(classifier, tiny, tmp_path, dtype):
    result = train(tiny, tmp_path / "model", data=str(classifier.data), dtype=dtype, epochs=3)
    assert np.isfinite(result.history["loss"]).all()
    predictor = Predictor.from_pretrained(tmp_path / "model", "bfloat16")
    if dtype != "bfloat16":  # rounds the weights after each update, which loses small updates
        assert result.dev["accuracy"] >= 0.9 and predictor.predict(GOOD[:1])[0]["label"] == "好评"
    assert np.isclose(sum(predictor.predict(GOOD[:1])[0]["probabilities"].values()), 1)


@pytest.mark.slow
def test_summaries(classifier, tiny, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    result = train(tiny, tmp_path / "model", data=str(classifier.data), summary_every=2, epochs=1)
    tags = {}
    for folder in {path.parent for path in result.log_dir.rglob("events.*")}:
        events = EventAccumulator(str(folder), size_guidance={"images": 0}).Reload()
        for kind, names in events.Tags().items():
            tags.setdefault(kind, set()).update(names if isinstance(names, list) else [])
    assert {"confusion", "precision_recall"} <= tags["tensors"] | tags["images"]
    assert any("scores/f1" in name for name in tags["tensors"] | tags["scalars"])
    keras.backend.clear_session()

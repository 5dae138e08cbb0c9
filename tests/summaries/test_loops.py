"""The callbacks of the package in every loop of Keras: `evaluate` and `predict` alone, repeated and empty `fit`s."""

import logging
import time

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.summaries.models import data, functional
from tfplm.summaries import Embedding, EventFiles, ProfileCallback, SummaryCallback, first_step
from tfplm.training.loop.callbacks import End
from tfplm.training.loop.progress import Progress
from tfplm.training.loop.resume import Resume

EVERY = {"scalars": 5, "weights": 5, "gradients": 5, "projector": 5, "samples": 5}


def everything(folder):
    x, y = data(8)
    look = {"probe": (x, y), "samples": lambda model: ["a"], "projector": lambda model: {"p": Embedding(np.eye(2))}}
    return [SummaryCallback(folder, EVERY, look), ProfileCallback(folder, 2, 3), Progress(interval=None),
            Resume(folder / "c"), End(100, 10, None), keras.callbacks.TensorBoard(folder / "keras")]


@pytest.mark.parametrize("compiled", [True, False])
def test_predict_alone(tmp_path, compiled):
    model, (x, _) = functional(), data()
    if not compiled:
        model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(2)])
    model.predict(x, verbose=0, callbacks=everything(tmp_path))
    assert not (tmp_path / "train").exists()


def test_evaluate_alone(tmp_path):
    model, (x, y) = functional(), data()
    loss, accuracy = model.evaluate(x, y, verbose=0, callbacks=everything(tmp_path))
    events = EventFiles(tmp_path / "validation")
    assert events.scalars("loss")[1] == pytest.approx([loss]) and events.scalars("accuracy")[1] == pytest.approx([accuracy])
    assert events.scalars("loss")[0].tolist() == [0] and not (tmp_path / "train").exists()
    model.fit(x, y, verbose=0)
    model.evaluate(x, y, verbose=0, callbacks=[SummaryCallback(tmp_path)])
    assert EventFiles(tmp_path / "validation").scalars("loss")[0].tolist() == [0, 7]


def test_fit_with_everything(tmp_path):
    model, (x, y) = functional(), data()
    callbacks = [*everything(tmp_path)[:-1], keras.callbacks.TensorBoard(tmp_path / "keras", histogram_freq=1)]
    model.fit(tf.data.Dataset.from_tensor_slices((x, y)).batch(20), epochs=2, verbose=0, validation_data=(x, y),
              callbacks=callbacks)
    assert EventFiles(tmp_path / "train").scalars("loss")[0].tolist() == [5, 10, 15, 20]
    assert EventFiles(tmp_path / "validation").scalars("loss")[0].tolist() == [10, 20]
    assert list(tmp_path.glob("train/plugins/profile/*/*.xplane.pb")) and list(tmp_path.glob("keras/train/events*"))


def test_one_callback_in_all_loops(tmp_path):
    model, (x, y) = functional(), data()
    callback = SummaryCallback(tmp_path, {"scalars": 5})
    for _ in range(2):
        model.evaluate(x, y, verbose=0, callbacks=[callback])
        model.fit(x, y, batch_size=20, verbose=0, validation_split=0.5, callbacks=[callback])
        model.predict(x, verbose=0, callbacks=[callback])
    assert EventFiles(tmp_path / "train").scalars("loss")[0].tolist() == [5, 10]
    assert EventFiles(tmp_path / "validation").scalars("loss")[0].tolist().count(5) == 2


def test_fit_without_a_step(tmp_path):
    model, (x, y) = functional(), data()
    model.fit(x, y, epochs=2, initial_epoch=2, verbose=0, callbacks=everything(tmp_path)[:2])
    assert EventFiles(tmp_path / "train").tags("scalars") == []


def test_an_epoch_whose_steps_are_done_already(tmp_path):
    """As after an interruption between the last step of an epoch and the end of its evaluation."""
    class Stop(keras.callbacks.Callback):
        def on_test_begin(self, logs=None):
            raise InterruptedError

    for extra in ([Stop()], []):
        model, (x, y) = functional(), data()
        try:
            model.fit(x, y, batch_size=20, epochs=2, verbose=0, validation_data=(x, y), callbacks=[
                SummaryCallback(tmp_path, {"scalars": 5}), Resume(tmp_path / "c", every_steps=1), *extra])
        except InterruptedError:
            assert extra
    assert EventFiles(tmp_path / "train").scalars("loss")[0].tolist()[-1] == 20
    assert EventFiles(tmp_path / "validation").scalars("loss")[0].tolist() == [10, 20]


@pytest.mark.parametrize(("steps", "points"), [(4, [1, 2, 3, 4]), (40, list(range(2, 41, 2))), (2000, [])])
def test_short_trainings_have_a_curve(tmp_path, steps, points):
    model, (x, y) = functional(), data(min(steps, 40))
    callback = SummaryCallback(tmp_path)
    callback.set_params({"steps": steps, "epochs": 1})
    callback.set_model(model)
    if steps <= 40:
        model.fit(x, y, batch_size=1, verbose=0, callbacks=[callback])
        assert EventFiles(tmp_path / "train").scalars("loss")[0].tolist() == points
        assert np.isfinite(EventFiles(tmp_path / "train").scalars("optimizer/gradient_norm")[1]).all()
    else:
        callback.on_train_begin()
        assert callback._intervals["scalars"] == 50


def test_samples_at_the_end(tmp_path):
    model, (x, y) = functional(), data(60)
    look = {"samples": lambda model: ["a"], "projector": lambda model: {"p": Embedding(np.eye(2))}}
    every = {"samples": 100, "projector": 100}
    model.fit(x, y, batch_size=20, verbose=0, callbacks=[SummaryCallback(tmp_path, every, look)])
    events = EventFiles(tmp_path / "train")
    assert events.points("samples")[0].tolist() == [3] and (tmp_path / "train" / "projector_config.pbtxt").exists()
    model.fit(x, y, batch_size=20, verbose=0, callbacks=[SummaryCallback(tmp_path, {"samples": 3}, look)])
    assert EventFiles(tmp_path / "train").points("samples")[0].tolist() == [3, 6]  # once at step 6


def test_compiling_is_said_if_it_takes_long(tmp_path, monkeypatch, capsys):
    class Slow(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            time.sleep(0.3 if batch < 2 else 0)

    model, (x, y) = functional(), data(60)
    for patience, said in ((0.05, 1), (60, 0)):
        monkeypatch.setattr(first_step, "PATIENCE", patience)
        model.fit(x, y, batch_size=20, verbose=0, callbacks=[SummaryCallback(tmp_path), Slow()])
        assert capsys.readouterr().err.count("compiling the training step") == said


def test_profiles_that_never_come_are_named(tmp_path, caplog):
    model, (x, y) = functional(), data(60)
    with caplog.at_level(logging.WARNING, "tfplm"):
        model.fit(x, y, batch_size=20, verbose=0, callbacks=[ProfileCallback(tmp_path, 10, 15)])
        assert "no step was profiled: the training had 3 steps; expected at least 10" in caplog.text
        both = [ProfileCallback(tmp_path, 1, 2), ProfileCallback(tmp_path / "other", 2, 3)]
        model.fit(x, y, batch_size=20, verbose=0, callbacks=both)
    assert "steps 2 to 3 are not profiled: another profiler is running" in caplog.text

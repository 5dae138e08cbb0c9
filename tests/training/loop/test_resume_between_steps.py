"""A training that is stopped at any event between two steps ends with the weights of an uninterrupted one."""

import functools
import signal
import tempfile

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.training.loop.resume_program import compiled, dataset, digest, validation
from tfplm.summaries import EventFiles, SummaryCallback
from tfplm.training.loop.progress import Progress
from tfplm.training.loop.resume import Resume
from tfplm.training.loop.run_checkpoint import newest_values
from tfplm.training.optimizers.make import make_optimizer

EPOCHS, STEPS = 2, 7
EVENTS = ("on_train_batch_begin", "on_train_batch_end", "on_test_begin", "on_test_batch_begin", "on_test_batch_end",
          "on_test_end", "on_epoch_end", "on_epoch_begin")


class Crash(Exception):
    """Ends the training as a kill does, without calling callbacks."""


class StopAt(keras.callbacks.Callback):
    """Raises `Crash`, or sends SIGINT, at an event of an epoch; at events of steps at the last one."""

    def __init__(self, event: str, epoch: int, crash: bool):
        super().__init__()
        self.event, self.at, self.crash, self.epoch, self.done = event, epoch, crash, -1, False
        for name in EVENTS:
            setattr(self, name, functools.partial(self._on, name))

    def _on(self, name, number=None, logs=None):
        self.epoch = number if name == "on_epoch_begin" else self.epoch
        last = number == STEPS - 1 if name.startswith("on_train_batch") else True
        if name == self.event and self.epoch == self.at and last and not self.done:
            self.done = True
            if self.crash:
                raise Crash
            signal.raise_signal(signal.SIGINT)


@pytest.fixture(autouse=True)
def interruptible():
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def run(folder, *more, resume_first=True, **keywords):
    """One process: seed, new model, `fit` with `Resume` and `SummaryCallback`. Returns (model, history)."""
    keras.utils.set_random_seed(3)
    network = compiled(run_eagerly=True)
    resume = Resume(f"{folder}/checkpoints", **{"every_steps": 3, **keywords})
    summaries = SummaryCallback(f"{folder}/logs", {"scalars": 2, "weights": 4})
    first = [resume, summaries] if resume_first else [summaries, resume]
    history = network.fit(dataset(), epochs=EPOCHS, verbose=0, validation_data=validation(),
                          callbacks=[*first, Progress(quiet=True), *more])
    return network, history


@functools.cache
def straight():
    with tempfile.TemporaryDirectory() as folder:
        network, history = run(folder)
        return digest(network), history.history


CASES = [(event, epoch, crash) for event in EVENTS for epoch in range(EPOCHS) for crash in (False, True)]
QUICK = {("on_test_batch_end", 0, False), ("on_test_batch_end", 1, False), ("on_train_batch_end", 1, False),
         ("on_epoch_end", 1, True)}


@pytest.mark.parametrize("event, epoch, crash", [
    pytest.param(*case, marks=[] if case in QUICK else [pytest.mark.slow]) for case in CASES])
@pytest.mark.parametrize("resume_first", [True, pytest.param(False, marks=pytest.mark.all)])
def test_stopped_at_an_event(tmp_path, event, epoch, crash, resume_first):
    stop = StopAt(event, epoch, crash)
    with pytest.raises((Crash, KeyboardInterrupt)):
        run(tmp_path, stop, resume_first=resume_first)
    assert stop.done
    network, history = run(tmp_path, resume_first=resume_first)
    assert (digest(network), history.history) == straight()
    assert newest_values(tmp_path / "checkpoints")["total"] == EPOCHS * STEPS


def test_nothing_is_missing_in_the_summaries(tmp_path):
    """Stopped in the evaluation of the last epoch, by a signal."""
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, StopAt("on_test_batch_begin", 1, False))
    run(tmp_path)
    training, validations = (EventFiles(tmp_path / "logs" / name) for name in ("train", "validation"))
    assert sorted(set(training.scalars("optimizer/learning_rate")[0])) == [2, 4, 6]  # updates of two batches each
    assert list(validations.scalars("accuracy")[0]) == [3, 7]


@pytest.mark.parametrize("half", ["data", pytest.param("index", marks=pytest.mark.slow)])
def test_stopped_while_a_checkpoint_is_written(tmp_path, half, monkeypatch):
    """The newest checkpoint is half-written; the one before counts."""
    save, count = tf.train.CheckpointManager.save, 0

    def broken(manager, *arguments, **keywords):
        nonlocal count
        count += 1
        path = save(manager, *arguments, **keywords)
        if count == 4:
            name = f"{path}.data-00000-of-00001" if half == "data" else f"{path}.index"
            with open(name, "r+b") as file:
                file.truncate(100)
            raise Crash
        return path

    with monkeypatch.context() as patch:
        patch.setattr(tf.train.CheckpointManager, "save", broken)
        with pytest.raises(Crash):
            run(tmp_path)
    network, history = run(tmp_path)
    assert (digest(network), history.history) == straight()


def test_stopped_after_a_summary_was_written(tmp_path, monkeypatch):
    write, count = SummaryCallback._write_scalars, 0

    def broken(callback, step):
        nonlocal count
        count += 1
        write(callback, step)
        if count == 3:  # at the end of the first epoch
            raise Crash

    with monkeypatch.context() as patch:
        patch.setattr(SummaryCallback, "_write_scalars", broken)
        with pytest.raises(Crash):
            run(tmp_path)
    network, history = run(tmp_path)
    assert (digest(network), history.history) == straight()


def test_stopped_in_the_evaluation_after_an_early_end(tmp_path):
    """`stop_training` was set by the last batch: no further batch is trained when it resumes."""
    class End(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.stop_training = batch == 3

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, End(), StopAt("on_test_batch_begin", 0, False))
    network, history = run(tmp_path, End())
    assert len(history.history["val_loss"]) == 1 and newest_values(tmp_path / "checkpoints")["total"] == 4
    again, _ = run(tmp_path, End())
    assert digest(again) == digest(network) and int(network.optimizer.iterations) == 2


def test_a_training_that_gets_longer(tmp_path):
    def longer(epochs, **keywords):
        keras.utils.set_random_seed(3)
        network = compiled(keras.optimizers.Adam(0.01), run_eagerly=True)
        history = network.fit(dataset(), epochs=epochs, verbose=0, callbacks=[Resume(tmp_path, **keywords)])
        return network, history

    longer(1)
    network, history = longer(3, extend=True)
    assert len(history.history["loss"]) == 3 and int(network.optimizer.iterations) == 3 * STEPS
    assert np.isfinite(history.history["loss"]).all()


def test_a_schedule_that_has_ended_is_said(tmp_path, caplog):
    def longer(epochs):
        network = compiled(make_optimizer(learning_rate=0.01, total_steps=STEPS, warmup_steps=0), run_eagerly=True)
        network.fit(dataset(), epochs=epochs, verbose=0, callbacks=[Resume(tmp_path)])

    longer(1)
    assert caplog.text == ""
    longer(2)
    assert "the learning rate is 0 at step 7, where the training resumes: its schedule has reached its end" in caplog.text

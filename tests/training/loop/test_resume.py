"""A training that is interrupted and resumed at any step has exactly the same weights as without interruption."""

import functools
import json
import logging
import os
import random
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.training.loop.resume_program import arrays, compiled, dataset, digest, validation
from tfplm.training.loop.resume import Resume
from tfplm.training.optimizers.lookahead import Lookahead
from tfplm.training.optimizers.make import make_optimizer


@pytest.fixture(autouse=True, scope="module")
def interruptible():
    """Restores SIGINT, which a shell ignores in background processes and their children."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)

PROGRAM = Path(__file__).with_name("resume_program.py")


class Crash(Exception):
    """An exception that, like a kill, ends the training without calling callbacks."""


class CrashAt(keras.callbacks.Callback):
    def __init__(self, *steps: int):
        super().__init__()
        self.steps, self.seen = set(steps), 0

    def on_train_batch_end(self, batch, logs=None):
        self.seen += 1
        if self.seen in self.steps:
            raise Crash


def run(folder, crash: int = 0, optimizer=None, fit=None, resume=None, **compiling):
    """One process: seed, new model, `fit`. Returns the model and the history, or None after the crash."""
    keras.utils.set_random_seed(3)
    network = compiled(optimizer() if optimizer else None, **compiling)
    keywords = {"x": dataset, "epochs": 3, "validation_data": validation, "callbacks": list, **(fit or {})}
    keywords = {name: value() if callable(value) else value for name, value in keywords.items()}
    keywords["callbacks"] = [Resume(folder, **(resume or {"every_steps": 2})), CrashAt(crash), *keywords["callbacks"]]
    try:
        return network, network.fit(verbose=0, **keywords)
    except Crash:
        return None


@functools.cache
def straight_run():
    """The run without interruption, with the defaults of `run`."""
    with tempfile.TemporaryDirectory() as folder:
        return run(folder)


def same(tmp_path, crashes, **keywords) -> None:
    """Checks that a run with crashes ends like one without."""
    straight, history = run(tmp_path / "straight", **keywords) if keywords else straight_run()
    for crash in crashes:
        assert run(tmp_path / "crashed", crash, **keywords) is None
    resumed, resumed_history = run(tmp_path / "crashed", **keywords)
    assert digest(resumed) == digest(straight)
    assert resumed_history.history == history.history
    for found, expected in zip(resumed.optimizer.variables, straight.optimizer.variables):
        np.testing.assert_array_equal(found.numpy(), expected.numpy(), err_msg=expected.path)


def forever():
    return dataset().repeat()


def generator():
    """A Python generator, whose length is unknown before its end."""
    ids, labels = arrays()

    def batches():
        for start in range(0, len(ids), 8):
            yield ids[start:start + 8], labels[start:start + 8]

    return tf.data.Dataset.from_generator(batches, output_signature=(
        tf.TensorSpec((None, 6), tf.int32), tf.TensorSpec((None,), tf.int32)))


def float16_scaled():
    return keras.optimizers.LossScaleOptimizer(Lookahead(keras.optimizers.Adam(0.01), steps=3), initial_scale=8.0)


@pytest.mark.parametrize("crashes", [
    (15, 4), pytest.param((2, 2, 5), marks=pytest.mark.slow),
    *[pytest.param(more, marks=pytest.mark.all) for more in ((1,), (3,), (7,), (8,))]])
def test_mid_epoch_with_dropout_shuffling_schedule_and_accumulation(tmp_path, crashes):
    same(tmp_path, crashes)


@pytest.mark.slow
@pytest.mark.parametrize("keywords", [
    {"fit": {"x": forever, "steps_per_epoch": 5}},
    {"fit": {"x": generator}},
    {"fit": {"x": lambda: arrays()[0], "y": lambda: arrays()[1], "batch_size": 8}},
    {"steps_per_execution": 2, "resume": {"every_steps": 1}},
    {"optimizer": float16_scaled},
    {"fit": {"epochs": 4, "initial_epoch": 1}},
], ids=["steps_per_epoch", "unknown length", "arrays", "steps_per_execution", "loss scale", "initial_epoch"])
def test_ways_of_fit(tmp_path, keywords):
    same(tmp_path, (4, 5), **keywords)


def test_between_the_last_batch_and_the_validation(tmp_path):
    class CrashInValidation(keras.callbacks.Callback):
        left = 1

        def on_test_batch_end(self, batch, logs=None):
            if batch == 1 and CrashInValidation.left:
                CrashInValidation.left -= 1
                os.kill(os.getpid(), signal.SIGINT)

    straight, history = straight_run()
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "crashed", fit={"callbacks": [CrashInValidation()]})
    resumed, resumed_history = run(tmp_path / "crashed")
    assert digest(resumed) == digest(straight)
    assert resumed_history.history == history.history and resumed_history.epoch == [0, 1, 2]


def test_a_finished_training_is_not_repeated(tmp_path):
    network, _ = run(tmp_path)
    again, history = run(tmp_path, crash=1)
    assert digest(again) == digest(network) and len(history.history["loss"]) == 3
    longer, history = run(tmp_path, fit={"epochs": 4})
    assert len(history.history["loss"]) == 4 and digest(longer) != digest(network)


@pytest.mark.slow
def test_early_stopping_is_restored(tmp_path):
    def stopping():
        return [keras.callbacks.EarlyStopping("val_loss", patience=1, min_delta=0.5, verbose=0)]

    same(tmp_path, (12,), fit={"epochs": 6, "callbacks": stopping})
    _, history = run(tmp_path / "crashed", fit={"epochs": 6, "callbacks": stopping}, crash=1)
    assert len(history.history["loss"]) == 2  # the training is complete, and not started again


@pytest.mark.slow
def test_random_states_are_restored(tmp_path):
    drawn = []

    class Draw(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            drawn.append((random.random(), np.random.rand()))

    same(tmp_path, (4,), fit={"callbacks": lambda: [Draw()]})
    straight, crashed = drawn[:21], drawn[21:]
    assert crashed[-1] == straight[-1] and set(crashed) == set(straight)


def test_checkpoints_are_kept_and_the_model_can_be_loaded(tmp_path):
    network, _ = run(tmp_path, resume={"every_steps": 2, "keep": 2})
    assert len(list(tmp_path.glob("ckpt-*.index"))) == 2
    other = compiled()
    other.build((None, 6))
    tf.train.Checkpoint(model=other).restore(tf.train.latest_checkpoint(tmp_path)).expect_partial()
    assert digest(other) == digest(network)


@pytest.mark.parametrize("damage", ["cut data", *[pytest.param(more, marks=pytest.mark.slow)
                                                  for more in ("flipped byte", "empty index", "no data")]])
def test_a_damaged_checkpoint_is_skipped(tmp_path, damage, caplog):
    straight, _ = straight_run()
    assert run(tmp_path / "crashed", crash=13) is None
    newest = tf.train.latest_checkpoint(tmp_path / "crashed")
    data, index = Path(newest + ".data-00000-of-00001"), Path(newest + ".index")
    if damage == "cut data":
        data.write_bytes(data.read_bytes()[:200])
    elif damage == "flipped byte":
        content = bytearray(data.read_bytes())
        content[len(content) // 2] ^= 255
        data.write_bytes(content)
    elif damage == "empty index":
        index.write_bytes(b"")
    else:
        data.unlink()
    with caplog.at_level(logging.WARNING):
        resumed, _ = run(tmp_path / "crashed")
    assert "is damaged and is skipped" in caplog.text and Path(newest).name in caplog.text
    assert digest(resumed) == digest(straight)


def test_errors(tmp_path):
    with pytest.raises(ValueError, match="keep is 1; expected 2 or more"):
        Resume(tmp_path, keep=1)
    with pytest.raises(RuntimeError, match=r"works within Keras' Model.fit .* called from another loop"):
        Resume(tmp_path).on_train_begin()
    run(tmp_path / "other")
    with pytest.raises(ValueError, match="belongs to another model or optimizer; expected those of this training"):
        run(tmp_path / "other", optimizer=lambda: make_optimizer("sgd", total_steps=20))
    assert run(tmp_path / "short", crash=13, fit={"x": forever, "steps_per_epoch": 20}) is None
    with pytest.raises(ValueError, match="the data end after 7 batches, but the training had stopped after 12"):
        run(tmp_path / "short", fit={"steps_per_epoch": 20})


def launch(folder, seconds: float) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, str(PROGRAM), str(folder), str(seconds)], text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def result(process: subprocess.Popen) -> dict:
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors[-4000:]
    return json.loads(output.splitlines()[-1])


@functools.cache
def straight_program() -> dict:
    """The output of the program without interruption."""
    with tempfile.TemporaryDirectory() as folder:
        return result(launch(folder, 0))


def stop(folder, steps: int, number: int, seconds: float = 0.1) -> tuple[int, str]:
    """Starts the program, sends it a signal after some steps, and returns its exit status and messages."""
    process = launch(folder, seconds)
    for _ in range(steps):
        assert process.stdout.readline() == "step\n", process.communicate()
    process.send_signal(number)
    errors = process.communicate(timeout=300)[1]
    return process.returncode, errors


@pytest.mark.slow
def test_kill_9_at_random_moments(tmp_path):
    straight = straight_program()
    moments = random.Random(os.getpid())
    for _ in range(4):
        assert stop(tmp_path / "killed", moments.randint(1, 8), signal.SIGKILL, moments.choice([0, 0.02]))[0] != 0
    assert result(launch(tmp_path / "killed", 0)) == straight


@pytest.mark.slow
@pytest.mark.parametrize("number, status", [(signal.SIGTERM, 143), (signal.SIGINT, -signal.SIGINT)])
def test_signals_save_and_end(tmp_path, number, status):
    straight = straight_program()
    code, errors = stop(tmp_path / "stopped", 5, number)
    assert code == status and "saving after this step" in errors
    assert ("KeyboardInterrupt" in errors) == (number == signal.SIGINT)
    state = tf.train.load_checkpoint(tf.train.latest_checkpoint(tmp_path / "stopped"))
    saved = json.loads(state.get_tensor("state/.ATTRIBUTES/py_state"))
    assert saved["epoch"] == 0 and saved["batch"] >= 5  # the current batch, not the previous multiple of two
    assert result(launch(tmp_path / "stopped", 0)) == straight


def test_handlers_are_restored(tmp_path):
    def own(number, frame):
        raise AssertionError

    before = signal.signal(signal.SIGTERM, own)
    try:
        run(tmp_path)
        assert signal.getsignal(signal.SIGTERM) is own
    finally:
        signal.signal(signal.SIGTERM, before)


def test_after_a_crash_ctrl_c_works_immediately(tmp_path):
    assert run(tmp_path, crash=2) is None and run(tmp_path, crash=2) is None
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler

"""The end of a training by steps or by time, and the pace of its schedule."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfplm.core.keras_internals import schedule_of
from tfplm.options.optimizer import OptimizerOptions
from tfplm.summaries.recorders import innermost
from tfplm.training.loop import callbacks
from tfplm.training.loop.callbacks import End
from tfplm.training.loop.resume import Resume
from tfplm.training.optimizers.lookahead import Lookahead
from tfplm.training.optimizers.make import make_schedule
from tfplm.training.optimizers.schedules import Paced, set_pace

STEPS, MINUTES = 200, 1.0


class Clock:
    """A clock in place of `time`: each reading is `seconds` later."""

    def __init__(self, seconds: float):
        self.now, self.seconds = 0.0, seconds

    def monotonic(self) -> float:
        self.now += self.seconds
        return self.now


class Rates(keras.callbacks.Callback):
    def on_train_begin(self, logs=None):
        self.values = []

    def on_train_batch_end(self, batch, logs=None):
        self.values.append(float(self.model.optimizer.learning_rate))


def network(schedule):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(schedule), "mse", run_eagerly=True)
    return model


def data():
    return tf.data.Dataset.from_tensors((np.ones((1, 2), "float32"), np.ones((1, 1), "float32"))).repeat()


def schedule():
    return Paced(make_schedule(OptimizerOptions(learning_rate=1.0, warmup_ratio=0.1), STEPS))


@pytest.mark.parametrize("seconds", [1.0, 3.0])
def test_the_rate_decays_to_its_end_within_the_time(monkeypatch, capsys, seconds):
    monkeypatch.setattr(callbacks, "time", Clock(seconds))
    rates, end = Rates(), End(STEPS, STEPS, MINUTES, quiet=False)
    network(schedule()).fit(data(), steps_per_epoch=STEPS, verbose=0, callbacks=[end, rates])
    steps = round(60 * MINUTES / seconds)
    assert len(rates.values) == steps
    assert max(rates.values) > 0.9 and rates.values[-1] < 1.5 / steps  # the last update of a linear decay
    assert f"stopped after 1 minutes as planned, at step {steps}" in capsys.readouterr().out


def test_a_fast_machine_trains_all_steps(monkeypatch, capsys):
    monkeypatch.setattr(callbacks, "time", Clock(0.01))
    rates = Rates()
    network(schedule()).fit(data(), steps_per_epoch=STEPS, verbose=0, callbacks=[End(STEPS, STEPS, MINUTES), rates])
    plain = make_schedule(OptimizerOptions(learning_rate=1.0, warmup_ratio=0.1), STEPS)
    np.testing.assert_allclose(rates.values, [float(plain(step)) for step in range(1, STEPS + 1)], atol=1e-6)
    assert "stopped" not in capsys.readouterr().out


def test_time_before_an_interruption_counts(monkeypatch, tmp_path):
    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 39:
                raise KeyboardInterrupt

    monkeypatch.setattr(callbacks, "time", Clock(1.0))
    with pytest.raises(KeyboardInterrupt):
        network(schedule()).fit(data(), steps_per_epoch=STEPS, verbose=0,
                                callbacks=[Resume(tmp_path, every_steps=1), End(STEPS, STEPS, MINUTES), Stop()])
    rates, end = Rates(), End(STEPS, STEPS, MINUTES)
    network(schedule()).fit(data(), steps_per_epoch=STEPS, verbose=0, callbacks=[Resume(tmp_path), end, rates])
    assert 15 <= len(rates.values) <= 22 and end.elapsed >= 60 * MINUTES  # 39 steps were saved


def test_the_innermost_optimizer_has_the_schedule():
    paced = schedule()
    optimizer = Lookahead(keras.optimizers.SGD(paced))
    assert schedule_of(innermost(optimizer)) is paced and schedule_of(keras.optimizers.SGD(0.1)) is None
    again = Paced.from_config(paced.get_config())
    set_pace(optimizer, 10.0)
    assert float(paced(30)) == pytest.approx(float(again(300)))

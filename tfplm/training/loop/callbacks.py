"""Callbacks of long trainings: the end, and the speed."""

import math
import time

import keras
import tensorflow as tf

from tfplm.training.optimizers.schedules import set_pace


class End(keras.callbacks.Callback):
    """Stops after `steps` batches, or `minutes`, of the whole training.

    With `minutes` it estimates after each step how many steps the time allows, and sets the pace of a `Paced` schedule,
    so that the learning rate is at its end when the training is. The time before an interruption is counted (`Resume`
    saves `elapsed`, in seconds); that of the first step of a run, which compiles, is not used for the estimate.
    """

    def __init__(self, steps: int, epoch_steps: int, minutes: float | None = None, quiet: bool = True):
        super().__init__()
        self.steps, self.epoch_steps, self.minutes, self.quiet = steps, epoch_steps, minutes, quiet
        self.elapsed, self._done, self._first = 0.0, 0, None

    def on_train_begin(self, logs=None):
        self._time, self._before, self._first = time.monotonic(), 0, None
        if self.minutes is not None and isinstance(self.model.distribute_strategy,
                                                   tf.distribute.MultiWorkerMirroredStrategy):
            raise ValueError(f"minutes is {self.minutes:g} with several workers, which would stop at different steps; "
                             "expected a number of steps: change --minutes to --steps")

    def on_epoch_begin(self, epoch, logs=None):
        self._before = epoch * self.epoch_steps

    def on_train_batch_end(self, batch, logs=None):
        now, self._done = time.monotonic(), self._before + batch + 1
        self.elapsed, self._time = self.elapsed + now - self._time, now
        if self.minutes is not None:
            self._first = self._first or (self._done, self.elapsed)
            set_pace(self.model.optimizer, self.steps / max(self.expected_steps(), 1))
        if self._done >= self.steps or self.seconds_left() <= 0:
            self.model.stop_training = True

    def seconds_left(self) -> float:
        """Seconds until the time limit; infinite without one."""
        return math.inf if self.minutes is None else 60 * self.minutes - self.elapsed

    def expected_steps(self) -> float:
        """The number of steps at the end, if the rest is as fast as the steps of this run."""
        done, start = self._first or (0, 0.0)
        if self.minutes is None or self._done <= done:
            return self.steps
        return min(self.steps, self._done + self.seconds_left() * (self._done - done) / max(self.elapsed - start, 1e-9))

    def on_train_end(self, logs=None):
        if not self.quiet and 0 < self._done < self.steps and self.seconds_left() <= 0:
            print(f"stopped after {self.minutes:.3g} minutes as planned, at step {self._done:,} (--minutes and --steps "
                  "change this)", flush=True)


class Speed(keras.callbacks.Callback):
    """`tokens_per_second` (real tokens) of this run, without the first step and the evaluations."""

    def __init__(self):
        super().__init__()
        self.tokens_per_second, self._start = 0.0, None

    def on_train_batch_end(self, batch, logs=None):
        if self._start is None:
            self._start = time.monotonic(), self._tokens()

    def on_test_begin(self, logs=None):
        self._pause = time.monotonic()

    def on_test_end(self, logs=None):
        if self._start is not None:
            self._start = self._start[0] + time.monotonic() - self._pause, self._start[1]

    def on_train_end(self, logs=None):
        if self._start is not None:
            seconds, tokens = time.monotonic() - self._start[0], self._tokens() - self._start[1]
            self.tokens_per_second = tokens / max(seconds, 1e-9)

    def _tokens(self) -> int:
        return int(keras.ops.convert_to_numpy(self.model.tokens))

"""Callbacks of long trainings: the end, and the speed."""

import time

import keras


class End(keras.callbacks.Callback):
    """Stops after `steps` batches of the whole training, or `minutes` of this run."""

    def __init__(self, steps: int, epoch_steps: int, minutes: float | None):
        super().__init__()
        self.steps, self.epoch_steps, self.minutes = steps, epoch_steps, minutes

    def on_train_begin(self, logs=None):
        self._start, self._before = time.monotonic(), 0

    def on_epoch_begin(self, epoch, logs=None):
        self._before = epoch * self.epoch_steps

    def on_train_batch_end(self, batch, logs=None):
        late = self.minutes is not None and time.monotonic() - self._start >= 60 * self.minutes
        if late or self._before + batch + 1 >= self.steps:
            self.model.stop_training = True


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

"""Callbacks of a long training: where it stops, its speed, and the batch that a resumed run starts from."""

import dataclasses
import time

import keras

from tfplm.training.loop.resume import Resume


@dataclasses.dataclass
class Place:
    """`start`: batches that a resumed training has already seen."""

    start: int = 0


class ResumeBatches(Resume):
    """`Resume` that tells the batches where the training goes on, so that none before are computed again."""

    def __init__(self, directory, place: Place, epoch_steps: int, every_steps: int | None = None):
        super().__init__(directory, every_steps=every_steps)
        self.place, self.epoch_steps = place, epoch_steps

    def _go_on(self, resumed: dict) -> None:
        self.place.start = resumed["epoch"] * self.epoch_steps + resumed["batch"]
        super()._go_on(resumed)


class End(keras.callbacks.Callback):
    """Stops after `steps` batches of the whole training, or `minutes` of this run."""

    def __init__(self, steps: int, epoch_steps: int, minutes: float | None):
        super().__init__()
        self.steps, self.epoch_steps, self.minutes = steps, epoch_steps, minutes

    def on_train_begin(self, logs=None):
        self._begin, self._before = time.monotonic(), 0

    def on_epoch_begin(self, epoch, logs=None):
        self._before = epoch * self.epoch_steps

    def on_train_batch_end(self, batch, logs=None):
        late = self.minutes is not None and time.monotonic() - self._begin >= 60 * self.minutes
        if late or self._before + batch + 1 >= self.steps:
            self.model.stop_training = True


class Speed(keras.callbacks.Callback):
    """`tokens_per_second` (real tokens) of this run, without its first step and without evaluations."""

    def __init__(self):
        super().__init__()
        self.tokens_per_second, self._begin = 0.0, None

    def on_train_batch_end(self, batch, logs=None):
        if self._begin is None:
            self._begin = time.monotonic(), self._tokens()

    def on_test_begin(self, logs=None):
        self._pause = time.monotonic()

    def on_test_end(self, logs=None):
        if self._begin is not None:
            self._begin = self._begin[0] + time.monotonic() - self._pause, self._begin[1]

    def on_train_end(self, logs=None):
        if self._begin is not None:
            seconds, tokens = time.monotonic() - self._begin[0], self._tokens() - self._begin[1]
            self.tokens_per_second = tokens / max(seconds, 1e-9)

    def _tokens(self) -> int:
        return int(keras.ops.convert_to_numpy(self.model.tokens))

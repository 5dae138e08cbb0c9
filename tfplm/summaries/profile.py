"""A callback that profiles some steps of `fit` with TensorFlow's profiler."""

import logging
from pathlib import Path

import keras
import tensorflow as tf

from tfplm.summaries.writers import writes_summaries

log = logging.getLogger("tfplm")


class ProfileCallback(keras.callbacks.Callback):
    """Records the steps `first` to `last` of this run (counted from 1, inclusive) with `tf.profiler`.

    The trace is written to `log_dir/train/plugins/profile`, next to the curves of `SummaryCallback(log_dir)`;
    TensorBoard shows it if its plugin is installed (`pip install tensorboard-plugin-profile`). The first steps include
    compilation and should be skipped. In a strategy only the chief records. A warning says if nothing was recorded,
    because the training was shorter or another profiler was running. Raises ValueError for an invalid range.
    """

    def __init__(self, log_dir, first: int = 10, last: int = 15):
        super().__init__()
        if not 1 <= first <= last:
            raise ValueError(f"steps {first} to {last}: expected 1 <= first <= last")
        self.folder, self.first, self.last = Path(log_dir) / "train", first, last
        self._running = False

    def on_train_begin(self, logs=None) -> None:
        self._stop()  # an interrupted `fit` does not call on_train_end
        self._step = 0
        self._chief = writes_summaries(self.model.distribute_strategy)

    def on_train_batch_begin(self, batch, logs=None) -> None:
        self._step += 1
        if self._step == self.first and self._chief:
            self._start()
        elif self._step == self.last + 1:
            self._stop()

    def on_train_end(self, logs=None) -> None:
        self._stop()
        if 0 < self._step < self.first and self._chief:
            log.warning("no step was profiled: the training had %d steps; expected at least %d: decrease `first`",
                        self._step, self.first)

    def _start(self) -> None:
        try:
            tf.profiler.experimental.start(str(self.folder))
        except tf.errors.AlreadyExistsError:  # such as that of keras.callbacks.TensorBoard
            log.warning("steps %d to %d are not profiled: another profiler is running; use only one", self.first,
                        self.last)
        else:
            self._running = True

    def _stop(self) -> None:
        if self._running:
            self._running = False
            tf.profiler.experimental.stop()

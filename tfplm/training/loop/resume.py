"""Training that survives: `model.fit(dataset, epochs=3, callbacks=[Resume("checkpoints")])`, started again, resumes."""

import os
import time

import keras
import tensorflow as tf

from tfplm.core.keras_internals import build_for_fit, local_of_fit, start_fit_at
from tfplm.training.loop.distribute import batch_spec
from tfplm.training.loop.position import fast_forward
from tfplm.training.loop.run_checkpoint import RunCheckpoint
from tfplm.training.loop.signals import Signals
from tfplm.training.loop.state import callback_state, random_state, set_callback_state, set_random_state


class Resume(keras.callbacks.Callback):
    """Saves the whole state of `fit` now and then, and resumes from the newest checkpoint of the folder.

    Saved with `tf.train.CheckpointManager`: model, optimizer (with its step, and so the schedule), metrics of the
    running epoch, random state, history, and the place in the data. After a kill the same program ends with the same
    weights as without: the data must come in the same order (`keras.utils.set_random_seed` at the start), and its
    random choices must be stateless or Keras' own, as dropout's are; validation needs a dataset object of its own.
    Ctrl-C and SIGTERM save before they end the program.

    The model alone can be read by `tf.train.Checkpoint(model=model).restore(path).expect_partial()`.

    Under `MultiWorkerMirroredStrategy` every worker needs this callback, with a folder that all of them can read; the
    chief writes. There `every_minutes` and signals do not count: workers must save at the same step.

    Args:
        directory: folder of the checkpoints. To start again, give another or delete it.
        every_steps: batches between two checkpoints, and
        every_minutes: minutes between two, whichever comes first; with neither, 10 minutes. Each end of an epoch is
            saved as well.
        keep: number of checkpoints that are kept; 2 at least, should the newest be damaged.
        data: what makes the batches, where it can start anywhere: its attribute `start` is set to the number of batches
            that were trained on, before the dataset is read, and none is read again. It needs `steps_per_epoch`.
    """

    def __init__(self, directory: str | os.PathLike, every_steps: int | None = None,
                 every_minutes: float | None = None, keep: int = 3, data=None):
        super().__init__()
        if keep < 2:
            raise ValueError(f"keep is {keep}; expected 2 or more, so that one is left when the newest is damaged")
        self.directory, self.keep, self.every_steps = os.fspath(directory), keep, every_steps
        self.every_minutes = 10.0 if every_steps is None and every_minutes is None else every_minutes
        self.data, self._signals = data, Signals()
        self._epoch = self._files = None

    def on_train_begin(self, logs=None):
        self._iterator, self._others = local_of_fit("epoch_iterator"), local_of_fit("callbacks").callbacks
        self._first = local_of_fit("initial_epoch")
        strategy = self.model.distribute_strategy
        with strategy.scope():  # a model that its first batch would build has no variables to save yet
            build_for_fit(self.model, self._iterator, batch_spec)
        self._files = RunCheckpoint(self.model, self.directory, self.keep)
        self._epoch, self._batches, self._logs = None, 0, {}
        if self.data is not None:
            self.data.start = 0
        if resumed := self._files.restore():
            self._go_on(resumed)
        self._resumed = resumed  # until the first batch
        self._count, self._time = 0, time.monotonic()
        self._alone = not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)
        if self._alone:
            self._signals.install()

    def _go_on(self, resumed: dict) -> None:
        self.model.history.history.update(resumed["history"])
        if resumed["stopped"]:  # by EarlyStopping, for example: nothing is left to do
            start_fit_at(self.model, self.params["epochs"])
            return
        start_fit_at(self.model, resumed["epoch"])
        if resumed["epoch"] < self.params["epochs"]:
            epochs, batches = resumed["epoch"] - self._first, resumed["batch"]
            if self.data is not None:
                self.data.start = epochs * self.params["steps"] + batches
            fast_forward(self._iterator, epochs, batches, read=self.data is None)

    def on_epoch_begin(self, epoch, logs=None):
        start_fit_at(self.model, None)
        if self._epoch is not None:
            self._save(epoch, 0)
        elif self._resumed:  # fit has just reset the metrics, and callbacks themselves
            self._files.restore_metrics()
            self._batches, self._logs = self._resumed["batch"], self._resumed["logs"]
            self.model.history.epoch = list(range(self._first, epoch))
            set_callback_state(self._others, self._resumed["callbacks"])
        self._epoch = epoch
        self._obey_signal()

    def on_train_batch_begin(self, batch, logs=None):
        if self._resumed:  # by now the skipped data have been read, and have drawn their random numbers again
            set_random_state(self._resumed["random"])
            self._resumed = None
        self._obey_signal()
        if self._due():  # here, not after the batch before: by now every callback has seen its end
            self._save(self._epoch, self._batches)

    def on_train_batch_end(self, batch, logs=None):
        whole = self._iterator.num_batches
        done = min(batch + 1, whole) if whole else batch + 1
        self._count, self._batches = self._count + done - self._batches, done

    def on_test_begin(self, logs=None):
        if self._epoch is not None and not self._resumed:  # if it is, no batch has run: they are in the checkpoint
            self._logs = self.model.get_metrics_result()  # evaluation is going to reset them

    def on_test_batch_end(self, batch, logs=None):
        self._obey_signal()

    def on_epoch_end(self, epoch, logs=None):
        for name, value in self._logs.items():
            logs.setdefault(name, float(value))  # the checkpoint was after the last batch: none has run
        self._batches, self._logs = 0, {}

    def on_train_end(self, logs=None):
        start_fit_at(self.model, None)
        if self._epoch is not None:
            self._save(self._epoch + 1, 0)
        self._signals.remove()
        self._files.close()
        self._epoch = None
        if self._signals.received:
            self._signals.obey()

    def _due(self) -> bool:
        if self.every_steps and self._count >= self.every_steps:
            return True
        return bool(self._alone and self.every_minutes and time.monotonic() - self._time >= 60 * self.every_minutes)

    def _obey_signal(self) -> None:
        if self._signals.received and self._epoch is not None:
            self._save(self._epoch, self._batches)
            self._signals.obey()

    def _save(self, epoch: int, batch: int) -> None:
        """Saves that `batch` batches of `epoch` (from 0) are done."""
        history = {name: [float(value) for value in values] for name, values in self.model.history.history.items()}
        self._files.save({
            "epoch": epoch, "batch": batch, "logs": {name: float(value) for name, value in self._logs.items()},
            "history": history, "callbacks": callback_state(self._others), "random": random_state(),
            "stopped": bool(self.model.stop_training),
        })
        self._count, self._time = 0, time.monotonic()

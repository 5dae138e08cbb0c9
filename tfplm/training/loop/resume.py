"""Resuming of interrupted trainings: `model.fit(dataset, epochs=3, callbacks=[Resume("checkpoints")])`."""

import logging
import os
import time

import keras
import tensorflow as tf

from tfplm.core.keras_internals import build_for_fit, local_of_fit, start_fit_at
from tfplm.training.loop.distribute import batch_spec
from tfplm.training.loop.position import fast_forward, skip_epoch
from tfplm.training.loop.run_checkpoint import RunCheckpoint
from tfplm.training.loop.signals import Signals
from tfplm.training.loop.state import callback_state, random_state, set_callback_state, set_random_state

log = logging.getLogger(__name__)


class Resume(keras.callbacks.Callback):
    """Saves the complete state of `fit` at intervals, and resumes from the newest checkpoint of the folder.

    The checkpoints, written by `tf.train.CheckpointManager`, contain the model, the optimizer (with its step, and so
    the schedule), the metrics of the current epoch, random states, the history, and the position in the data. A program
    that was killed and started again ends with the same weights as without interruption, if the data have the same
    order (`keras.utils.set_random_seed` at the start), and their random choices are stateless or Keras' own, as those
    of dropout; validation needs a separate dataset object. After Ctrl-C and SIGTERM a checkpoint is saved before the
    program ends.

    To load only the model: `tf.train.Checkpoint(model=model).restore(path).expect_partial()`, or, for a model of tfplm,
    `tfplm.from_pretrained(directory)`.

    With `MultiWorkerMirroredStrategy` every worker needs this callback, with a folder that all of them can read; the
    chief writes. `every_minutes` and signals are then ignored, as all workers must save at the same step.

    Args:
        directory: folder of the checkpoints. To start from the beginning, use another folder, or delete it.
        every_steps: number of batches between two checkpoints.
        every_minutes: minutes between two checkpoints; with both, whichever is first; with neither, 10 minutes. The end
            of each epoch is also saved.
        keep: number of checkpoints to keep, at least 2, as the newest could be damaged.
        data: source of the batches, if it can start at any batch: its attribute `start` is set to the number of trained
            batches before the dataset is read, and none of them is read again. It requires `steps_per_epoch`.
        extend: continue a training that is complete, because it has got more epochs or steps; its epochs may have
            another number of steps if `data` is given.
        steps: number of batches of the whole training, if that is not epochs x steps per epoch.
    """

    def __init__(self, directory: str | os.PathLike, every_steps: int | None = None,
                 every_minutes: float | None = None, keep: int = 3, data=None, extend: bool = False,
                 steps: int | None = None):
        super().__init__()
        if keep < 2:
            raise ValueError(f"keep is {keep}; expected 2 or more, so that one remains if the newest is damaged")
        self.directory, self.keep, self.every_steps = os.fspath(directory), keep, every_steps
        self.every_minutes = 10.0 if every_steps is None and every_minutes is None else every_minutes
        self.data, self.extend, self.steps, self._signals = data, extend, steps, Signals()
        self._epoch = self._files = None

    def on_train_begin(self, logs=None):
        self._iterator, self._others = local_of_fit("epoch_iterator"), local_of_fit("callbacks").callbacks
        self._first = local_of_fit("initial_epoch")
        strategy = self.model.distribute_strategy
        with strategy.scope():  # a model that is built by its first batch has no variables yet
            build_for_fit(self.model, self._iterator, batch_spec)
        self._files = RunCheckpoint(self.model, self.directory, self.keep)
        self._epoch, self._batches, self._total, self._logs = None, 0, 0, {}
        if self.data is not None:
            self.data.start = 0
        if resumed := self._files.restore():
            self._restore_position(resumed)
        self._resumed = resumed  # until the first batch, or the evaluation of an epoch without a batch left
        self._count, self._time = 0, time.monotonic()
        self._alone = not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)
        if self._alone:
            self._signals.install()

    def _restore_position(self, resumed: dict) -> None:
        self.model.history.history.update(resumed["history"])
        resumed["stopped"] = resumed["stopped"] and not self.extend
        self._total = resumed.get("total", 0)
        if self.extend and self.data is not None:  # the epochs may be longer than before
            epochs, resumed["batch"] = divmod(self._total, self.params["steps"])
            resumed["epoch"] = self._first + epochs
        if resumed["stopped"] and not resumed["batch"]:  # the training is complete, e.g. by EarlyStopping
            start_fit_at(self.model, self.params["epochs"])
            return
        start_fit_at(self.model, resumed["epoch"])
        if resumed["epoch"] < self.params["epochs"]:
            epochs, batches = resumed["epoch"] - self._first, resumed["batch"]
            if resumed["stopped"]:  # in the evaluation after the last batch
                skip_epoch(self._iterator)
                return
            if self.data is not None:
                self.data.start = epochs * self.params["steps"] + batches
            fast_forward(self._iterator, epochs, batches, read=self.data is None)
            if batches < (self.params["steps"] or batches + 1) and float(self.model.optimizer.learning_rate) == 0:
                log.warning("the learning rate is 0 at step %d, where the training resumes: its schedule has reached its "
                            "end, and no weight changes", self._total)

    def on_epoch_begin(self, epoch, logs=None):
        start_fit_at(self.model, None)
        if self._epoch is not None:
            self._save(epoch, 0)
        elif self._resumed:  # fit has reset the metrics, and callbacks have reset themselves
            self._files.restore_metrics()
            self._batches, self._logs = self._resumed["batch"], self._resumed["logs"]
            self.model.history.epoch = list(range(self._first, epoch))
            set_callback_state(self._others, self._resumed["callbacks"])
            self.model.stop_training = self._resumed["stopped"]
        self._epoch = epoch
        self._obey_signal()

    def on_train_batch_begin(self, batch, logs=None):
        self._start_again()
        self._obey_signal()
        if self._due():  # not at the end of the previous batch, as other callbacks are called after this one
            self._save(self._epoch, self._batches)

    def on_train_batch_end(self, batch, logs=None):
        whole = self._iterator.num_batches
        new = (min(batch + 1, whole) if whole else batch + 1) - self._batches
        self._count, self._total, self._batches = self._count + new, self._total + new, self._batches + new

    def on_test_begin(self, logs=None):
        if self._epoch is not None and not self._start_again():
            self._logs = self.model.get_metrics_result()  # evaluation resets them

    def on_test_batch_end(self, batch, logs=None):
        self._obey_signal()

    def on_epoch_end(self, epoch, logs=None):
        self._start_again()
        for name, value in self._logs.items():
            logs.setdefault(name, float(value))  # if the checkpoint was after the last batch, none has run
        self._batches, self._logs = 0, {}

    def on_train_end(self, logs=None):
        start_fit_at(self.model, None)
        if self._epoch is not None:
            self._save(self._epoch + 1, 0)
        self._signals.remove()
        self._epoch = None
        if self._signals.received:
            self._signals.obey(self._total)

    def _start_again(self) -> bool:
        """Sets the saved random state, once: by now the skipped data, which change it, have been read. Returns True if
        it did, so that no batch of the epoch has run in this program."""
        resumed, self._resumed = self._resumed, None
        if resumed:
            set_random_state(resumed["random"])
        return bool(resumed)

    def _due(self) -> bool:
        if self.every_steps and self._count >= self.every_steps:
            return True
        return bool(self._alone and self.every_minutes and time.monotonic() - self._time >= 60 * self.every_minutes)

    def _obey_signal(self) -> None:
        if self._signals.received and self._epoch is not None:
            self._save(self._epoch, self._batches)
            self._signals.obey(self._total)

    def _save(self, epoch: int, batch: int) -> None:
        """Saves the state after `batch` batches of `epoch` (from 0)."""
        history = {name: [float(value) for value in values] for name, values in self.model.history.history.items()}
        whole = self.steps or (self.params.get("steps") or 0) * self.params.get("epochs", 1)
        self._files.save({
            "epoch": epoch, "batch": batch, "total": self._total, "whole": whole, "time": time.time(),
            "logs": {name: float(value) for name, value in self._logs.items()},
            "history": history, "callbacks": callback_state(self._others), "random": random_state(),
            "stopped": bool(self.model.stop_training),
        })
        self._count, self._time = 0, time.monotonic()

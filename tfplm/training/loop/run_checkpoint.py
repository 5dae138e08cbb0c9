"""Checkpoints of a training run, written by `tf.train.CheckpointManager`; the newest complete one is restored."""

import json
import logging
import os
import re
import tempfile

import keras
import tensorflow as tf

from tfplm.training.loop.distribute import is_chief
from tfplm.training.loop.state import RunState

log = logging.getLogger(__name__)
_STATE = "state/.ATTRIBUTES/py_state"


class RunCheckpoint:
    """Checkpoints of all variables of a compiled, built model, its optimizer and metrics, and a dict of JSON values.

    Only the chief writes to `directory`; the other workers take part in saving, as variables with parts on several
    workers are summed by all of them, with a temporary folder of their own machine, which ends with the process.
    """

    def __init__(self, model: keras.Model, directory: str, keep: int):
        self.directory, self._state = directory, RunState()
        self._metrics = model.metrics_variables
        # the list is necessary as the graph of objects does not contain all variables, e.g. the seeds of dropout
        self._checkpoint = tf.train.Checkpoint(
            model=model, optimizer=model.optimizer, state=self._state, metrics=self._metrics,
            variables=[*model.variables, *model.optimizer.variables])
        self._own = None if is_chief() else tempfile.TemporaryDirectory(prefix="tfplm-worker-")
        self._manager = tf.train.CheckpointManager(self._checkpoint, directory if self._own is None else self._own.name,
                                                   max_to_keep=keep)
        self._restored = None

    def save(self, values: dict) -> None:
        self._state.values = values
        self._manager.save()

    def restore(self) -> dict | None:
        """Restores all variables from the newest checkpoint, and returns its values; None if there is none."""
        for path in _newest_first(self.directory):
            if (damage := _damage(path)) is not None:
                log.warning("checkpoint %s is damaged and is skipped (%s)", path, damage)
                continue
            try:
                self._checkpoint.restore(path).assert_consumed()
            except (AssertionError, ValueError) as error:
                raise ValueError(f"checkpoint {path} belongs to another model or optimizer; expected those of this "
                                 "training: use another folder, or delete this one to start again "
                                 f"({error})") from error
            self._restored = path
            return self._state.values
        return None

    def restore_metrics(self) -> None:
        """Restores the metrics again, from the checkpoint that `restore` found."""
        tf.train.Checkpoint(metrics=self._metrics).read(self._restored).expect_partial()


def newest_values(directory: str | os.PathLike) -> dict | None:
    """The values of the newest checkpoint whose values can be read, without a model; None if there is none."""
    for path in _newest_first(os.fspath(directory)):
        try:
            return json.loads(tf.train.load_checkpoint(path).get_tensor(_STATE))
        except Exception:  # as in `_damage`
            continue
    return None


def _newest_first(directory: str) -> list[str]:
    names = os.listdir(directory) if os.path.isdir(directory) else []
    numbers = [int(found.group(1)) for name in names if (found := re.fullmatch(r"ckpt-(\d+)\.index", name))]
    return [os.path.join(directory, f"ckpt-{number}") for number in sorted(numbers, reverse=True)]


def _damage(path: str) -> str | None:
    """The damage of a checkpoint, found by reading it completely (each tensor has a checksum), or None."""
    try:
        reader = tf.train.load_checkpoint(path)
        for name in reader.get_variable_to_shape_map():
            reader.get_tensor(name)
    except Exception as error:  # depending on the damage, the reader raises IndexError, DataLossError, ...
        return str(error).partition("\n")[0]
    return None

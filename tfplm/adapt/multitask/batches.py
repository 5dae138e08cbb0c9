"""One dataset with batches of several tasks, one task per batch (MT-DNN, Liu et al. 2019, algorithm 1)."""

import math
from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from tfplm.adapt.finetune.batches import batch_source
from tfplm.adapt.multitask.model import TASK
from tfplm.adapt.tasks.task import Task
from tfplm.data.batches.batch_source import dataset_like, mixed_batches, with_other_keys
from tfplm.data.batches.batching import with_prefix
from tfplm.options.multitask import MultitaskOptions


class MixedBatches:
    """Endless batches of several tasks; the task of a batch is sampled with probability proportional to (number of
    examples) ** alpha.

    Each batch has the keys of all tasks: `INDEX/x/KEY` for the inputs, `INDEX/y/KEY` for the labels, `INDEX/w/KEY` for
    the weights (KEY is empty if there is only one array); those of other tasks are nearly empty.
    """

    def __init__(self, tasks: dict[str, Task], features: dict[str, list[dict]], options: MultitaskOptions):
        self.tasks, self.seed, self.start = tasks, options.seed, 0
        self.sources = {name: batch_source(task, features[name], options.batch_size, options.seed)
                        for name, task in tasks.items()}
        self.shares = {name: len(rows) ** options.alpha for name, rows in features.items()}
        self.steps = max(1, math.ceil(options.epochs * sum(len(rows) for rows in features.values())
                                      / options.batch_size))
        self._templates = [self._flat(index, name, next(self.sources[name].epoch(0)))
                           for index, name in enumerate(tasks)]

    def _flat(self, index: int, name: str, batch: dict) -> dict:
        batch.pop("example", None)
        parts = zip("xyw", self.tasks[name].split(batch))
        flat = {f"{kind}/{key}": np.asarray(value) for kind, values in parts for key, value in _named(values).items()}
        return with_prefix(flat, f"{index}/")

    def _complete(self, index: int, flat: dict) -> dict:
        mask = flat[f"{index}/x/attention_mask"]  # also under its usual name, with which tokens are counted
        return {**with_other_keys(flat, self._templates), "attention_mask": mask,
                TASK: np.full(len(mask), index, np.int32)}

    def batches(self, start: int = 0) -> Iterator[dict]:
        """The batches of the training, starting at index `start`."""
        indices = {name: index for index, name in enumerate(self.tasks)}
        for name, batch in mixed_batches(self.sources, self.shares, self.seed, start):
            yield self._complete(indices[name], self._flat(indices[name], name, batch))

    def dataset(self) -> tf.data.Dataset:
        """The batches from index `start` on; a resumed training sets `start`."""
        return dataset_like(lambda: self.batches(self.start), self._complete(0, self._templates[0]))


def _named(values) -> dict:
    return values if isinstance(values, dict) else {"": values}

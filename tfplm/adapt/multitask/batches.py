"""Batches of one task at a time (MT-DNN, Liu et al. 2019, algorithm 1), as one dataset."""

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
    """Batches of several tasks, each of one of them, drawn by (number of examples) ** alpha; without end.

    Each has the keys of all tasks: `INDEX/x/KEY` for the model, `INDEX/y/KEY` to be predicted, `INDEX/w/KEY` the weights
    (KEY is empty where there is one array only); those of other tasks are nearly empty.
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
        mask = flat[f"{index}/x/attention_mask"]  # once more by its usual name, for tokens to be counted
        return {**with_other_keys(flat, self._templates), "attention_mask": mask,
                TASK: np.full(len(mask), index, np.int32)}

    def batches(self, start: int = 0) -> Iterator[dict]:
        """From the batch with the index `start` of the training on."""
        indices = {name: index for index, name in enumerate(self.tasks)}
        for name, batch in mixed_batches(self.sources, self.shares, self.seed, start):
            yield self._complete(indices[name], self._flat(indices[name], name, batch))

    def dataset(self) -> tf.data.Dataset:
        """`batches` from `start` on, which a resumed training sets."""
        return dataset_like(lambda: self.batches(self.start), self._complete(0, self._templates[0]))


def _named(values) -> dict:
    return values if isinstance(values, dict) else {"": values}

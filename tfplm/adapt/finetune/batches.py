"""Batches of a task's features for Keras' `fit`."""

import tensorflow as tf

from tfplm.adapt.tasks.task import Task
from tfplm.data.batches.batch_source import BatchSource, Noise, dataset_like, shuffled
from tfplm.data.batches.batching import Batching


def batch_source(task: Task, features: list[dict], batch_size: int, seed: int, noise: Noise | None = None) -> BatchSource:
    """Batches of `batch_size` examples of similar length, in a different order in each epoch."""
    batching = Batching(batch_rows=batch_size, multiple=8, pool=50)
    return BatchSource(shuffled(features), batching, noise, seed, task.pads)


class TaskBatches:
    """Batches `(x, y, sample_weight)` of `batch_source`.

    noise: changes a batch, as in `BatchSource`. Order and noise depend only on seed and epoch, so a resumed training,
    which sets `start`, gets the same batches as an uninterrupted one.
    """

    def __init__(self, task: Task, features: list[dict], batch_size: int, seed: int = 0, noise: Noise | None = None):
        if not features:
            raise ValueError("there are 0 training examples; expected 1 or more: check the training file")
        self.task, self.features, self.start = task, features, 0
        self.source = batch_source(task, features, batch_size, seed, noise)
        self.steps = -(-len(features) // batch_size)

    def split(self, batch: dict) -> tuple:
        batch.pop("example", None)
        return self.task.split(batch)

    def dataset(self, epochs: int) -> tf.data.Dataset:
        """The batches of all epochs, from batch `start` on; pass `steps_per_epoch=batches.steps` to `fit`."""
        first = self.split(next(self.source.epoch(0)))

        def generate():
            self.source.epoch_lengths[:] = [self.steps] * (self.start // self.steps)  # epochs that need not be read
            return map(self.split, self.source.batches(self.start, epochs))

        return dataset_like(generate, first)

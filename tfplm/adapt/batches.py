"""Features of a task as the batches of Keras' `fit`."""

import tensorflow as tf

from tfplm.adapt.tasks.task import Task
from tfplm.data.batch_source import BatchSource, Noise, dataset_like, shuffled
from tfplm.data.batching import Batching


class TaskBatches:
    """Batches `(x, y, sample_weight)` of `batch_size` examples of about the same length, in another order each epoch.

    noise: changes a batch, as in `BatchSource`. Order and noise depend on seed and epoch alone, so that a resumed
    training sees what it would have seen.
    """

    def __init__(self, task: Task, features: list[dict], batch_size: int, seed: int = 0, noise: Noise | None = None,
                 pool: int = 50):
        if not features:
            raise ValueError("there is no example to train on")
        self.task, self.features = task, features
        batching = Batching(batch_rows=batch_size, multiple=8, pool=pool)
        self.source = BatchSource(shuffled(features), batching, noise, seed,
                                  pad=task.tokenizer.pad_token_id or 0)
        self.steps = -(-len(features) // batch_size)

    def split(self, batch: dict) -> tuple:
        batch.pop("example", None)
        return self.task.split(batch)

    def dataset(self, epochs: int) -> tf.data.Dataset:
        """Epoch after epoch; give `steps_per_epoch=batches.steps` to `fit`."""
        first = self.split(next(self.source.epoch(0)))
        return dataset_like(lambda: map(self.split, self.source.batches(0, epochs)), first)

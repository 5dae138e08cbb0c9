"""One encoder with a head for each task, as one Keras model (MT-DNN, Liu et al. 2019)."""

import dataclasses

import keras
import tensorflow as tf

from tfplm.adapt.tasks.task import Task
from tfplm.data.batches.batching import of_prefix
from tfplm.models.heads import make_head
from tfplm.models.model import PretrainedModel
from tfplm.models.pretrained.api import from_config
from tfplm.models.pretrained.weights import named_variables
from tfplm.training.loop.wrapper import TrainingModel

TASK = "task"  # key of the index of a batch's task, int32 [B]


class MultiTask(TrainingModel):
    """A model without a head, and a head for each task. A batch belongs to one task, and has its inputs, labels and
    weights under the prefixes `INDEX/x/`, `INDEX/y/` and `INDEX/w/`, as `MixedBatches` makes them.

    Args:
        model: a model without a head; it is trained in place.
        tasks: name -> task, which has already learned its labels.
    """

    def __init__(self, model: PretrainedModel, tasks: dict[str, Task]):
        super().__init__(model, "multitask")
        self.tasks = tasks
        self.task_heads, self.task_losses = [], []
        with self.own_layers():
            for task in tasks.values():
                head = make_head(task.head, model.config.replace(**task.config_changes()), model, task.num_labels)
                self.task_heads.append(head)
                self.task_losses.append(task.loss(WithHead(head)))
        self.loss_means = [keras.metrics.Mean(name=f"{name}_loss") for name in tasks]

    def outputs(self, index: int, batch: dict, training=False):
        """The outputs of the head of the task with this index."""
        return self.task_heads[index](self.inner.features(batch, training=training), batch, training=training)

    def call(self, batch, training=False):
        """
        Returns:
            dict: `losses` float32 `[B]`, the weighted loss of each example; `task`, the index of their task.
        """
        index = batch[TASK][0]
        branches = [lambda own=own: self._batch_losses(own, batch, training) for own in range(len(self.tasks))]
        return {"losses": tf.switch_case(index, branches), "task": index}

    def _batch_losses(self, index: int, batch: dict, training: bool):
        x, y, weights = (of_prefix(batch, f"{index}/{kind}/") for kind in "xyw")
        return _per_example(self.task_losses[index], y, self.outputs(index, x, training), weights)

    def example_losses(self, batch, outputs):
        return outputs["losses"]

    def update_metrics(self, batch, outputs):
        for index, mean in enumerate(self.loss_means):
            own = tf.cast(tf.equal(outputs["task"], index), tf.float32)
            mean.update_state(tf.reduce_mean(outputs["losses"]), sample_weight=own)

    def saved_models(self) -> dict[str, PretrainedModel]:
        """A separate model for each task, with the current weights."""
        return {name: self._single(task, head) for (name, task), head in zip(self.tasks.items(), self.task_heads)}

    def _single(self, task: Task, head: keras.layers.Layer) -> PretrainedModel:
        config = self.inner.config.replace(**task.config_changes())
        single = from_config(config, task.head, num_labels=task.num_labels, dtype=self.inner.dtype_policy)
        values = {**named_variables(self.inner), **named_variables(head)}
        for path, variable in named_variables(single).items():
            variable.assign(values[path])
        return single


@dataclasses.dataclass
class WithHead:
    """The part of a model that a task's loss may use."""

    head: keras.layers.Layer


def _per_example(loss, y: dict, outputs, weights: dict):
    """float32 `[B]`: the mean over the positions of each example; the sum over several outputs."""
    if isinstance(outputs, dict):
        parts = [_per_example(loss[name], {"": y[name]}, outputs[name], {"": weights.get("", weights.get(name))})
                 for name in outputs]
        return tf.add_n(parts)
    losses = tf.cast(loss.call(y[""], outputs), tf.float32) * tf.cast(weights[""], tf.float32)
    return losses if len(losses.shape) == 1 else tf.reduce_mean(losses, axis=-1)

"""A model together with its pre-training objectives, as one Keras model: `compile(optimizer)`, then `fit`."""

import keras
import tensorflow as tf

from tfplm.pretrain.losses import Scores, binary_scores, class_scores
from tfplm.pretrain.objectives.task import Task
from tfplm.training.loop.wrapper import TrainingModel

TASK = "task"  # key of the index of a batch's task, int32 [B], if there are several tasks


class Pretraining(TrainingModel):
    """Takes batches (dicts, as `Task.noise` makes them) and returns losses and counts, not logits.

    With several tasks, each batch belongs to one of them (its index is `batch["task"]`) and has the keys of all.

    Args:
        model: the model with the head that is to be saved; it is trained in place.
        tasks: tasks that `make_tasks` made for this model's configuration.
    """

    def __init__(self, model: keras.Model, tasks: list[Task]):
        super().__init__(model, "pretraining")
        self.tasks = tuple(tasks)
        objectives = list(dict.fromkeys(objective for task in tasks for objective in task.objectives))
        with self.own_layers():
            for objective in objectives:
                objective.build(model)
        self.extras = [layer for objective in objectives for layer in objective.layers]
        parts = {part.name: part for task in tasks for part in task.parts}
        self.parts = tuple(parts.values())
        self.loss_means = [keras.metrics.Mean(name=f"{part.name}_loss") for part in self.parts]
        self.accuracies = [keras.metrics.Mean(name=f"{part.name}_accuracy") for part in self.parts]
        # for labels that the model makes itself: the fraction that are 1
        self.rates = {part.name: keras.metrics.Mean(name=f"{part.name}_replaced")
                      for part in self.parts if part.labels is None}

    def call(self, batch, training=False, **taps):
        """
        Returns:
            dict: `losses` float32 [B,K], per example and part (`self.parts`); the mean of a column is the loss of
            that part. `sums` float32 [K,4], per part: total loss, correct predictions, all predictions, labels that
            are 1. With `taps` (`output_attentions=True`, ...), the outputs of the model itself.
        """
        if taps:
            return self.inner(batch, training=training, **taps)
        if len(self.tasks) == 1:
            return self._scores(self.tasks[0], batch, training)
        batch = dict(batch)
        index = batch.pop(TASK)[0]

        def branch(task):
            return lambda: self._scores(task, batch, training)

        return tf.switch_case(index, [branch(task) for task in self.tasks])

    def _scores(self, task: Task, batch: dict, training: bool) -> dict:
        predictions = task.predict(self.inner, batch, training)
        nothing = tf.zeros([tf.shape(batch["input_ids"])[0]]), tf.zeros([4])
        losses, sums = zip(*(_columns(predictions[part.name], part.labels is None) if part.name in predictions
                             else nothing for part in self.parts))
        return {"losses": tf.stack(losses, 1), "sums": tf.stack(sums)}

    def example_losses(self, batch, outputs):
        """The weighted sum of the parts' losses, float32 [B]."""
        return tf.linalg.matvec(outputs["losses"], tf.constant([part.factor for part in self.parts]))

    def update_metrics(self, batch, outputs):
        for index, (loss, accuracy) in enumerate(zip(self.loss_means, self.accuracies)):
            total, correct, count, ones = tf.unstack(outputs["sums"][index])
            loss.update_state(tf.math.divide_no_nan(total, count), sample_weight=count)
            accuracy.update_state(tf.math.divide_no_nan(correct, count), sample_weight=count)
            if (rate := self.rates.get(self.parts[index].name)) is not None:
                rate.update_state(tf.math.divide_no_nan(ones, count), sample_weight=count)

    def saved_models(self) -> dict[str, keras.Model]:
        """The model, and the models among the objectives' own layers, such as the generator of rtd."""
        return super().saved_models() | {layer.name: layer for layer in self.extras if isinstance(layer, keras.Model)}


def _columns(prediction: tuple, binary: bool) -> tuple[tf.Tensor, tf.Tensor]:
    scores: Scores = (binary_scores if binary else class_scores)(*prediction)
    return scores.losses, tf.stack([scores.total, scores.correct, scores.count, scores.ones])

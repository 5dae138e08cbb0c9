"""A model together with its pre-training objectives, as one Keras model: `compile(optimizer)`, then `fit`."""

import keras
import tensorflow as tf

from tfplm.pretrain.losses import Scores, binary_scores, class_scores
from tfplm.pretrain.objectives.task import Task
from tfplm.training.loop.wrapper import TrainingModel

TASK = "task"  # the key of the number of a batch's task, int32 [B], where there are several


class Pretraining(TrainingModel):
    """Batches are dicts as `Task.noise` makes them; what it returns are losses and counts, not logits.

    With several tasks each batch is of one of them (its number is in `batch["task"]`) and has the keys of all.

    Args:
        model: with the head that is to be saved; it is trained in place.
        tasks: made by `make_tasks` for this model's configuration.
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
        # labels that the model makes itself: how many are 1
        self.rates = {part.name: keras.metrics.Mean(name=f"{part.name}_replaced")
                      for part in self.parts if part.labels is None}

    def call(self, batch, training=False, **taps):
        """
        Returns:
            dict: `losses` float32 [B,K], per example and part (`self.parts`), each column's mean being the loss of
            that part; `sums` [K,4]: total loss, correct ones, number of the predictions, labels 1. With `taps`
            (`output_attentions=True`, ...) what the model itself returns.
        """
        if taps:
            return self.inner(batch, training=training, **taps)
        if len(self.tasks) == 1:
            return self._scores(self.tasks[0], batch, training)
        batch = dict(batch)
        number = batch.pop(TASK)[0]

        def branch(task):
            return lambda: self._scores(task, batch, training)

        return tf.switch_case(number, [branch(task) for task in self.tasks])

    def _scores(self, task: Task, batch: dict, training: bool) -> dict:
        predictions = task.predict(self.inner, batch, training)
        nothing = tf.zeros([tf.shape(batch["input_ids"])[0]]), tf.zeros([4])
        losses, sums = zip(*(_columns(predictions[part.name], part.labels is None) if part.name in predictions
                             else nothing for part in self.parts))
        return {"losses": tf.stack(losses, 1), "sums": tf.stack(sums)}

    def example_losses(self, batch, outputs):
        """The weighted sums of the parts."""
        return tf.linalg.matvec(outputs["losses"], tf.constant([part.factor for part in self.parts]))

    def update_metrics(self, batch, outputs):
        for index, (loss, accuracy) in enumerate(zip(self.loss_means, self.accuracies)):
            total, correct, count, ones = tf.unstack(outputs["sums"][index])
            loss.update_state(tf.math.divide_no_nan(total, count), sample_weight=count)
            accuracy.update_state(tf.math.divide_no_nan(correct, count), sample_weight=count)
            if (rate := self.rates.get(self.parts[index].name)) is not None:
                rate.update_state(tf.math.divide_no_nan(ones, count), sample_weight=count)

    def saved_models(self) -> dict[str, keras.Model]:
        """The model, and those among the objectives' own layers, such as the generator of rtd."""
        return super().saved_models() | {layer.name: layer for layer in self.extras if isinstance(layer, keras.Model)}


def _columns(prediction: tuple, binary: bool) -> tuple[tf.Tensor, tf.Tensor]:
    scores: Scores = (binary_scores if binary else class_scores)(*prediction)
    return scores.losses, tf.stack([scores.total, scores.correct, scores.count, scores.ones])

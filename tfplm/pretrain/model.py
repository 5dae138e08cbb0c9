"""A model together with its pre-training objectives, as one Keras model: `compile(optimizer)`, then `fit`."""

import keras
import tensorflow as tf

from tfplm.models.precision import dtype_policy
from tfplm.pretrain.losses import Scores, binary_scores, class_scores
from tfplm.pretrain.objectives.task import Task

TASK = "task"  # the key of the number of a batch's task, int32 [B], where there are several


class Pretraining(keras.Model):
    """Batches are dicts as `Task.noise` makes them; what it returns are losses and counts, not logits.

    With several tasks each batch is of one of them (its number is in `batch["task"]`) and has the keys of all.

    Args:
        model: with the head that is to be saved; it is trained in place.
        tasks: made by `make_tasks` for this model's configuration.
    """

    def __init__(self, model: keras.Model, tasks: list[Task], **keywords):
        # autocast would round the weights of the losses to the policy's dtype; the model's own layers cast
        super().__init__(dtype=model.dtype_policy, autocast=False, name=keywords.pop("name", "pretraining"), **keywords)
        self.backbone, self.tasks = model, tuple(tasks)
        objectives = list(dict.fromkeys(objective for task in tasks for objective in task.objectives))
        with dtype_policy(model.dtype_policy):
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
        self.tokens, self.places = _counter("tokens", "sum"), _counter("places", "sum")
        self.steps = _counter("steps", "only_first_replica")
        self.built = True

    def call(self, batch, training=False, **taps):
        """
        Returns:
            dict: `losses` float32 [B,K], per example and part (`self.parts`), each column's mean being the loss of
            that part; `sums` [K,4]: total loss, correct ones, number of the predictions, labels 1. With `taps`
            (`output_attentions=True`, ...) what the model itself returns.
        """
        if taps:
            return self.backbone(batch, training=training, **taps)
        if training:
            self._count(batch)
        if len(self.tasks) == 1:
            return self._scores(self.tasks[0], batch, training)
        batch = dict(batch)
        number = batch.pop(TASK)[0]

        def branch(task):
            return lambda: self._scores(task, batch, training)

        return tf.switch_case(number, [branch(task) for task in self.tasks])

    def _count(self, batch: dict) -> None:
        mask = batch["attention_mask"]
        self.tokens.assign_add(tf.reduce_sum(tf.cast(mask, tf.int64)))
        self.places.assign_add(tf.size(mask, tf.int64))
        self.steps.assign_add(tf.constant(1, tf.int64))

    def _scores(self, task: Task, batch: dict, training: bool) -> dict:
        predictions = task.predict(self.backbone, batch, training)
        nothing = tf.zeros([tf.shape(batch["input_ids"])[0]]), tf.zeros([4])
        losses, sums = zip(*(_columns(predictions[part.name], part.labels is None) if part.name in predictions
                             else nothing for part in self.parts))
        return {"losses": tf.stack(losses, 1), "sums": tf.stack(sums)}

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """The weighted sum of the parts, over the number of replicas: the gradients of all replicas are added up."""
        factors = tf.constant([part.factor for part in self.parts])
        loss = tf.reduce_mean(tf.linalg.matvec(y_pred["losses"], factors))
        return loss / tf.cast(self.distribute_strategy.num_replicas_in_sync, loss.dtype)

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        for place, (loss, accuracy) in enumerate(zip(self.loss_means, self.accuracies)):
            total, correct, count, ones = tf.unstack(y_pred["sums"][place])
            loss.update_state(tf.math.divide_no_nan(total, count), sample_weight=count)
            accuracy.update_state(tf.math.divide_no_nan(correct, count), sample_weight=count)
            if (rate := self.rates.get(self.parts[place].name)) is not None:
                rate.update_state(tf.math.divide_no_nan(ones, count), sample_weight=count)
        return self.get_metrics_result()

    def steps_done(self) -> int:
        """Batches that were trained on."""
        return int(keras.ops.convert_to_numpy(self.steps))

    def saved_beside(self) -> dict[str, keras.Model]:
        """Models of the objectives that are worth saving, by the name of their folder."""
        return {layer.name: layer for layer in self.extras if isinstance(layer, keras.Model)}


def _counter(name: str, aggregation: str) -> keras.Variable:
    """Saved with the model's checkpoints, so that it counts over all runs."""
    return keras.Variable(0, dtype="int64", trainable=False, aggregation=aggregation, name=name,
                          synchronization="on_read")


def _columns(prediction: tuple, binary: bool) -> tuple[tf.Tensor, tf.Tensor]:
    scores: Scores = (binary_scores if binary else class_scores)(*prediction)
    return scores.losses, tf.stack([scores.total, scores.correct, scores.count, scores.ones])

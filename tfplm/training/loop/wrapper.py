"""Base of Keras models that train other models: pre-training, multi-task and contrastive learning, distillation."""

from collections.abc import Iterable

import keras
import tensorflow as tf

from tfplm.layers.precision import dtype_policy


class TrainingModel(keras.Model):
    """A Keras model around the model that it trains; use `compile(...)` and `fit` as for any Keras model.

    Subclasses implement `call`, and define the loss in one of two ways:

    - by `example_losses` (and `update_metrics`), computed from the outputs of `call`; then `compile` gets no loss;
    - by `compile`, as in any Keras model.

    Batches are passed to the trained model unchanged (`autocast=False`): Keras would round float weights and scores to
    the dtype of the policy, whereas the layers of the trained model cast their inputs themselves.

    Args:
        model: the model to train, which is modified, and saved at the end.
        name: name of this Keras model.
        untrained: models that are used, but not trained, such as a teacher. They are not tracked: their variables have
            no gradients, and are not in checkpoints.

    Attributes:
        inner: the trained model.
        untrained: tuple of the other models.
        tokens, positions, steps: int64 variables, counted in each training step and saved with checkpoints, so that they
            count all runs: real tokens, positions including padding, batches.
    """

    def __init__(self, model: keras.Model, name: str, untrained: Iterable[keras.Model] = ()):
        super().__init__(name=name, dtype=model.dtype_policy, autocast=False)
        self.inner = model
        vars(self)["untrained"] = tuple(untrained)  # bypasses the tracking of Keras
        self.tokens, self.positions = _counter("tokens", "sum"), _counter("positions", "sum")
        self.steps = _counter("steps", "only_first_replica")
        self.built = True  # all layers are built by their constructors

    def own_layers(self):
        """A context for creating additional layers of the training with the dtype policy of the model."""
        return dtype_policy(self.inner.dtype_policy)

    def saved_models(self) -> dict[str, keras.Model]:
        """The models to save after the training: folder in the output ("" for the output itself) -> model."""
        return {"": self.inner}

    def save(self, filepath, *arguments, **keywords):
        """Saves only the trained model, so that files written by Keras' callbacks can be loaded without this class."""
        self.inner.save(filepath, *arguments, **keywords)

    def counts(self) -> dict[str, int]:
        """`tokens`, `positions` and `steps` so far."""
        return {name: int(keras.ops.convert_to_numpy(getattr(self, name))) for name in ("tokens", "positions", "steps")}

    def example_losses(self, batch: dict, outputs) -> tf.Tensor | None:
        """The loss of each example, float32 `[B]`, from the outputs of `call`; None: the loss of `compile` is used."""
        return None

    def update_metrics(self, batch: dict, outputs) -> None:
        """Updates the metrics that are attributes of this model, in training and evaluation."""

    def train_step(self, data):
        self._count(keras.utils.unpack_x_y_sample_weight(data)[0])
        return super().train_step(data)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """The mean over the examples of a replica, divided by the number of replicas, as their gradients are summed."""
        losses = self.example_losses(x, y_pred)
        if losses is None:
            return super().compute_loss(x, y, y_pred, sample_weight, training)
        loss = tf.reduce_mean(losses)
        return loss / tf.cast(self.distribute_strategy.num_replicas_in_sync, loss.dtype)

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        self.update_metrics(x, y_pred)
        return super().compute_metrics(x, y, y_pred, sample_weight)

    def _count(self, batch: dict) -> None:
        mask = batch.get("attention_mask")
        mask = tf.ones_like(batch["input_ids"]) if mask is None else mask
        self.tokens.assign_add(tf.reduce_sum(tf.cast(mask, tf.int64)))
        self.positions.assign_add(tf.size(mask, tf.int64))
        self.steps.assign_add(tf.constant(1, tf.int64))


def _counter(name: str, aggregation: str) -> keras.Variable:
    return keras.Variable(0, dtype="int64", trainable=False, aggregation=aggregation, name=name,
                          synchronization="on_read")

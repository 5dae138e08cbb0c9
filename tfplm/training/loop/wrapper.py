"""The base of Keras models that train other models: pre-training, several tasks, contrastive learning, distillation."""

from collections.abc import Iterable

import keras
import tensorflow as tf

from tfplm.layers.precision import dtype_policy


class TrainingModel(keras.Model):
    """A Keras model around the model that it trains: `compile(...)`, then `fit`, as any other.

    Subclasses write `call`, and define what is minimized in one of two ways:

    - `example_losses` (and `update_metrics`), where the loss comes from the outputs of `call`; `compile` gets no loss;
    - neither of them: the loss and the metrics are those of `compile`, as in a plain Keras model.

    Batches reach the trained model as they are (`autocast=False`): Keras would round float weights and scores to the
    dtype of the policy; the trained model's own layers cast what they compute with.

    Args:
        model: the model that is trained, in place, and saved in the end.
        name: of this Keras model.
        beside: models that are used without being trained, such as a teacher. They are not tracked: their variables
            get no gradients and are not in checkpoints.

    Attributes:
        inner: the trained model. beside: the tuple of the others.
        tokens, positions, steps: int64 variables, counted in each training step and saved with checkpoints, so that they
            count over all runs: real tokens, positions with those of padding, batches.
    """

    def __init__(self, model: keras.Model, name: str, beside: Iterable[keras.Model] = ()):
        super().__init__(name=name, dtype=model.dtype_policy, autocast=False)
        self.inner = model
        vars(self)["beside"] = tuple(beside)  # past Keras' tracking of attributes
        self.tokens, self.positions = _counter("tokens", "sum"), _counter("positions", "sum")
        self.steps = _counter("steps", "only_first_replica")
        self.built = True  # by their constructors, all layers are

    def own_layers(self):
        """A context in which layers that the training needs beside the model are made: with the model's dtype policy."""
        return dtype_policy(self.inner.dtype_policy)

    def saved_models(self) -> dict[str, keras.Model]:
        """What is saved after the training: folder within the output ("" for itself) -> model."""
        return {"": self.inner}

    def save(self, filepath, *arguments, **keywords):
        """Saves the trained model alone, so that Keras' callbacks write files that can be read without this class."""
        self.inner.save(filepath, *arguments, **keywords)

    def counts(self) -> dict[str, int]:
        """`tokens`, `positions` and `steps` so far."""
        return {name: int(keras.ops.convert_to_numpy(getattr(self, name))) for name in ("tokens", "positions", "steps")}

    def example_losses(self, batch: dict, outputs) -> tf.Tensor | None:
        """float32 `[B]`, the loss of each example, from what `call` returned. None: the loss is that of `compile`."""
        return None

    def update_metrics(self, batch: dict, outputs) -> None:
        """Updates the metrics that are attributes of this model, in training and evaluation."""

    def train_step(self, data):
        self._count(keras.utils.unpack_x_y_sample_weight(data)[0])
        return super().train_step(data)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """The mean over the replica's examples, over the number of replicas: the gradients of all of them are added up."""
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

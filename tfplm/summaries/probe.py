"""Activations, gradients and attention maps of a model on a fixed batch."""

import contextlib
import functools
import inspect

import keras
import numpy as np
import tensorflow as tf

from tfplm.core.keras_internals import shadow, unshadow
from tfplm.summaries.names import layer_paths, variable_paths


@contextlib.contextmanager
def recorded_outputs(model: keras.Model):
    """A context that records the outputs of all layers that `model` calls; yields a dict path -> tensor.

    A layer with several outputs gives `path/0`, `path/1`, ...; for a layer that is called several times, the last call
    counts. Unlike Keras' symbolic outputs, this works for subclassed models.
    """
    outputs, patched = {}, []

    def recording(path, call):
        @functools.wraps(call)
        def recorded(*arguments, **keywords):
            result = call(*arguments, **keywords)
            tensors = [value for value in tf.nest.flatten(result) if tf.is_tensor(value) and value.dtype.is_floating]
            for index, tensor in enumerate(tensors):
                outputs[path if len(tensors) == 1 else f"{path}/{index}"] = tensor
            return result

        return recorded

    try:
        for path, layer in layer_paths(model).items():
            if not isinstance(layer, keras.metrics.Metric):
                shadow(layer, "call", recording(path, layer.call))
                patched.append(layer)
        yield outputs
    finally:
        for layer in patched:
            unshadow(layer, "call")


class Probe:
    """A fixed batch for inspecting a compiled model during training.

    Args:
        model: any Keras model; compiled with a loss if gradients are needed.
        batch: `x`, `(x, y)` or `(x, y, sample_weight)` as in `fit`, or a `tf.data.Dataset`, whose first batch is used.
            `x` may be a dict.

    The model is called with `training=False`: there is no dropout, and no statistics or random states change.
    """

    def __init__(self, model: keras.Model, batch):
        if isinstance(batch, tf.data.Dataset):
            batch = next(iter(batch.take(1)))
        elif not isinstance(batch, tuple):
            batch = (batch,)
        self.model = model
        self.x, self.y, self.weight = keras.utils.unpack_x_y_sample_weight(
            tf.nest.map_structure(lambda value: None if value is None else tf.convert_to_tensor(value), batch))
        self._activations = tf.function(self._traced_activations)
        self._gradients = tf.function(self._traced_gradients)

    def call(self, **keywords):
        """The model's output on the batch."""
        if "training" in inspect.signature(self.model.call).parameters:
            keywords["training"] = False
        return self.model(self.x, **keywords)

    def _traced_activations(self):
        with recorded_outputs(self.model) as outputs:
            self.call()
        return dict(outputs)

    def activations(self) -> dict[str, tf.Tensor]:
        """A dict from the path of each layer to its output."""
        return self._activations()

    def _traced_gradients(self):
        variables = variable_paths(self.model)
        with tf.GradientTape() as tape:
            loss = self.model.compute_loss(x=self.x, y=self.y, y_pred=self.call(), sample_weight=self.weight,
                                           training=False)
        gradients = tape.gradient(loss, [variable.value for variable in variables.values()])
        return {path: tf.convert_to_tensor(gradient) for path, gradient in zip(variables, gradients)
                if gradient is not None}

    def gradients(self) -> dict[str, tf.Tensor]:
        """A dict from the path of each variable to the gradient of the loss. Raises ValueError without labels."""
        if self.y is None:
            raise ValueError("gradients need a probe with labels: give probe=(x, y)")
        return self._gradients()

    def attentions(self) -> list[np.ndarray]:
        """`[B, heads, T, S]` for each layer. Raises ValueError if the model does not return attention maps."""
        try:
            attentions = self.call(output_attentions=True)["attentions"]
        except (TypeError, KeyError, IndexError) as error:
            raise ValueError(f"{type(self.model).__name__} gives no attention maps ({error}); expected model(x, "
                             "output_attentions=True) to return a dict with `attentions`") from error
        return [np.asarray(keras.ops.convert_to_numpy(maps)) for maps in attentions]

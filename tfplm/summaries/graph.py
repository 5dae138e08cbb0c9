"""Graphs: of the operations of a function, and of the layers of a Keras model."""

import keras
import tensorflow as tf


def function_graph(function, *arguments, **keywords) -> None:
    """Writes the graph of operations of a function, `tf.function` or Keras model, called with these arguments.

    It is traced, not run; arguments may be tensors, arrays or `tf.TensorSpec`, in dicts and tuples too. TensorBoard
    shows one such graph per run. Use name scopes (Keras' layers do) to fold it.
    """
    if not tf.summary.should_record_summaries():
        return
    if isinstance(function, keras.Model):
        model = function

        def function(*arguments, **keywords):
            return model(*arguments, **keywords)

    # a tf.function inside would be a single node; its Python function is traced in place
    function = getattr(function, "python_function", function)
    tf.summary.graph(tf.function(function).get_concrete_function(*arguments, **keywords).graph)


def layer_graph(model: keras.Model, name: str = "keras", step: int = 0) -> bool:
    """Writes the conceptual graph of a functional or sequential model; False, and nothing, for any other model.

    The page offers it as "Conceptual Graph". A subclassed model has no graph of layers: use `function_graph`.
    """
    functional = isinstance(model, keras.Sequential) or hasattr(model, "operations")
    if not functional or not tf.summary.should_record_summaries():
        return False
    metadata = tf.compat.v1.SummaryMetadata()
    metadata.plugin_data.plugin_name = "graph_keras_model"
    metadata.plugin_data.content = b"1"  # version of the plugin's format
    return bool(tf.summary.write(tag=name, tensor=model.to_json(), step=step, metadata=metadata))

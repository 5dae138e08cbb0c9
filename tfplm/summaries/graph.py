"""Graphs of the operations of a function and of the layers of a Keras model."""

import keras
import tensorflow as tf


def function_graph(function, *arguments, **keywords) -> None:
    """Writes the graph of operations of a function, `tf.function` or Keras model for these arguments.

    The function is traced, not run; arguments may be tensors, arrays or `tf.TensorSpec`, also inside dicts and tuples.
    TensorBoard shows one such graph per run. Name scopes (which Keras layers open) make it collapsible.
    """
    if not tf.summary.should_record_summaries():
        return
    if isinstance(function, keras.Model):
        model = function

        def function(*arguments, **keywords):
            return model(*arguments, **keywords)

    # a tf.function would be a single node; trace its Python function instead
    function = getattr(function, "python_function", function)
    concrete = tf.function(function).get_concrete_function(*arguments, **keywords)
    tf.summary.graph(_plain_scopes(concrete.graph.as_graph_def()))


def _plain_scopes(graph):
    """Renames the scopes `layer_1`, which arise because Keras opens a layer's scope twice, to `layer` if unused."""
    prefixes = {"/".join(parts[:depth]) for node in graph.node for parts in [node.name.split("/")]
                for depth in range(1, len(parts) + 1)}

    def plain(name):
        parts = name.split("/")
        whole = ["/".join(parts[:depth + 1]) for depth in range(len(parts))]
        twice = [part.endswith("_1") and scope[:-2] not in prefixes for part, scope in zip(parts[:-1], whole)] + [False]
        return "/".join(part[:-2] if doubled else part for part, doubled in zip(parts, twice))

    for node in graph.node:
        node.name = plain(node.name)
        # an input is NAME, NAME:output:0 or, for control, ^NAME
        node.input[:] = [("^" if name[0] == "^" else "") + ":".join([plain(name.lstrip("^").partition(":")[0]),
                         *name.split(":")[1:]]) for name in node.input]
    return graph


def layer_graph(model: keras.Model, name: str = "keras", step: int = 0) -> bool:
    """Writes the conceptual graph of a functional or sequential model; for other models, returns False.

    TensorBoard offers it as "Conceptual Graph". A subclassed model has no graph of layers: use `function_graph`.
    """
    functional = isinstance(model, keras.Sequential) or hasattr(model, "operations")
    if not functional or not tf.summary.should_record_summaries():
        return False
    metadata = tf.compat.v1.SummaryMetadata()
    metadata.plugin_data.plugin_name = "graph_keras_model"
    metadata.plugin_data.content = b"1"  # version of the plugin's format
    return bool(tf.summary.write(tag=name, tensor=model.to_json(), step=step, metadata=metadata))

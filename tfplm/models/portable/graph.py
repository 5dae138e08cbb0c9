"""Tracing of portable functions, with the plain form of the kernels, and freezing of their weights."""

from typing import Literal

import tensorflow as tf

from tfplm.core.keras_internals import with_constants
from tfplm.layers.kernels.plain import plain_kernels
from tfplm.models.portable.portable import Frozen, Portable

LIMIT = 1900 << 20  # bytes of a graph: a protocol buffer has at most 2 GB


def trace(portable: Portable, form: Literal["flat", "nested", "lite"] = "nested"):
    """The concrete function of `portable`: keyword arguments by name -> a dict of outputs; variables stay variables.

    The arguments are named as in `argument`.

    form: of the kernels, see `tfplm.layers.kernels.plain`: "nested" and "lite" for converters, "flat" for TensorFlow.
    """
    specs = {argument(name): tf.TensorSpec(spec.shape, portable.ids if spec.dtype == tf.int32 else spec.dtype,
                                           name=argument(name)) for name, spec in portable.inputs.items()}

    def function(**tensors):
        batch = {name: tf.cast(tensors[argument(name)], spec.dtype) for name, spec in portable.inputs.items()}
        results = portable.function(batch)
        return {name: tf.identity(results[name], name=name) for name in portable.outputs}

    with plain_kernels(form):
        return tf.function(function, autograph=False).get_concrete_function(**specs)


def argument(name: str) -> str:
    """The name of an input as that of an argument: `past_key_values_0_key` for `past_key_values.0.key`."""
    return name.replace(".", "_")


def freeze(portable: Portable) -> Frozen:
    """The graph of `portable` with constants in place of variables, for converters.

    Raises ValueError for weights that are too large for one graph.
    """
    if portable.weight_bytes > LIMIT:
        raise ValueError(f"the weights have {portable.weight_bytes >> 20} MB; expected at most {LIMIT >> 20} MB, as the "
                         "converters read one graph with all of them: export this model with --format saved_model")
    frozen = with_constants(trace(portable))
    results = dict(zip(sorted(portable.outputs), frozen.outputs, strict=True))  # TensorFlow sorts the keys of a dict
    definition = frozen.graph.as_graph_def()
    used = _prune(definition, [tensor.op.name for tensor in results.values()])
    names = {tensor.op.name: tensor.name for tensor in frozen.inputs if tensor.op.name in used}
    return Frozen(definition, {name: names[argument(name)] for name in portable.inputs if argument(name) in names},
                  {name: results[name].name for name in portable.outputs})


def _prune(definition: tf.compat.v1.GraphDef, outputs: list[str]) -> set[str]:
    """Removes the nodes that outputs do not depend on, which converters would take for further outputs; returns the
    names of those that stay."""
    nodes, used, waiting = {node.name: node for node in definition.node}, set(), list(outputs)
    while waiting:
        name = waiting.pop().removeprefix("^").partition(":")[0]
        if name not in used:
            used.add(name)
            waiting += nodes[name].input
    for index in reversed(range(len(definition.node))):
        if definition.node[index].name not in used:
            del definition.node[index]
    return used

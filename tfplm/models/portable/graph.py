"""Tracing of portable functions, with the plain form of the kernels, and freezing of their weights."""

from typing import Literal

import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2
from tensorflow.python.framework.graph_util_impl import extract_sub_graph

from tfplm.layers.kernels.plain import plain_kernels
from tfplm.models.portable.portable import Frozen, Portable

LIMIT = 1900 << 20  # bytes of a graph: a protocol buffer has at most 2 GB


def trace(portable: Portable, form: Literal["flat", "nested"] = "nested"):
    """The concrete function of `portable`: keyword arguments by name -> a dict of outputs; variables stay variables.

    form: of the kernels, see `tfplm.layers.kernels.plain`: "nested" for converters, "flat" for TensorFlow.
    """
    specs = {name: tf.TensorSpec(spec.shape, portable.ids if spec.dtype == tf.int32 else spec.dtype, name=name)
             for name, spec in portable.inputs.items()}

    def function(**tensors):
        batch = {name: tf.cast(tensors[name], spec.dtype) for name, spec in portable.inputs.items()}
        results = portable.function(batch)
        return {name: tf.identity(results[name], name=name) for name in portable.outputs}

    with plain_kernels(form):
        return tf.function(function, autograph=False).get_concrete_function(**specs)


def freeze(portable: Portable) -> Frozen:
    """The graph of `portable` with constants in place of variables, for converters.

    Raises ValueError for weights that are too large for one graph.
    """
    if portable.weight_bytes > LIMIT:
        raise ValueError(f"the weights have {portable.weight_bytes >> 20} MB; expected at most {LIMIT >> 20} MB, as the "
                         "converters read one graph with all of them: export this model with --format saved_model")
    concrete = trace(portable)
    # functional control flow stays, which the converters read
    frozen = convert_variables_to_constants_v2(concrete, lower_control_flow=False)
    results = dict(zip(sorted(portable.outputs), frozen.outputs, strict=True))  # TensorFlow sorts the keys of a dict
    # without the rest, which converters would take for further outputs
    definition = extract_sub_graph(frozen.graph.as_graph_def(), [tensor.op.name for tensor in results.values()])
    used = {node.name for node in definition.node}
    names = {tensor.op.name: tensor.name for tensor in frozen.inputs if tensor.op.name in used}
    return Frozen(definition, {name: names[name] for name in portable.inputs if name in names},
                  {name: results[name].name for name in portable.outputs})

"""Conversion of a frozen graph to ONNX, in the form that ONNX Runtime fuses best."""

import contextlib
import logging
import os
from collections.abc import Iterator

import numpy as np
import onnx
import tensorflow as tf
from onnx import numpy_helper

from tfplm.models.portable.portable import Frozen

OPSET = 18
_SAME = ("Cast", "Identity", "Squeeze", "Unsqueeze")  # they keep the value of a single number


def convert(frozen: Frozen) -> onnx.ModelProto:
    """The ONNX model of a frozen graph, with the public names of inputs and outputs."""
    with _quiet(), tf.Graph().as_default() as graph:
        from tf2onnx import optimizer, tfonnx

        # not `tf2onnx.convert`, which first lets TensorFlow rearrange the operations that ONNX Runtime would fuse
        tf.import_graph_def(frozen.graph, name="")
        try:
            converted = tfonnx.process_tf_graph(graph, opset=OPSET, input_names=list(frozen.inputs.values()),
                                                output_names=list(frozen.outputs.values()))
        except ValueError as error:
            raise ValueError(f"ONNX cannot express the model: {str(error)[:300]}; expected operations of ONNX only: export "
                             "it with --format saved_model") from error
        model = optimizer.optimize_graph(converted).make_model("")
    model.producer_name = "tfplm"
    simplify_shapes(model.graph)
    _rename(model.graph, {tensor: name for names in (frozen.inputs, frozen.outputs) for name, tensor in names.items()})
    _order(model.graph.input, list(frozen.inputs))
    _order(model.graph.output, list(frozen.outputs))
    _name_axes(model.graph)
    return model


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without the remarks of the converter and of the old functions of TensorFlow that it calls, and without the variable
    that it sets."""
    loggers = [logging.getLogger(name) for name in ("tensorflow", "tf2onnx")]
    levels = [logger.level for logger in loggers]
    verbosity = os.environ.get("TF_CPP_MIN_LOG_LEVEL")
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        yield
    finally:
        for logger, level in zip(loggers, levels):
            logger.setLevel(level)
        if verbosity is None:
            os.environ.pop("TF_CPP_MIN_LOG_LEVEL", None)
        else:
            os.environ["TF_CPP_MIN_LOG_LEVEL"] = verbosity


def _rename(graph: onnx.GraphProto, names: dict[str, str]) -> None:
    """Gives tensors their public names; names of other tensors that are equal to one get a sign behind them."""
    taken = set(names.values())

    def new(name: str) -> str:
        return names.get(name) or (f"{name}_" if name in taken else name)

    for inner in _graphs(graph):
        for node in inner.node:
            node.input[:] = [new(name) for name in node.input]
            node.output[:] = [new(name) for name in node.output]
        for each in [*inner.input, *inner.output, *inner.value_info, *inner.initializer]:
            each.name = new(each.name)


def _graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    """The graph, and those of loops and branches in it."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _graphs(attribute.g)


def _order(values, names: list[str]) -> None:
    """Sorts inputs or outputs of a graph."""
    ordered = sorted(values, key=lambda value: names.index(value.name))
    del values[:]
    values.extend(ordered)


def _name_axes(graph: onnx.GraphProto) -> None:
    """Names the open axes, as other exporters do; where inputs may have different sizes, each axis has its own name, as
    ONNX Runtime takes equal names for equal sizes."""
    usual = {value.name for value in graph.input} <= {"input_ids", "attention_mask", "token_type_ids"}
    rank = max(len(value.type.tensor_type.shape.dim) for value in graph.input)
    names = ("batch", "choices", "sequence") if rank == 3 else ("batch", "sequence")
    for value in [*graph.input, *graph.output]:
        for index, axis in enumerate(value.type.tensor_type.shape.dim):
            if not axis.HasField("dim_value") or axis.dim_value < 1:
                axis.Clear()
                axis.dim_param = names[index] if usual and index < rank else f"{value.name}_{index}"


def simplify_shapes(graph: onnx.GraphProto) -> None:
    """Writes the shapes of `Reshape` nodes as constants where they name axes of the reshaped tensor itself.

        Shape -> Cast -> Slice [0:1] -> Concat (., -1, 12, 64) -> Cast -> Reshape        [0, -1, 12, 64] -> Reshape

    In ONNX, 0 stands for the same axis of the input. The left form is about ten small nodes for each of the four
    reshapes of an attention layer, which take a fifth of the time of a short text.
    """
    made_by = {name: node for node in graph.node for name in node.output}
    constants = {each.name: each for each in graph.initializer}
    for node in graph.node:
        if node.op_type == "Reshape" and node.input[1] not in constants:
            shape = _elements(node.input[1], made_by, constants)
            if shape is not None and _says(shape, node.input[0]):
                name = f"{node.output[0]}_shape"
                values = np.array([0 if isinstance(each, tuple) else each for each in shape], np.int64)
                graph.initializer.append(numpy_helper.from_array(values, name))
                node.input[1] = name
    _remove_unused(graph)


def _says(shape: list, tensor: str) -> bool:
    """Returns True if each axis is a number, or the axis at the same place of `tensor`, and at most one is open."""
    return all(each == (tensor, index) for index, each in enumerate(shape) if isinstance(each, tuple)) \
        and sum(each == -1 for each in shape) <= 1 and 0 not in shape


def _elements(name: str, made_by: dict, constants: dict) -> list | None:
    """The elements of a computed shape: numbers, and (tensor, axis) for the size of an axis; None if it is another."""
    if name in constants:
        return [int(each) for each in numpy_helper.to_array(constants[name]).reshape(-1)]
    node = made_by.get(name)
    if node is None:
        return None
    if node.op_type in _SAME:
        return _elements(node.input[0], made_by, constants)
    if node.op_type == "Concat":
        parts = [_elements(each, made_by, constants) for each in node.input]
        return None if None in parts else [element for part in parts for element in part]
    if node.op_type in ("Slice", "Gather"):
        return _axes_of(node, made_by, constants)
    return None


def _axes_of(node: onnx.NodeProto, made_by: dict, constants: dict) -> list | None:
    """The elements of a part of the shape of a tensor."""
    source = node.input[0]
    while source in made_by and made_by[source].op_type == "Cast":
        source = made_by[source].input[0]
    if source not in made_by or made_by[source].op_type != "Shape" or any(
            each and each not in constants for each in node.input[1:]):
        return None
    name = made_by[source].input[0]
    numbers = [numpy_helper.to_array(constants[each]).reshape(-1) for each in node.input[1:] if each]
    if node.op_type == "Gather":
        return [(name, int(index)) for index in numbers[0]]
    start, end = int(numbers[0][0]), int(numbers[1][0])
    return [(name, start)] if end == start + 1 and start >= 0 and len(numbers[0]) == 1 else None


def _read_by(graph: onnx.GraphProto) -> list[str]:
    return [name for node in graph.node for name in node.input] + [each.name for each in graph.output]


def _remove_unused(graph: onnx.GraphProto) -> None:
    """Removes nodes and constants whose outputs nothing reads."""
    needed = {value.name for value in graph.output}
    kept = []
    for node in reversed(graph.node):  # a graph lists its nodes in order
        if needed & set(node.output) or not node.output:
            kept.append(node)
            needed |= set(node.input) | {name for each in node.attribute if each.HasField("g")
                                         for inner in _graphs(each.g) for name in _read_by(inner)}
    del graph.node[:]
    graph.node.extend(reversed(kept))
    constants = [each for each in graph.initializer if each.name in needed]
    if len(constants) < len(graph.initializer):
        del graph.initializer[:]
        graph.initializer.extend(constants)

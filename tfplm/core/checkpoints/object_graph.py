"""Checkpoints of `tf.train.Checkpoint`: a graph of objects is stored beside the variables, and names them."""

import dataclasses
import functools
from pathlib import Path

from tfplm.core.checkpoints.tensor import Tensor
from tfplm.core.checkpoints.tf1 import find_prefix, read_variables

GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"  # the entry with the graph
_STATE, _VALUE = "py_state", "VARIABLE_VALUE"  # attributes of a Python object and of a variable


@dataclasses.dataclass(frozen=True)
class ObjectGraph:
    """The objects of a checkpoint.

    Attributes:
        prefix: the TensorFlow prefix of the checkpoint.
        nodes: the messages of the objects; the first one is the root.
        variables: name in the file -> lazy tensor, of all variables.
    """

    prefix: Path
    nodes: list
    variables: dict[str, Tensor]

    def children(self, node: int) -> dict[str, int]:
        """The objects that an object holds: attribute -> index in `nodes`."""
        return {child.local_name: child.node_id for child in self.nodes[node].children
                if 0 <= child.node_id < len(self.nodes)}

    def holders(self, name: str) -> list[int]:
        """The objects with the attribute `name`."""
        return [index for index in range(len(self.nodes)) if name in self.children(index)]

    def state(self, node: int) -> bytes:
        """What a Python object has saved (`tf.train.experimental.PythonState`)."""
        import tensorflow as tf

        return tf.train.load_checkpoint(str(self.prefix)).get_tensor(self._key(node, _STATE))

    def tensors(self, node: int) -> dict[str, Tensor]:
        """The variables that an object holds directly: attribute -> lazy tensor."""
        keys = {name: self._key(child, _VALUE) for name, child in self.children(node).items()}
        return {name: self.variables[key] for name, key in keys.items() if key in self.variables}

    def _key(self, node: int, attribute: str) -> str | None:
        return next((one.checkpoint_key for one in self.nodes[node].attributes if one.attribute == attribute), None)


def read_object_graph(path: Path) -> ObjectGraph | None:
    """The objects of a checkpoint, given by its prefix or its folder; None if it has no such graph (TF1).

    Raises ValueError and FileNotFoundError as `read_tf1`.
    """
    import tensorflow as tf
    from google.protobuf.message import DecodeError

    prefix = find_prefix(path) if path.is_dir() else path
    if prefix is None:
        return None
    variables = read_variables(prefix)
    reader = tf.train.load_checkpoint(str(prefix))
    if not reader.has_tensor(GRAPH):
        return None
    try:
        graph = _message().FromString(reader.get_tensor(GRAPH))
    except (tf.errors.OpError, RuntimeError, ValueError, DecodeError) as error:
        raise ValueError(f"{prefix}: the graph of objects cannot be read ({error}): the data file is truncated or damaged, "
                         "fetch it again") from None
    return ObjectGraph(prefix, list(graph.nodes), variables)


@functools.cache
def _message():
    """The class of TensorFlow's message TrackableObjectGraph, as far as it is used."""
    from tfplm.core.protobuf import Definition, Field

    file = Definition("tfplm.object_graph")
    file.add("Reference", node_id=Field(1, "int32"), local_name=Field(2, "string"))
    file.add("Attribute", attribute=Field(1, "string"), full_name=Field(2, "string"), checkpoint_key=Field(3, "string"))
    file.add("Node", children=Field(1, "Reference", "repeated"), attributes=Field(2, "Attribute", "repeated"))
    file.add("Graph", nodes=Field(1, "Node", "repeated"))
    return file.message_class("Graph")

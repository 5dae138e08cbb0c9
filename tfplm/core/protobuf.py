"""Protocol buffer messages defined in Python; the protobuf library is loaded with the first definition.

TensorFlow's own classes would load TensorFlow, and the generated code of SentencePiece does not run with a protobuf
library older than its generator.
"""

import dataclasses

_KINDS = {"float": 2, "int64": 3, "int32": 5, "bool": 8, "string": 9, "bytes": 12}  # FieldDescriptorProto.Type
_MESSAGE = 11
_LABELS = {"optional": 1, "required": 2, "repeated": 3}


@dataclasses.dataclass(frozen=True)
class Field:
    """A field of a message: its number, its kind (a scalar type or the name of a message), and a default as text."""

    number: int
    kind: str
    label: str = "optional"
    default: str | None = None


class Definition:
    """The definition of messages, as in a .proto file.

    Args:
        package: any name of the package.
        syntax: "proto2" or "proto3".
    """

    def __init__(self, package: str, syntax: str = "proto3"):
        from google.protobuf import descriptor_pb2

        self.file = descriptor_pb2.FileDescriptorProto(name=f"{package}.proto", package=package, syntax=syntax)

    def add(self, name: str, within=None, **fields: Field):
        """Adds a message to the file, or `within` another message, and returns its descriptor."""
        message = (self.file.message_type if within is None else within.nested_type).add(name=name)
        for key, field in fields.items():
            kind = _KINDS.get(field.kind, _MESSAGE)
            message.field.add(name=key, number=field.number, label=_LABELS[field.label], type=kind,
                              type_name=f".{self.file.package}.{field.kind}" if kind == _MESSAGE else None,
                              default_value=field.default)
        return message

    def message_class(self, name: str):
        """The class of an added message, in a separate descriptor pool."""
        from google.protobuf import descriptor_pool, message_factory

        pool = descriptor_pool.DescriptorPool()
        pool.Add(self.file)
        return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{self.file.package}.{name}"))

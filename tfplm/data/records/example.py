"""Encoding and decoding of `tf.train.Example` messages as NumPy arrays, without TensorFlow."""

import functools
from collections.abc import Iterable

import numpy as np


@functools.cache
def _message_class():
    """The message class of `tf.train.Example`, defined here in a separate descriptor pool."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    file = descriptor_pb2.FileDescriptorProto(name="example.proto", package="tfplm", syntax="proto3")
    kinds = {"BytesList": 12, "FloatList": 2, "Int64List": 3}  # field types of descriptor.proto
    for name, kind in kinds.items():
        file.message_type.add(name=name).field.add(name="value", number=1, label=3, type=kind)
    feature = file.message_type.add(name="Feature")
    feature.oneof_decl.add(name="kind")
    for number, (name, field) in enumerate(zip(kinds, ("bytes_list", "float_list", "int64_list")), 1):
        feature.field.add(name=field, number=number, label=1, type=11, type_name=f".tfplm.{name}", oneof_index=0)
    features = file.message_type.add(name="Features")
    entry = features.nested_type.add(name="FeatureEntry")
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, label=1, type=9)
    entry.field.add(name="value", number=2, label=1, type=11, type_name=".tfplm.Feature")
    features.field.add(name="feature", number=1, label=3, type=11, type_name=".tfplm.Features.FeatureEntry")
    file.message_type.add(name="Example").field.add(name="features", number=1, label=1, type=11,
                                                    type_name=".tfplm.Features")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("tfplm.Example"))


def encode_example(features: dict[str, np.ndarray | bytes]) -> bytes:
    """Serializes an Example; integer and boolean arrays become int64 lists, float arrays float lists."""
    example = _message_class()()
    for name, value in features.items():
        feature = example.features.feature[name]
        if isinstance(value, bytes):
            feature.bytes_list.value.append(value)
        elif np.issubdtype(np.asarray(value).dtype, np.floating):
            feature.float_list.value.extend(np.asarray(value).ravel().tolist())
        else:
            feature.int64_list.value.extend(np.asarray(value, np.int64).ravel().tolist())
    return example.SerializeToString(deterministic=True)


def decode_example(data: bytes, needed: Iterable[str] = (), origin: str = "") -> dict[str, np.ndarray | bytes]:
    """Parses a serialized Example into int32 and float32 arrays [N], or bytes.

    Raises ValueError if a feature in `needed` is missing; the message names it, the features found, and `origin` (a
    file).
    """
    example = _message_class().FromString(data)
    decoded = {}
    for name, feature in example.features.feature.items():
        kind = feature.WhichOneof("kind")
        if kind == "int64_list":
            decoded[name] = np.array(feature.int64_list.value, np.int32)
        elif kind == "float_list":
            decoded[name] = np.array(feature.float_list.value, np.float32)
        elif kind == "bytes_list":
            decoded[name] = b"".join(feature.bytes_list.value)
    if missing := [name for name in needed if name not in decoded]:
        raise ValueError(f"{origin}: no feature {', '.join(missing)}; found {', '.join(sorted(decoded)) or 'none'}; "
                         "is it a file of records in another layout?")
    return decoded

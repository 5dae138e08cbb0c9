"""Encoding and decoding of `tf.train.Example` messages as NumPy arrays, without TensorFlow."""

import functools
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError

from tfplm.core.files import naming_the_file
from tfplm.core.protobuf import Definition, Field


@functools.cache
def _message_class():
    """The class of `tf.train.Example`."""
    file = Definition("tfplm")
    lists = {"bytes_list": ("BytesList", "bytes"), "float_list": ("FloatList", "float"),
             "int64_list": ("Int64List", "int64")}
    for name, kind in lists.values():
        file.add(name, value=Field(1, kind, "repeated"))
    feature = file.add("Feature", **{key: Field(number, lists[key][0]) for number, key in enumerate(lists, 1)})
    feature.oneof_decl.add(name="kind")
    for field in feature.field:
        field.oneof_index = 0
    features = file.add("Features", feature=Field(1, "Features.FeatureEntry", "repeated"))
    entry = file.add("FeatureEntry", features, key=Field(1, "string"), value=Field(2, "Feature"))
    entry.options.map_entry = True
    file.add("Example", features=Field(1, "Features"))
    return file.message_class("Example")


def encode_example(features: Mapping[str, np.ndarray | bytes]) -> bytes:
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


def decode_example(data: bytes, needed: Iterable[str] = (), origin: str = "") -> dict[str, Any]:
    """Parses a serialized Example into int32 and float32 arrays [N], or bytes.

    Raises ValueError for a damaged record, for numbers outside int32, and if a feature in `needed` is missing; the
    message names it, the features found, and `origin` (a file).
    """
    with naming_the_file(origin):
        return _decoded(data, needed, origin)


def _decoded(data: bytes, needed: Iterable[str], origin: str) -> dict[str, Any]:
    try:
        example = _message_class().FromString(data)
    except DecodeError as error:
        raise ValueError(f"{origin}: a record of {len(data)} bytes is no tf.train.Example ({error}); make the file again"
                         ) from None
    decoded: dict[str, np.ndarray | bytes] = {}
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

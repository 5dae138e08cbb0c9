"""Conversion of the type of an options field to the arguments of argparse."""

import argparse
import types
import typing


def without_none(annotation):
    """Reduces `int | None` to int."""
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        (annotation,) = [a for a in typing.get_args(annotation) if a is not type(None)]
    return annotation


def argument(annotation) -> dict:
    """The keyword arguments of `add_argument` for a field of this type."""
    annotation = without_none(annotation)
    origin = typing.get_origin(annotation)
    if origin is typing.Literal:
        choices = typing.get_args(annotation)
        return {"choices": choices, "type": type(choices[0])}
    if origin in (list, tuple):
        return {"nargs": "*", **argument(typing.get_args(annotation)[0])}
    if annotation is bool:
        return {"action": argparse.BooleanOptionalAction}
    return {"type": annotation}

"""Flags for the fields of `core.config.Config`, generated from it."""

import dataclasses
import typing

from tfplm.core.config import Config
from tfplm.options.base import flag

_NO_FLAGS = ("id2label", "problem_type", "crf")  # fields of fine-tuned classifiers


def _fields() -> list[tuple]:
    hints = typing.get_type_hints(Config)
    return [(field.name, hints[field.name] | None,
             flag(None, f"overrides the preset's value (BERT-base: {field.default})"))
            for field in dataclasses.fields(Config) if field.name not in _NO_FLAGS]


ArchitectureOptions = dataclasses.make_dataclass("ArchitectureOptions", _fields(), kw_only=True, namespace={
    "__doc__": "A mixin for `TrainingOptions`; None keeps the preset's value of a field.",
    "overrides": lambda self: {name: value for name, _, _ in _fields() if (value := getattr(self, name)) is not None},
})

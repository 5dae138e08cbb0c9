"""Counts of parameters; those of configurations and presets need neither TensorFlow nor memory."""

import math
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

from tfplm.core.config import Config
from tfplm.families import registry
from tfplm.models.shapes import variable_shapes

if TYPE_CHECKING:
    import keras


def count_parameters(model: "keras.Model | Config | dict | str", head: str | None = None) -> int:
    """The number of parameters of a model, a configuration or a preset; no weights are allocated for the latter two."""
    return sum(parameters_by_name(model, head).values())


def parameters_by_name(model: "keras.Model | Config | dict | str", head: str | None = None) -> dict[str, int]:
    """The number of parameters of each variable, by path."""
    if isinstance(model, str | Config | Mapping):
        shapes = variable_shapes(registry.config_of(model), head)
    else:
        from tfplm.models.pretrained.weights import named_variables
        shapes = {path: tuple(variable.shape) for path, variable in named_variables(model).items()}
    return {path: math.prod(shape) for path, shape in shapes.items()}


def by_module(counts: dict[str, int], by_layer: bool = False) -> dict[str, int]:
    """Counts per module (`embeddings/word`, `encoder`, ...), or per layer of a stack (`encoder/block_3/ffn`)."""
    modules = Counter()
    for path, count in counts.items():
        parts = path.split("/")[:-1] or [path]
        stacked = parts[0] in ("encoder", "decoder")
        depth = 1 if stacked and not by_layer else 3 if stacked and parts[1:] and parts[1].startswith("block") else 2
        modules["/".join(parts[:depth])] += count
    return dict(modules)

"""How many parameters has BERT?"""

import keras

from tfplm.core.config import Config
from tfplm.models.pretrained import from_config
from tfplm.models.weights import named_variables


def count_parameters(model: "keras.Model | Config | str", head: str | None = None) -> int:
    """The number of parameters of a model, a configuration or a preset; no weights are allocated for the latter two."""
    return sum(parameters_by_name(model, head).values())


def parameters_by_name(model: "keras.Model | Config | str", head: str | None = None) -> dict[str, int]:
    """The number of parameters of each variable, by path."""
    if not isinstance(model, keras.Model):
        with keras.StatelessScope(initialize_variables=False):
            model = from_config(model, head)
    return {path: _size(variable.shape) for path, variable in named_variables(model).items()}


def _size(shape) -> int:
    size = 1
    for length in shape:
        size *= length
    return size

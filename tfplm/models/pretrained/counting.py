"""Counts of parameters, without allocating them."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import keras

from tfplm.core.config import Config
from tfplm.models.pretrained.api import from_config
from tfplm.models.pretrained.weights import named_variables


def without_memory(make: Callable[[], keras.Model]) -> keras.Model:
    """Returns `make()`, whose variables are never allocated, to count them or compare names and shapes.

    Keras keeps a list of variables without values, and initializes all of them at the next symbolic call, which needs
    45 GB for T5-11B. As each thread has its own list, a separate thread discards it.
    """
    def run():
        with keras.StatelessScope(initialize_variables=False):
            return make()

    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(run).result()


def count_parameters(model: "keras.Model | Config | str", head: str | None = None) -> int:
    """The number of parameters of a model, a configuration or a preset; no weights are allocated for the latter two."""
    return sum(parameters_by_name(model, head).values())


def parameters_by_name(model: "keras.Model | Config | str", head: str | None = None) -> dict[str, int]:
    """The number of parameters of each variable, by path."""
    if not isinstance(model, keras.Model):
        config = model
        model = without_memory(lambda: from_config(config, head))
    return {path: _size(variable.shape) for path, variable in named_variables(model).items()}


def _size(shape) -> int:
    size = 1
    for length in shape:
        size *= length
    return size


def by_module(counts: dict[str, int], by_layer: bool = False) -> dict[str, int]:
    """Counts per module (`embeddings/word`, `encoder`, ...), or per layer of a stack (`encoder/block_3/ffn`)."""
    modules = Counter()
    for path, count in counts.items():
        parts = path.split("/")[:-1] or [path]
        stacked = parts[0] in ("encoder", "decoder")
        depth = 1 if stacked and not by_layer else 3 if stacked and parts[1:] and parts[1].startswith("block") else 2
        modules["/".join(parts[:depth])] += count
    return dict(modules)

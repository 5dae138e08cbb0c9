"""How many parameters has BERT?"""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import keras

from tfplm.core.config import Config
from tfplm.families import registry
from tfplm.models.pretrained.api import from_config, source_config
from tfplm.models.pretrained.weights import named_variables
from tfplm.options import verb
from tfplm.options.models import ParamsOptions, PresetsOptions


def without_memory(make: Callable[[], keras.Model]) -> keras.Model:
    """`make()`, whose variables are never allocated: for counting and for comparing names and shapes.

    Keras keeps a list of variables that have no values yet and fills them all at its next symbolic call, which for
    T5-11B takes 45 GB. The list belongs to a thread: it is left behind with a thread of its own.
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


@verb(ParamsOptions)
def params(options: ParamsOptions) -> int:
    """Prints the number of parameters of a preset or a saved model, and the table per module."""
    saved = Path(options.model).expanduser().exists()
    counts = parameters_by_name(source_config(options.model) if saved else options.model, options.head)
    total = sum(counts.values())
    for name, count in by_module(counts, options.by_layer).items():
        print(f"{name:44s} {count:15,d} {count / total:7.1%}")
    print(f"{'total':44s} {total:15,d}")
    return total


@verb(PresetsOptions)
def presets(options: PresetsOptions) -> list[str]:
    """Prints the presets with their sizes."""
    models = [registry.family(options.family).model_type] if options.family else registry.families()
    names = [name for model in models for name in registry.family(model).presets]
    print(f"{'preset':42s} {'family':12s} {'layers':>6s} {'hidden':>6s} {'vocabulary':>10s}")
    for name in names:
        config = registry.preset(name)
        print(f"{name:42s} {config.model_type:12s} {config.num_hidden_layers:6d} {config.hidden_size:6d} "
              f"{config.vocab_size:10,d}")
    return names

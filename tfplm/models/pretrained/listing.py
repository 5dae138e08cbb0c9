"""`tfplm presets` and `tfplm params`: the list of presets, and the size of a model; presets need no TensorFlow."""

from pathlib import Path

from tfplm.families import registry
from tfplm.options import verb
from tfplm.options.models import ParamsOptions, PresetsOptions


@verb(ParamsOptions)
def params(options: ParamsOptions) -> int:
    """Prints the number of parameters of a preset or a saved model in total and per module. Returns the total."""
    saved = Path(options.model).expanduser().exists()
    config = None if saved else registry.preset(options.model)  # raises ValueError with the nearest names
    from tfplm.models.pretrained.counting import by_module, parameters_by_name
    from tfplm.models.pretrained.source import open_source

    counts = parameters_by_name(config or open_source(options.model).config_for(options.head), options.head)
    total = sum(counts.values())
    for name, count in by_module(counts, options.by_layer).items():
        print(f"{name:44s} {count:15,d} {count / total:7.1%}")
    print(f"{'total':44s} {total:15,d}")
    return total


@verb(PresetsOptions)
def presets(options: PresetsOptions) -> list[str]:
    """Prints the presets with their sizes. Returns their names."""
    models = [registry.family(options.family).model_type] if options.family else registry.families()
    names = [name for model in models for name in registry.family(model).presets]
    print(f"{'preset':42s} {'family':12s} {'layers':>6s} {'hidden':>6s} {'vocabulary':>10s}")
    for name in names:
        config = registry.preset(name)
        print(f"{name:42s} {config.model_type:12s} {config.num_hidden_layers:6d} {config.hidden_size:6d} "
              f"{config.vocab_size:10,d}")
    return names

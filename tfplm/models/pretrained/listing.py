"""`tfplm presets` and `tfplm params`: the list of presets, and the size of a model; presets need no TensorFlow."""

from pathlib import Path

from tfplm.core.terminal.results import Results
from tfplm.families import registry
from tfplm.options import verb
from tfplm.options.models import ParamsOptions, PresetsOptions


@verb(ParamsOptions)
def params(options: ParamsOptions) -> int:
    """Shows the number of parameters of a preset or a saved model in total and per module. Returns the total."""
    saved = Path(options.model).expanduser().exists()
    config = None if saved else registry.preset(options.model)  # raises ValueError with the nearest names
    from tfplm.models.pretrained.counting import by_module, parameters_by_name
    from tfplm.models.pretrained.source import open_source

    counts = parameters_by_name(config or open_source(options.model).config_for(options.head), options.head)
    total = sum(counts.values())
    modules = by_module(counts, options.by_layer)
    row = {"model": options.model, "parameters": total, "modules": modules}
    with Results(options.json, options.output, as_text=_as_table) as results:
        results.show(row)
    return total


def _as_table(row: dict) -> str:
    lines = [f"{name:44s} {count:15,d} {count / row['parameters']:7.1%}" for name, count in row["modules"].items()]
    return "\n".join([*lines, f"{'total':44s} {row['parameters']:15,d}"])


@verb(PresetsOptions)
def presets(options: PresetsOptions) -> list[str]:
    """Shows the presets with their sizes. Returns their names."""
    models = [registry.family(options.family).model_type] if options.family else registry.families()
    names = [name for model in models for name in registry.family(model).presets]
    with Results(options.json, options.output) as results:
        for name in names:
            config = registry.preset(name)
            results.show({"preset": name, "family": config.model_type, "layers": config.num_hidden_layers,
                          "hidden": config.hidden_size, "vocabulary": config.vocab_size})
    return names

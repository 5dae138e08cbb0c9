"""`tfplm presets` and `tfplm params`: the list of presets, and the size of a model, without TensorFlow."""

from pathlib import Path

from tfplm.core.terminal.results import Results
from tfplm.families import registry
from tfplm.families.published import paper, repository
from tfplm.models.pretrained.counting import by_module, count_parameters, parameters_by_name
from tfplm.options import verb
from tfplm.options.models import ParamsOptions, PresetsOptions

_ROW = "{:42s} {:12s} {:>15s} {:>6s} {:>5s} {:>5s} {:>10s}  {:25s} {}"


@verb(ParamsOptions)
def params(options: ParamsOptions) -> int:
<<<<<<< HEAD
    """Prints the number of parameters of a preset or a saved model in total and per module. Returns the total."""
    if Path(options.model).expanduser().exists():
        from tfplm.models.pretrained.source import open_source
        config = open_source(options.model).config_for(options.head)
    else:
        config = registry.preset(options.model)  # raises ValueError with the nearest names
    counts = parameters_by_name(config, options.head)
=======
    """Shows the number of parameters of a preset or a saved model in total and per module. Returns the total."""
    saved = Path(options.model).expanduser().exists()
    config = None if saved else registry.preset(options.model)  # raises ValueError with the nearest names
    from tfplm.models.pretrained.counting import by_module, parameters_by_name
    from tfplm.models.pretrained.source import open_source

    counts = parameters_by_name(config or open_source(options.model).config_for(options.head), options.head)
>>>>>>> f_cli
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
<<<<<<< HEAD
    """Prints the presets: family, parameters, sizes, paper, and where their weights are. Returns their names."""
    models = [registry.family(options.family).model_type] if options.family else registry.families()
    names = [name for model in models for name in registry.family(model).presets]
    print(_ROW.format("preset", "family", "parameters", "layers", "width", "heads", "vocabulary", "paper",
                      "weights (--init)"))
    for name in names:
        config = registry.preset(name)
        layers = f"{config.num_hidden_layers}+{config.num_decoder_layers or config.num_hidden_layers}" \
            if config.architecture == "seq2seq" else str(config.num_hidden_layers)
        heads = "-" if config.architecture in ("textcnn", "bilstm") else str(config.num_attention_heads)
        print(_ROW.format(name, config.model_type, f"{count_parameters(config):,}", layers, str(config.hidden_size),
                          heads, f"{config.vocab_size:,}", paper(name),
                          repository(name) or "-"))
=======
    """Shows the presets with their sizes. Returns their names."""
    models = [registry.family(options.family).model_type] if options.family else registry.families()
    names = [name for model in models for name in registry.family(model).presets]
    with Results(options.json, options.output) as results:
        for name in names:
            config = registry.preset(name)
            results.show({"preset": name, "family": config.model_type, "layers": config.num_hidden_layers,
                          "hidden": config.hidden_size, "vocabulary": config.vocab_size})
>>>>>>> f_cli
    return names

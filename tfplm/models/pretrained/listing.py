"""`tfplm presets` and `tfplm params`: the list of presets, and the size of a model, without TensorFlow."""

from pathlib import Path

from tfplm.core.terminal.results import Results
from tfplm.families import registry
from tfplm.families.published import paper, repository
from tfplm.models.pretrained.counting import by_module, count_parameters, parameters_by_name
from tfplm.models.shapes import variable_shapes
from tfplm.options import verb
from tfplm.options.models import ParamsOptions, PresetsOptions


@verb(ParamsOptions)
def params(options: ParamsOptions) -> int:
    """Shows the number of parameters of a preset or a saved model in total and per module. Returns the total.

    Raises ValueError if there is no such preset, and for flags that contradict each other.
    """
    if options.by_layer and options.by_weight:
        raise ValueError("--by-layer and --by-weight were both given; expected one of the two tables: omit one of them")
    if Path(options.model).expanduser().exists() or "/" in options.model:
        from tfplm.models.pretrained.source import open_source
        config = open_source(options.model).config_for(options.head)
    else:
        config = registry.preset(options.model)  # raises ValueError with the nearest names
    config = config.replace(**options.overrides())
    counts = parameters_by_name(config, options.head)
    total = sum(counts.values())
    row = {"model": options.model, "parameters": total, "modules": by_module(counts, options.by_layer)}
    if options.by_weight:
        shapes = variable_shapes(config, options.head)
        row["weights"] = {name: {"shape": list(shapes[name]), "parameters": count} for name, count in counts.items()}
    with Results(options.json, options.output, overwrite=options.overwrite, as_text=_as_table) as results:
        results.show(row)
    return total


def _as_table(row: dict) -> str:
    parts = {name: (count, "") for name, count in row["modules"].items()}
    if weights := row.get("weights"):
        parts = {name: (weight["parameters"], " x ".join(map(str, weight["shape"]))) for name, weight in weights.items()}
    lines = [f"{name:44s} {count:15,d} {count / row['parameters']:7.1%}  {shape}".rstrip()
             for name, (count, shape) in parts.items()]
    return "\n".join([*lines, f"{'total':44s} {row['parameters']:15,d}"])


@verb(PresetsOptions)
def presets(options: PresetsOptions) -> list[str]:
    """Shows the presets: family, parameters, sizes, paper, and where their weights are. Returns their names."""
    models = [registry.family(options.family).model_type] if options.family else registry.families()
    names = [name for model in models for name in registry.family(model).presets]
    with Results(options.json, options.output, overwrite=options.overwrite) as results:
        for name in names:
            results.show(preset_row(name))
    return names


def preset_row(name: str) -> dict[str, str | int | None]:
    """What `tfplm presets` shows of a preset; `weights` is a name for --init, `layers` of encoder + decoder."""
    config = registry.preset(name)
    layers: str | int = config.num_hidden_layers
    if config.architecture == "seq2seq":
        layers = f"{layers}+{config.decoder().num_hidden_layers}"
    heads = None if config.architecture in ("textcnn", "bilstm") else config.num_attention_heads
    return {"preset": name, "family": config.model_type, "parameters": count_parameters(config), "layers": layers,
            "width": config.hidden_size, "heads": heads, "vocabulary": config.vocab_size, "paper": paper(name),
            "weights": repository(name)}

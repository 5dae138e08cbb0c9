"""Loading and saving of weights by the family's table of names."""

import dataclasses
from collections.abc import Collection

import keras
import numpy as np

from tfplm.core.checkpoints import Checkpoint
from tfplm.core.weight_names import BACKBONE, Names, detect_prefix
from tfplm.models.heads import LABELLED
from tfplm.models.pretrained.matching import Match

__all__ = ["BACKBONE", "Report", "export", "labels_in", "load", "named_variables"]


def named_variables(layer: keras.layers.Layer, prefix: str = "") -> dict[str, keras.Variable]:
    """All weights of a model by path, e.g. `encoder/block_3/attention/query/kernel`; shared ones occur once."""
    result, seen = {}, set()

    def walk(layer, path):
        for value in vars(layer).values():
            for child in value if isinstance(value, list | tuple) else (value,):
                if isinstance(child, keras.layers.Layer) and id(child) not in seen:
                    seen.add(id(child))
                    walk(child, path + getattr(child, "path_name", child.name).strip("/") + "/")
        for variable in layer.weights:
            if id(variable) not in seen:
                seen.add(id(variable))
                result[(path + variable.name).lstrip("/")] = variable

    walk(layer, prefix)
    return result


@dataclasses.dataclass
class Report:
    """The result of loading weights.

    Attributes:
        filled: our paths of the loaded variables, with the names of the tensors.
        fresh: our paths of the newly initialized variables.
        ignored: names of the tensors that are not needed.
        untrained: path -> digest of the initial values of a newly initialized pooler.
    """

    filled: dict[str, str]
    fresh: list[str]
    ignored: list[str]
    untrained: dict[str, bytes] = dataclasses.field(default_factory=dict)

    def __str__(self) -> str:
        lines = [f"{len(self.filled)} variables loaded"]
        if self.fresh:
            lines.append(f"newly initialized (not in the checkpoint): {', '.join(self.fresh)}")
        if self.ignored:
            lines.append(f"not needed: {', '.join(self.ignored)}")
        return "\n".join(lines)


def load(model, checkpoint: Checkpoint, result: Match) -> Report:
    """Loads the variables of the model from the tensors that were matched to them.

    Raises ValueError if the model has other variables than those that were matched.
    """
    variables = named_variables(model)
    if other := variables.keys() ^ {*result.found, *result.missing}:
        raise ValueError(f"the model and its list of shapes differ in {', '.join(sorted(other))}: report this error")
    for path, (name, location) in result.found.items():
        variables[path].assign(location.read(checkpoint.read(name)))
    return Report({path: name for path, (name, _) in result.found.items()}, sorted(result.missing), result.ignored)


def labels_in(checkpoint: Checkpoint, names: Names, head: str | None) -> int | None:
    """The number of labels of the classifier in a checkpoint; None if it has none."""
    if head not in LABELLED:
        return None
    prefix = detect_prefix(names, checkpoint.layout, checkpoint.names())
    for location in names.locations(f"{LABELLED[head]}/kernel", checkpoint.layout, prefix):
        for name in location.names:
            if name in checkpoint and len(checkpoint.shape(name)) == 2:
                return checkpoint.shape(name)[0 if location.transpose else 1]
    return None


def export(model, names: Names, layout: str, left_out: Collection[str] = ()) -> dict[str, np.ndarray]:
    """The tensors of a model with the names and shapes of another library, without the paths `left_out`.

    Raises ValueError if the layout has no names for some variables; the message lists them.
    """
    prefix = names.hf_prefix if layout == "hf" else names.tf1_prefix
    if layout == "hf" and model.head is None:
        prefix = ""  # as in transformers: the tensors of a base model have no prefix
    result, parts, nameless = {}, {}, []
    for path, variable in named_variables(model).items():
        locations = names.locations(path, layout, prefix, model.config.inner_group_num)
        if path in left_out:
            continue
        if not locations:
            nameless.append(path)
        for location in locations:
            index, count = location.part or (0, 1)
            pieces = parts.setdefault(location.names[0], {})
            pieces[index] = keras.ops.convert_to_numpy(variable)
            if len(pieces) == count:
                result[location.names[0]] = location.write([pieces[index] for index in range(count)])
                del parts[location.names[0]]
    if nameless:
        raise ValueError(f"the layout '{layout}' of {model.config.model_type} has no name for "
                         f"{', '.join(nameless)}: save with model.save('x.keras') instead")
    return result

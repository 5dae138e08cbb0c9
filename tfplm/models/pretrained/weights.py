"""Loading and saving of weights by the family's table of names; all tensors are checked."""

import dataclasses

import keras
import numpy as np

from tfplm.core.checkpoints import Checkpoint
from tfplm.core.suggest import did_you_mean
from tfplm.core.weight_names import Location, Names, detect_prefix
from tfplm.models.heads import LABELLED

BACKBONE = {"embeddings", "decoder_embeddings", "encoder", "decoder"}


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
    """

    filled: dict[str, str]
    fresh: list[str]
    ignored: list[str]

    def __str__(self) -> str:
        lines = [f"{len(self.filled)} variables loaded"]
        if self.fresh:
            lines.append(f"newly initialized (not in the checkpoint): {', '.join(self.fresh)}")
        if self.ignored:
            lines.append(f"not needed: {', '.join(self.ignored)}")
        return "\n".join(lines)


@dataclasses.dataclass(frozen=True)
class Tolerance:
    """Allowed differences between a checkpoint and a model.

    Attributes:
        resized: our paths that are newly initialized if the shapes differ (a new number of labels).
        layers: True if the checkpoint can have more blocks than the model.
        parts: roots of paths that the model does not have.
    """

    resized: frozenset[str] = frozenset()
    layers: bool = False
    parts: frozenset[str] = frozenset()


@dataclasses.dataclass
class Match:
    """`found`: our path -> (their name, its location); `missing`: our path -> their name; `ignored`: their names."""

    found: dict[str, tuple[str, Location]]
    missing: dict[str, str]
    ignored: list[str]


def match(model, checkpoint: Checkpoint, names: Names, tolerance: Tolerance | None = None) -> Match:
    """Matches the tensors of a checkpoint to the variables of a model, without reading them.

    Raises ValueError if they differ; the message lists *all* missing tensors, wrong shapes and unexpected tensors.
    """
    tolerance = tolerance or Tolerance()
    layout, tensors = checkpoint.layout, set(checkpoint.names())
    prefix = detect_prefix(names, layout, tensors)
    variables = named_variables(model)
    found, missing, used, problems = {}, {}, set(), []
    for path, variable in variables.items():
        locations = names.locations(path, layout, prefix, model.config.inner_group_num)
        present = [(name, location) for location in locations for name in location.names if name in tensors]
        used |= {name for name, _ in present}
        if not present:
            missing[path] = locations[0].names[0] if locations else "(this layout has no name for it)"
            continue
        name, location = present[-1]
        if tuple(checkpoint.shape(name)) == location.shape(tuple(variable.shape)):
            found[path] = name, location
        elif path in tolerance.resized:
            missing[path] = name
        else:
            problems.append(f"wrong shape: {name} is {list(checkpoint.shape(name))}, "
                            f"expected {list(location.shape(tuple(variable.shape)))} for {path}")
    problems += _missing(missing, found, tensors - used, tolerance)
    ignored, unexpected = _unused(names, layout, prefix, tensors - used, tolerance)
    problems += [f"unexpected: {name} {list(checkpoint.shape(name))}" for name in unexpected]
    if problems:
        raise ValueError(f"{checkpoint.path} does not match the model ({len(problems)} problems):\n  "
                         + "\n  ".join(problems) + "\nCheck that the config belongs to these weights")
    return Match(found, missing, ignored)


def load(model, checkpoint: Checkpoint, names: Names, tolerance: Tolerance | None = None) -> Report:
    """Loads the variables of the model from a checkpoint; raises the same errors as `match`."""
    result, variables = match(model, checkpoint, names, tolerance), named_variables(model)
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


def _group(path: str) -> str:
    """The group of variables that are initialized together: `lm`, `classifier`, `pooler`, ..."""
    return path.partition("/")[0].partition("_")[0]


def _missing(missing: dict[str, str], found: dict, unused: set[str], tolerance: Tolerance) -> list[str]:
    """Messages for missing variables; heads and poolers can be missing as a whole, but not in part."""
    groups = {_group(path) for path in found}
    return [f"missing: {name} for {path}{did_you_mean(name, unused)}" for path, name in missing.items()
            if path not in tolerance.resized and (path.partition("/")[0] in BACKBONE or _group(path) in groups)]


def _unused(names, layout, prefix, unused, tolerance) -> tuple[list[str], list[str]]:
    """(names of known tensors that are not needed, names of unexpected tensors)."""
    rows = names.known(layout, prefix)
    optional = tolerance.parts | ({"encoder", "decoder"} if tolerance.layers else set())

    def known(name: str) -> bool:
        if name.startswith(names.ignored or ("\0",)):
            return True
        roots = [ours and ours.partition("/")[0] for ours, pattern in rows if pattern.fullmatch(name)]
        return any(root is None or root not in BACKBONE or root in optional for root in roots)

    ignored = sorted(filter(known, unused))
    return ignored, sorted(unused - set(ignored))


def export(model, names: Names, layout: str) -> dict[str, np.ndarray]:
    """The tensors of a model with the names and shapes of another library.

    Raises ValueError if the layout has no names for some variables; the message lists them.
    """
    prefix = names.hf_prefix if layout == "hf" else names.tf1_prefix
    if layout == "hf" and model.head is None:
        prefix = ""  # as in transformers: the tensors of a base model have no prefix
    result, parts, nameless = {}, {}, []
    for path, variable in named_variables(model).items():
        locations = names.locations(path, layout, prefix, model.config.inner_group_num)
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

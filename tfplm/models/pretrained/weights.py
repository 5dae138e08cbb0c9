"""Weights between a model and a checkpoint, by the family's table of names, with the audit that is always on."""

import dataclasses

import keras
import numpy as np

from tfplm.core.checkpoints import Checkpoint
from tfplm.core.suggest import did_you_mean
from tfplm.core.weight_names import Names, Place, detect_prefix
from tfplm.models.heads import LABELLED

BACKBONE = {"embeddings", "decoder_embeddings", "encoder", "decoder"}


def named_variables(layer: keras.layers.Layer, prefix: str = "") -> dict[str, keras.Variable]:
    """Every weight of a model by its path, e.g. `encoder/block_3/attention/query/kernel`; shared ones once."""
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
    """What the audit found: our paths that were filled and that are fresh, their tensors that were not needed."""

    filled: dict[str, str]
    fresh: list[str]
    ignored: list[str]

    def __str__(self) -> str:
        lines = [f"{len(self.filled)} variables filled"]
        if self.fresh:
            lines.append(f"fresh (not in the checkpoint): {', '.join(self.fresh)}")
        if self.ignored:
            lines.append(f"not needed: {', '.join(self.ignored)}")
        return "\n".join(lines)


@dataclasses.dataclass(frozen=True)
class Tolerance:
    """What a load may leave: `resized` our paths that stay fresh where shapes differ (a new number of labels),
    `layers` whether the checkpoint may have more blocks than the model, `parts` roots that the model has not."""

    resized: frozenset[str] = frozenset()
    layers: bool = False
    parts: frozenset[str] = frozenset()


@dataclasses.dataclass
class Match:
    """`found`: our path -> (their name, its place); `missing`: our path -> their name; `ignored`: their names."""

    found: dict[str, tuple[str, Place]]
    missing: dict[str, str]
    ignored: list[str]


def match(model, checkpoint: Checkpoint, names: Names, tolerance: Tolerance | None = None) -> Match:
    """The audit: which tensor of a checkpoint belongs to which variable; nothing is read yet.

    Raises:
        ValueError: lists *all* missing tensors, wrong shapes and left-over tensors.
    """
    tolerance = tolerance or Tolerance()
    layout, tensors = checkpoint.layout, set(checkpoint.names())
    prefix = detect_prefix(names, layout, tensors)
    variables = named_variables(model)
    found, missing, used, problems = {}, {}, set(), []
    for path, variable in variables.items():
        places = names.places(path, layout, prefix, model.config.inner_group_num)
        present = [(name, place) for place in places for name in place.names if name in tensors]
        used |= {name for name, _ in present}
        if not present:
            missing[path] = places[0].names[0] if places else "(this layout has no name for it)"
            continue
        name, place = present[-1]
        if tuple(checkpoint.shape(name)) == place.shape(tuple(variable.shape)):
            found[path] = name, place
        elif path in tolerance.resized:
            missing[path] = name
        else:
            problems.append(f"wrong shape: {name} is {list(checkpoint.shape(name))}, "
                            f"expected {list(place.shape(tuple(variable.shape)))} for {path}")
    problems += _missing(missing, found, tensors - used, tolerance)
    ignored, leftover = _leftover(names, layout, prefix, tensors - used, tolerance)
    problems += [f"left over: {name} {list(checkpoint.shape(name))}" for name in leftover]
    if problems:
        raise ValueError(f"{checkpoint.path} does not fit the model ({len(problems)} problems):\n  "
                         + "\n  ".join(problems) + "\nIs the config the one that belongs to these weights?")
    return Match(found, missing, ignored)


def load(model, checkpoint: Checkpoint, names: Names, tolerance: Tolerance | None = None) -> Report:
    """Fills the model's variables from a checkpoint that passes the audit; raises what `match` raises."""
    result, variables = match(model, checkpoint, names, tolerance), named_variables(model)
    for path, (name, place) in result.found.items():
        variables[path].assign(place.read(checkpoint.read(name)))
    return Report({path: name for path, (name, _) in result.found.items()}, sorted(result.missing), result.ignored)


def labels_in(checkpoint: Checkpoint, names: Names, head: str | None) -> int | None:
    """The number of labels of a checkpoint's own classifier; None where it has none."""
    if head not in LABELLED:
        return None
    prefix = detect_prefix(names, checkpoint.layout, checkpoint.names())
    for place in names.places(f"{LABELLED[head]}/kernel", checkpoint.layout, prefix):
        for name in place.names:
            if name in checkpoint and len(checkpoint.shape(name)) == 2:
                return checkpoint.shape(name)[0 if place.transpose else 1]
    return None


def _group(path: str) -> str:
    """Variables that are fresh together: `lm`, `classifier`, `pooler`, ..."""
    return path.partition("/")[0].partition("_")[0]


def _missing(missing: dict[str, str], found: dict, spare: set[str], tolerance: Tolerance) -> list[str]:
    """Heads and poolers may be missing, but not half of one."""
    there = {_group(path) for path in found}
    return [f"missing: {name} for {path}{did_you_mean(name, spare)}" for path, name in missing.items()
            if path not in tolerance.resized and (path.partition("/")[0] in BACKBONE or _group(path) in there)]


def _leftover(names, layout, prefix, spare, tolerance) -> tuple[list[str], list[str]]:
    """(tensors that are known and not needed, tensors that nobody knows)."""
    rows = names.known(layout, prefix)
    optional = tolerance.parts | ({"encoder", "decoder"} if tolerance.layers else set())

    def known(name: str) -> bool:
        if name.startswith(names.ignored or ("\0",)):
            return True
        roots = [ours and ours.partition("/")[0] for ours, pattern in rows if pattern.fullmatch(name)]
        return any(root is None or root not in BACKBONE or root in optional for root in roots)

    ignored = sorted(filter(known, spare))
    return ignored, sorted(spare - set(ignored))


def export(model, names: Names, layout: str) -> dict[str, np.ndarray]:
    """The model's tensors under the names of another library, in its shapes.

    Raises:
        ValueError: names our variables for which that layout has no name.
    """
    prefix = names.hf_prefix if layout == "hf" else names.tf1_prefix
    if layout == "hf" and model.head is None:
        prefix = ""  # as transformers does: a base model's tensors have no prefix
    result, parts, nameless = {}, {}, []
    for path, variable in named_variables(model).items():
        places = names.places(path, layout, prefix, model.config.inner_group_num)
        if not places:
            nameless.append(path)
        for place in places:
            index, count = place.part or (0, 1)
            pieces = parts.setdefault(place.names[0], {})
            pieces[index] = keras.ops.convert_to_numpy(variable)
            if len(pieces) == count:
                result[place.names[0]] = place.write([pieces[index] for index in range(count)])
                del parts[place.names[0]]
    if nameless:
        raise ValueError(f"the layout '{layout}' of {model.config.model_type} has no name for "
                         f"{', '.join(nameless)}: save with model.save('x.keras') instead")
    return result

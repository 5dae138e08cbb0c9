"""Comparison of a checkpoint with the variables of a model, by the family's table of names; all tensors are checked.

Nothing is read or allocated, so that a config that does not belong to its weights is found before the model is built.
"""

import dataclasses
from collections.abc import Iterable, Mapping

from tfplm.core.checkpoints import Checkpoint
from tfplm.core.suggest import did_you_mean
from tfplm.core.weight_names import BACKBONE, Location, Names, detect_prefix
from tfplm.models.pretrained.wrapping import prefixes

_SHOWN = 4  # problems of each kind in the message
_ENOUGH = 2000  # missing variables after which the others are not looked up


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


def match(shapes: Mapping[str, tuple[int, ...]], checkpoint: Checkpoint, names: Names,
          tolerance: Tolerance | None = None, inner: int = 1) -> Match:
    """Matches the tensors of a checkpoint to the variables of a model.

    shapes: our path -> shape, see `tfplm.models.shapes`. inner: number of blocks in a group (ALBERT).

    Raises ValueError if they differ; the message counts missing tensors, wrong shapes and unexpected tensors, with
    examples of each.
    """
    tolerance = tolerance or Tolerance()
    layout, tensors = checkpoint.layout, set(checkpoint.names())
    prefix = detect_prefix(names, layout, tensors)
    found, missing, used, wrong = {}, {}, set(), []
    for path, shape in shapes.items():
        locations = names.locations(path, layout, prefix, inner)
        present = [(name, location) for location in locations for name in location.names if name in tensors]
        used |= {name for name, _ in present}
        if not present:
            missing[path] = locations[0].names[0] if locations else "(this layout has no name for it)"
            if len(missing) > _ENOUGH:
                break
            continue
        name, location = present[-1]
        if tuple(checkpoint.shape(name)) == location.shape(shape):
            found[path] = name, location
        elif path in tolerance.resized:
            missing[path] = name
        else:
            wrong.append(f"wrong shape: {name} is {list(checkpoint.shape(name))}, "
                         f"expected {list(location.shape(shape))} for {path}")
    absent = _missing(missing, found, tolerance)
    ignored, unexpected = _unused(names, layout, prefix, tensors - used, tolerance)
    if absent or wrong or unexpected:
        lines = [f"missing: {missing[path]} for {path}{did_you_mean(missing[path], tensors - used)}"
                 for path in absent[:_SHOWN]] + _more(absent, "missing")
        lines = [*wrong[:_SHOWN], *_more(wrong, "of wrong shape"), *lines]
        lines += [f"unexpected: {name} {list(checkpoint.shape(name))}" for name in unexpected[:_SHOWN]]
        raise ValueError(f"{checkpoint.path} does not match the model ({len(absent) + len(wrong) + len(unexpected)} "
                         "problems):\n  " + "\n  ".join(lines + _more(unexpected, "unexpected"))
                         + f"\n{_other_prefixes(names, layout, tensors, prefix)}Check that the config belongs to these "
                           "weights")
    return Match(found, missing, ignored)


def _more(items: list, kind: str) -> list[str]:
    return [f"... and {len(items) - _SHOWN} more {kind}"] if len(items) > _SHOWN else []


def _other_prefixes(names: Names, layout: str, tensors: Iterable[str], prefix: str) -> str:
    """A sentence about names of the backbone with other prefixes than the expected one; empty if there are none."""
    counts = prefixes(names, layout, tensors)
    others = ", ".join(f"{count} names begin with '{other}'" if other else f"{count} names have no prefix"
                       for other, count in counts.most_common(3) if other != prefix)
    expected = f"'{prefix}'" if prefix else "no prefix"
    return f"Of the tensors of the model, {others}; expected {expected} for all of them. " if others else ""


def _group(path: str) -> str:
    """The group of variables that are initialized together: `lm`, `classifier`, `pooler`, ..."""
    return path.partition("/")[0].partition("_")[0]


def _missing(missing: dict[str, str], found: dict, tolerance: Tolerance) -> list[str]:
    """Our paths of the missing variables; heads and poolers can be missing as a whole, but not in part."""
    groups = {_group(path) for path in found}
    return [path for path in missing if path not in tolerance.resized
            and (path.partition("/")[0] in BACKBONE or _group(path) in groups)]


def _unused(names: Names, layout: str, prefix: str, unused: set[str],
            tolerance: Tolerance) -> tuple[list[str], list[str]]:
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

"""Checkpoints in which the model is a part of another one: the prefix of its names is found and removed.

A state dict of a user's own module, of PyTorch Lightning, or of a TF1 graph under a scope has the names of the family
under a common prefix: `model.bert.encoder...`, `my_scope/bert/encoder/...`.
"""

import logging
import re
from collections import Counter
from collections.abc import Collection, Iterable

from tfplm.core.checkpoints import Checkpoint
from tfplm.core.weight_names import BACKBONE, Names
from tfplm.families import registry
from tfplm.families.registry import Family

log = logging.getLogger("tfplm")
_SEPARATORS = {"hf": ".", "tf1": "/"}
GENERIC = {"", "model.", "transformer."}  # prefixes of families that other modules can have as well


def prefixes(names: Names, layout: str, tensors: Iterable[str]) -> Counter[str]:
    """Prefix -> number of tensors whose name is this prefix and a name of the family's backbone."""
    pattern = _with_prefix(names, layout)
    found = (pattern.fullmatch(name) for name in tensors) if pattern else ()
    return Counter(match[1] for match in found if match)


def _with_prefix(names: Names, layout: str, part: str = "base") -> re.Pattern | None:
    column = 2 if layout == "tf1" else 1
    rows = [row[column] for row in (names.base if part == "base" else names.heads)
            if row[column] and row[0] and (part != "base" or row[0].partition("/")[0] in BACKBONE)]
    if not rows:
        return None
    separator = re.escape(_SEPARATORS[layout])
    templates = "|".join(re.sub(r"\\\{[ngi]\\\}", r"\\d+", re.escape(row)) for row in rows)
    leaves = "|".join(sorted({re.escape(name) for one in names.leaves(layout).values() for name in one}))
    return re.compile(rf"((?:.*?[./])?)(?:{templates})(?:{separator}(?:{leaves}))?")


def unwrapped(checkpoint: Checkpoint, family: Family) -> Checkpoint:
    """The checkpoint with the names of the family, without a prefix that all names of the backbone have.

    Names of heads can have another prefix, or a part of it. Tensors that belong to other modules are left out, with a
    warning. Raises ValueError if there are several prefixes, or that of another family.
    """
    layout, names = checkpoint.layout, family.names
    own = names.hf_prefix if layout == "hf" else names.tf1_prefix
    special = family.tf1.names.values() if layout == "tf1" and family.tf1 else ()
    counts = prefixes(names, layout, checkpoint.names())
    if not counts or counts.keys() & {"", own, *(table.tf1_prefix for table in special)}:
        return checkpoint
    if len(counts) > 1:
        listed = ", ".join(f"'{prefix}' ({count} names)" for prefix, count in counts.most_common(4))
        raise ValueError(f"{checkpoint.path}: the tensors of the {family.model_type} model have {len(counts)} prefixes, "
                         f"{listed}; expected one model under one prefix: save the one that you need")
    (prefix, count), = counts.items()
    if other := _prefix_of_other_family(prefix, own, layout):
        raise ValueError(f"{checkpoint.path}: {count} names begin with '{prefix}', the prefix of {other}, but the config "
                         f"is that of {family.model_type}: check its model_type")
    renamed = _renamed(checkpoint.names(), prefix, own, names, layout)
    if skipped := sorted(set(checkpoint.names()) - set(renamed.values())):
        log.warning("%s: %d tensors outside of the prefix '%s' belong to other modules and are skipped: %s%s",
                    checkpoint.path, len(skipped), prefix, ", ".join(skipped[:4]), " ..." if skipped[4:] else "")
    return Checkpoint(checkpoint.path, layout, {name: checkpoint.tensors[old] for name, old in renamed.items()})


def _prefix_of_other_family(prefix: str, own: str, layout: str) -> str | None:
    if layout == "tf1":
        return None  # recognized by the names
    # several families have the prefix of the one with this name
    for model_type in sorted(registry.families(), key=lambda name: registry.family(name).names.hf_prefix != f"{name}."):
        other = registry.family(model_type).names.hf_prefix
        if other not in GENERIC | {own} and _under(prefix, other) is not None:
            return model_type
    return None


def _under(prefix: str, own: str) -> str | None:
    """The part of `prefix` before the family's own one, or None if it does not end with it."""
    outer = prefix.removesuffix(own)
    return outer if own and outer != prefix and (not outer or outer.endswith((".", "/"))) else None


def _renamed(tensors: Collection[str], prefix: str, own: str, names: Names, layout: str) -> dict[str, str]:
    """New name -> name in the file."""
    parts = re.findall(r"[^./]*[./]", prefix)
    outer = ["".join(parts[:length]) for length in range(len(parts), 0, -1)]
    patterns, heads = [pattern for _, pattern in names.known(layout, own)], _with_prefix(names, layout, "heads")

    def known(name: str) -> bool:
        return name.startswith(names.ignored or ("\0",)) or any(pattern.fullmatch(name) for pattern in patterns)

    inside = {name.removeprefix(prefix): name for name in tensors if name.startswith(prefix)}
    renamed = {rest if known(rest) and not known(own + rest) else own + rest: name for rest, name in inside.items()}
    for name in tensors:
        if not name.startswith(prefix):
            bare = next((name.removeprefix(one) for one in outer if name.startswith(one)), name)
            head = heads.fullmatch(name) if heads else None
            new = next((new for new in (bare, name[len(head[1]):] if head else bare)
                        if new not in renamed and known(new)), None)
            if new is not None:
                renamed[new] = name
    return renamed


def plain_names(checkpoint: Checkpoint, family: Family) -> list[str]:
    """The names as a family writes them, if all of its backbone are under one prefix; otherwise as they are."""
    counts = prefixes(family.names, checkpoint.layout, checkpoint.names())
    outer = ""
    if len(counts) == 1:
        found = [_under(prefix, registry.family(model_type).names.hf_prefix)
                 for prefix in counts for model_type in registry.families()]
        outer = max((one for one in found if one is not None), key=len, default="")
    return [name.removeprefix(outer) for name in checkpoint.names()]


def best_family(checkpoint: Checkpoint, families: Iterable[Family]) -> Family | None:
    """The family with most names of the checkpoint, under any prefix; of equal ones the first; None without any."""
    scored = [(sum(prefixes(family.names, checkpoint.layout, checkpoint.names()).values()), family)
              for family in families]
    count, family = max(scored, key=lambda pair: pair[0], default=(0, None))
    return family if count else None

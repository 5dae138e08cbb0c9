"""Names, help texts and flags of the pre-training objectives, read from their source.

The source is parsed, not imported, because an objective imports TensorFlow, which `tfplm pretrain --help` does not
need. An objective is a class in a file of `tfplm/pretrain/objectives` that assigns literals to

    name    its name in `--objective`
    help    a description for `--help`: what is predicted
    flags   options of this objective alone, with default and help: {"generator_size": (0.25, "width of the generator")}
"""

import ast
import dataclasses
import functools
from pathlib import Path

from tfplm.options.base import flag

FOLDER = Path(__file__).parents[1] / "pretrain" / "objectives"


@dataclasses.dataclass(frozen=True)
class Declared:
    """The declaration of an objective; `module` is a file of `FOLDER` without its suffix, and `kind` its class."""

    name: str
    help: str
    flags: dict[str, tuple]
    module: str
    kind: str


@functools.cache
def declared(folder: Path = FOLDER) -> dict[str, Declared]:
    """The objectives by name, in alphabetical order. Raises ValueError for a name or flag that two of them declare."""
    found, flags = {}, {}
    for file in sorted(folder.glob("*.py")):
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            values = _literals(node) if isinstance(node, ast.ClassDef) else {}
            if not (name := values.get("name")):
                continue
            here = f"{file.name}, {node.name}"
            for kind, names, known in (("objective", [name], found), ("flag", values.get("flags", {}), flags)):
                if twice := [each for each in names if each in known]:
                    raise ValueError(f"{here} declares the {kind} {twice[0]!r}, which another objective also declares; "
                                     "expected different names: rename one of them")
            flags |= dict.fromkeys(values.get("flags", {}), name)
            found[name] = Declared(name, values.get("help", ""), values.get("flags", {}), file.stem, node.name)
    return dict(sorted(found.items()))


def _literals(node: ast.ClassDef) -> dict[str, object]:
    """The values that a class body assigns as literals: `name = "x"`, or `name, help = "x", "y"`."""
    found = {}
    for statement in node.body:
        if not isinstance(statement, ast.Assign) or len(statement.targets) != 1:
            continue
        target, value = statement.targets[0], statement.value
        pairs = zip(target.elts, value.elts) if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple) \
            else [(target, value)]
        for name, literal in pairs:
            if isinstance(name, ast.Name) and name.id in ("name", "help", "flags"):
                found[name.id] = ast.literal_eval(literal)
    return found


def listing() -> str:
    """One line for each objective: its name and help text."""
    return "\n".join(f"  {each.name:17s}{each.help}" for each in declared().values())


def own_flags(options) -> dict[str, object]:
    """The values of all objectives' flags among the options."""
    return {name: getattr(options, name) for each in declared().values() for name in each.flags}


def _fields() -> list[tuple]:
    fields = []
    for each in declared().values():
        for name, (default, text) in each.flags.items():
            if isinstance(default, list):
                text = f"{text} (default: {' '.join(default)})"
                field = list[str], flag(factory=functools.partial(list, default), help=f"{each.name}: {text}")
            else:
                field = type(default), flag(default, f"{each.name}: {text}")
            fields.append((name, *field))
    return fields


ObjectiveOptions = dataclasses.make_dataclass("ObjectiveOptions", _fields(), kw_only=True, namespace={
    "__doc__": "The flags that objectives declare; a base class in addition to `TrainingOptions`.",
    "HEADING": "flags of single objectives"})

"""What `tfplm VERB --help` and `--help-all` show."""

import argparse
import dataclasses
import inspect
import re
import shutil
import textwrap
from collections.abc import Sequence

from tfplm.cli.flags import (
    add_flag,
    add_positional,
    explanation,
    flag_of,
    hints_of,
    is_required,
    metavar_of,
    opposite,
    takes_several,
)
from tfplm.cli.spelling import MODEL_FIELDS
from tfplm.options.base import Options

OWN = "flags"
MOST_NAMES = 50  # of a group of flags that are only named
MOST_LINES = 58  # of `--help`


class Formatter(argparse.RawDescriptionHelpFormatter):
    """Flags in a column of at most 26 letters."""

    def __init__(self, prog: str):
        super().__init__(prog, max_help_position=26, width=width())

    def _format_action_invocation(self, action: argparse.Action) -> str:
        """`-o, --output PATH` instead of `-o PATH, --output PATH`, as in Python 3.13."""
        if not action.option_strings or action.nargs == 0:
            return super()._format_action_invocation(action)
        return f"{', '.join(action.option_strings)} {self._format_args(action, action.dest.upper())}"


def width() -> int:
    """The width of the terminal, in letters."""
    return max(40, shutil.get_terminal_size().columns - 2)


def explained(options_class: type) -> list[str]:
    """The flags that `--help` explains if there is room, the most important first."""
    chosen, names = options_class.EXPLAINED, []
    for field in _ordered(options_class):
        owner = _owner(options_class, field.name)
        if field.name in chosen or owner.__dict__.get("COMMON", False) or (owner is options_class and not chosen):
            names.append(field.name)
    return names


def fill(parser: argparse.ArgumentParser, options_class: type, names: Sequence[str] | None = None) -> None:
    """Adds all arguments to a parser with the texts of its help.

    names: the flags to explain, beside required and common ones, while the others are only named; None: all, in groups by
    the class that defines them.
    """
    everything = names is None
    hints = hints_of(options_class)
    fields = [field for field in _ordered(options_class) if field.name not in options_class.UNUSED]
    named: dict[str, list[str]] = {}
    groups = {}

    def group(title: str):
        if title not in groups:
            groups[title] = parser.add_argument_group(title)
        return groups[title]

    for field in fields:
        if field.metadata.get("positional"):
            add_positional(group("arguments"), field, hints[field.name], _text(options_class, field, hints))
        elif everything or field.name in names or is_required(field) or _owner(options_class, field.name) is Options:
            title = _heading(options_class, field, everything)
            add_flag(group(title), field, hints[field.name], _text(options_class, field, hints))
        else:
            add_flag(parser, field, hints[field.name], argparse.SUPPRESS)
            flag = flag_of(field.name)
            named.setdefault(_heading(options_class, field, True), []).append(
                opposite(flag) if field.default is True else flag)
    common = group(Options.HEADING)
    for field in dataclasses.fields(options_class):
        if field.name in options_class.UNUSED:
            add_flag(parser, field, hints[field.name], argparse.SUPPRESS)
    config = argparse.SUPPRESS if "config" in options_class.UNUSED else "JSON file of options; flags take precedence"
    common.add_argument("--config", metavar="FILE", help=config)
    common.add_argument("--debug", action="store_true", help="show the traceback of an error")
    common.add_argument("-h", "--help", action="help", help="show this help")
    common.add_argument("--help-all", action="store_true", help="explain all flags" if named else argparse.SUPPRESS)
    parser.epilog = _epilog(options_class, named)


def usage_of(verb: str, options_class: type) -> str:
    """`tfplm VERB ARGUMENTS [flags]` with the arguments that are required, or those of `USAGE`."""
    hints, parts = hints_of(options_class), []
    for field in dataclasses.fields(options_class):
        positional, name = field.metadata.get("positional"), metavar_of(field, hints[field.name])
        if positional:
            name += "..." if takes_several(hints[field.name]) else ""
            parts.append(name if is_required(field) else f"[{name}]")
        elif is_required(field):
            parts.append(f"{flag_of(field.name)} {name}")
    return f"tfplm {verb} {options_class.USAGE or ' '.join(parts)} [flags]".replace("  ", " ")


def reflowed(text: str, columns: int) -> str:
    """The paragraphs of a docstring, wrapped; the second column of an indented table keeps its place."""
    lines: list[str] = []
    for line in inspect.cleandoc(text).splitlines():
        if line and lines and lines[-1] and not line.startswith(" ") and not lines[-1].startswith(" "):
            lines[-1] += " " + line
        else:
            lines.append(line)
    wrapped = []
    for line in lines:
        start = re.match(r" *(\S+ {2,})?", line).end() if line.startswith(" ") else 0
        wrapped += textwrap.wrap(line, columns, subsequent_indent=" " * start, break_on_hyphens=False,
                                 break_long_words=False) or [""]
    return "\n".join(wrapped)


def _ordered(options_class: type) -> list[dataclasses.Field]:
    """Those of `EXPLAINED`, in its order; then required fields, own fields, and those of the base classes."""
    order, chosen = list(options_class.__mro__), options_class.EXPLAINED
    return sorted(dataclasses.fields(options_class), key=lambda field: (
        chosen.index(field.name) if field.name in chosen else len(chosen), not is_required(field),
        _owner(options_class, field.name) is Options, order.index(_owner(options_class, field.name))))


def _owner(options_class: type, name: str) -> type:
    """The most derived class that defines a field."""
    return next(one for one in options_class.__mro__ if name in inspect.get_annotations(one))


def _heading(options_class: type, field: dataclasses.Field, by_class: bool) -> str:
    owner = _owner(options_class, field.name)
    if owner is options_class or is_required(field) or (field.name in options_class.EXPLAINED and not by_class):
        return OWN
    return owner.__dict__.get("HEADING", "more")


def _text(options_class: type, field: dataclasses.Field, hints: dict) -> str:
    text = explanation(field, hints[field.name])
    if field.name == next((name for name in MODEL_FIELDS if name in hints), None) and field.name != "tokenizer":
        text += "; also as --model" if not field.metadata.get("positional") else "; or --model MODEL"
    return text


def _epilog(options_class: type, named: dict[str, list[str]]) -> str:
    lines = ["more flags, explained by --help-all:"] if named else []
    for title, flags in named.items():
        shown = flags if len(flags) <= MOST_NAMES else [*flags[:4], f"... ({len(flags)} flags)"]
        text = " ".join([*([] if title == OWN else [f"{title}:"]), *shown])
        lines += textwrap.wrap(text, width(), initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False)
    if options_class.EXAMPLES:
        lines += ["", "examples:"] if lines else ["examples:"]
        lines += [f"  {example}" for example in options_class.EXAMPLES]
    return "\n".join(lines)

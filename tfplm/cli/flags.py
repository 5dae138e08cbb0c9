"""Flags from dataclasses: `max_length: int = flag(128, "...")` becomes `--max-length N`."""

import argparse
import dataclasses
import typing
from collections.abc import Callable

from tfplm.core.suggest import did_you_mean
from tfplm.options.flags import argument, without_none

SHORT = {"output": "-o", "output_dir": "-o"}  # of all verbs
LONGEST_INLINE = 34  # letters of `{a,b,c}` after a flag; longer lists of choices are in its explanation
_METAVARS = {"source": "MODEL", "init": "MODEL", "model": "MODEL", "output": "PATH", "texts": "TEXT", "prompts": "TEXT",
             "tasks": "NAME=TASK:DATA"}
_ENDINGS = {"file": "FILE", "files": "FILE", "dir": "DIR", "folder": "DIR", "column": "COLUMN", "steps": "N"}


def flag_of(name: str) -> str:
    """The flag of a field: `max_length` -> `--max-length`."""
    return "--" + name.replace("_", "-")


def opposite(flag: str) -> str:
    """The flag that switches another one off: `--quiet` -> `--no-quiet`, `--no-special-token` -> `--special-token`."""
    return f"--{flag[5:]}" if flag.startswith("--no-") else f"--no-{flag[2:]}"


def is_required(field: dataclasses.Field) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def hints_of(options_class: type) -> dict[str, typing.Any]:
    return typing.get_type_hints(options_class)


def is_switch(hint) -> bool:
    return without_none(hint) is bool


def choices_of(hint) -> tuple:
    """The choices of a Literal; empty for other types."""
    hint = without_none(hint)
    return typing.get_args(hint) if typing.get_origin(hint) is typing.Literal else ()


def takes_several(hint) -> bool:
    return typing.get_origin(without_none(hint)) in (list, tuple)


def metavar_of(field: dataclasses.Field, hint) -> str:
    """The name of a value: MODEL, N, {a,b}."""
    hint = without_none(hint)
    if choices := choices_of(hint):
        inline = "{" + ",".join(map(str, choices)) + "}"
        return inline if len(inline) <= LONGEST_INLINE else field.name.rpartition("_")[2].upper()
    inner = typing.get_args(hint)[0] if takes_several(hint) else hint
    if inner in (int, float):
        return "N" if inner is int else "X"
    return _METAVARS.get(field.name) or _ENDINGS.get(field.name.rpartition("_")[2]) or field.name.rpartition("_")[2].upper()


def explanation(field: dataclasses.Field, hint) -> str:
    """The help of a flag, with its choices and its default."""
    text = field.metadata.get("help", "")
    choices = choices_of(hint)
    if choices and metavar_of(field, hint)[0] != "{" and any(str(choice) not in text for choice in choices):
        text += f"; one of {', '.join(map(str, choices))}"
    if not is_required(field) and not is_switch(hint) and field.default not in (None, dataclasses.MISSING, ""):
        text += f" (default: {field.default})"
    return text


def add_flag(container, field: dataclasses.Field, hint, text: str | None = None, check: bool = False) -> None:
    """Adds the flag of a field, never required and without a default.

    text: its help (default: `explanation`). check: reject wrong values with the nearest right one, instead of by
    argparse.
    """
    flag = flag_of(field.name)
    text = (explanation(field, hint) if text is None else text)
    text = text if text == argparse.SUPPRESS else text.replace("%", "%%")
    common = {"dest": field.name, "default": argparse.SUPPRESS, "required": False}
    if is_switch(hint):
        _add_switch(container, flag, field.default, text, common)
        return
    short = field.metadata.get("short") or SHORT.get(field.name)
    keywords = {**argument(hint), "metavar": metavar_of(field, hint), **common}
    if check:
        choices, kind = keywords.pop("choices", None), keywords["type"]
        keywords["type"] = converter(choices, kind)
    action = container.add_argument(*([short] if short else []), flag, help=text, **keywords)
    if field.name == "preset":
        action.completer = _presets  # read by argcomplete


def _presets(**_) -> list[str]:
    from tfplm.families import registry

    return registry.presets()


def _add_switch(container, flag: str, default, text: str, common: dict) -> None:
    """The flag that changes the default is shown, the opposite one is accepted."""
    if default is None:
        container.add_argument(flag, action=argparse.BooleanOptionalAction, help=text, **common)
        return
    change, keep = (opposite(flag), flag) if default is True else (flag, opposite(flag))
    for name, help_text in ((change, text), (keep, argparse.SUPPRESS)):
        container.add_argument(name, action="store_true" if name == flag else "store_false", help=help_text, **common)


def add_positional(container, field: dataclasses.Field, hint, text: str | None = None) -> None:
    """Adds a field as a positional argument."""
    keywords = {**argument(hint), "metavar": metavar_of(field, hint)}
    if not is_required(field):
        keywords.setdefault("nargs", "?")
    text = explanation(field, hint) if text is None else text
    container.add_argument(field.name, help=text.replace("%", "%%"), default=argparse.SUPPRESS, **keywords)


def add_flags(parser: argparse.ArgumentParser, options_class: type) -> None:
    """Adds a flag, or a positional argument, for each field of a dataclass."""
    hints = hints_of(options_class)
    for field in dataclasses.fields(options_class):
        add = add_positional if field.metadata.get("positional") else add_flag
        add(parser, field, hints[field.name])


def converter(choices: tuple | None, kind: type) -> Callable:
    """A function that converts a word to a value, for `type` of `add_argument`."""

    def convert(word: str):
        try:
            value = kind(word)
        except ValueError:
            expected = "a whole number" if kind is int else "a number"
            raise argparse.ArgumentTypeError(f"'{word}' is not {expected}") from None
        if choices and value not in choices:
            raise argparse.ArgumentTypeError(wrong_choice(word, choices))
        return value

    return convert


def wrong_choice(word, choices: tuple) -> str:
    names = list(map(str, choices))
    return f"'{word}' is not one of {', '.join(names)}{did_you_mean(str(word), names)}"

"""From the words of a command line to the options of a verb."""

import argparse
import dataclasses
import json
import re
import sys
from typing import NoReturn

from tfplm.cli.flags import (
    add_flag,
    choices_of,
    converter,
    flag_of,
    hints_of,
    is_required,
    metavar_of,
    takes_several,
    wrong_choice,
)
from tfplm.cli.help import MOST_LINES, Formatter, explained, fill, reflowed, usage_of, width
from tfplm.cli.spelling import aliases, is_flag, known_flags, rewritten
from tfplm.cli.verbs import VERBS, resolve
from tfplm.core.suggest import did_you_mean
from tfplm.options.flags import without_none

DROPPED = {"-O": "--objective", "-l": "--loss", "-t": "--task"}  # one-letter flags of earlier versions


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, and the command for help."""

    def error(self, message: str) -> NoReturn:
        print(f"{self.prog}: {re.sub('^argument ', '', message)}\n{self.prog} --help", file=sys.stderr)
        raise SystemExit(2)


def build_parser(verb: str, everything: bool = False) -> tuple[argparse.ArgumentParser, type]:
    """(the parser of a verb with its help, its options). everything: with the help of `--help-all`."""
    target, summary = VERBS[verb]
    options_class = resolve(target)
    names = None if everything else explained(options_class)
    while True:
        text = (options_class.__doc__ or summary) + (options_class.DETAILS if everything else "")
        parser = Parser(prog=f"tfplm {verb}", usage=usage_of(verb, options_class).replace("%", "%%"), add_help=False,
                        description=reflowed(text, width()), formatter_class=Formatter)
        fill(parser, options_class, names)
        if not names or parser.format_help().count("\n") <= MOST_LINES:
            return parser, options_class
        names.pop()


def parse(verb: str, arguments: list[str]):
    """Parses a command line to (options, debug); exits with status 2 if it is invalid, with 0 after `--help`."""
    options_class = resolve(VERBS[verb][0])
    parser = _flags_parser(verb, options_class)
    end = arguments.index("--") if "--" in arguments else len(arguments)
    words = rewritten(arguments[:end], options_class)
    if asked := {"-h", "--help", "--help-all"} & set(words):
        print(build_parser(verb, "--help-all" in asked)[0].format_help(), end="")
        raise SystemExit(0)
    namespace, others = parser.parse_known_args(words)
    given = vars(namespace)
    for word in filter(is_flag, others):
        flag = word.partition("=")[0]
        parser.error(f"there is no flag {flag}{_suggestion(flag, options_class)}")
    config, debug = given.pop("config"), given.pop("debug")
    try:
        values = _read_config(config, options_class) if config else {}
        words = [*others, *arguments[end + 1:]]
        options = options_class(**{**values, **given, **_positional(words, options_class, given, values)})
    except (OSError, ValueError, argparse.ArgumentTypeError) as error:  # also contradictory options
        parser.error(str(error))
    return options, debug


def _flags_parser(verb: str, options_class: type) -> Parser:
    """A parser of flags alone, in which positional arguments are flags as well."""
    parser, hints = Parser(prog=f"tfplm {verb}", add_help=False), hints_of(options_class)
    for field in dataclasses.fields(options_class):
        add_flag(parser, field, hints[field.name], check=True)
    parser.add_argument("--config")
    parser.add_argument("--debug", action="store_true")
    return parser


def _suggestion(flag: str, options_class: type) -> str:
    known = known_flags(options_class)
    if DROPPED.get(flag) in known:
        return f"; did you mean '{DROPPED[flag]}'?"
    return did_you_mean(f"--{flag.lstrip('-')}", known)


def _positional(words: list[str], options_class: type, given: dict, values: dict) -> dict:
    """The words without a flag, by field.

    Raises ArgumentTypeError for too many words, a wrong word, and a required field without a value.
    """
    hints, found, words = hints_of(options_class), {}, list(words)
    for field in dataclasses.fields(options_class):
        if not field.metadata.get("positional") or field.name in given or not words:
            continue
        hint = without_none(hints[field.name])
        convert = converter(choices_of(hint), str)
        if takes_several(hint):
            found[field.name], words = [convert(word) for word in words], []
        else:
            found[field.name] = convert(words.pop(0))
    if words:
        raise argparse.ArgumentTypeError(f"'{words[0]}' is one argument too many; expected "
                                         f"{usage_of('', options_class).split(maxsplit=1)[1]}")
    missing = [field for field in dataclasses.fields(options_class)
               if is_required(field) and field.name not in {**values, **given, **found}]
    if missing:
        names = [metavar_of(field, hints[field.name]) if field.metadata.get("positional") else flag_of(field.name)
                 for field in missing]
        raise argparse.ArgumentTypeError(f"missing: {', '.join(names)} ({missing[0].metadata['help']})")
    return found


def _read_config(path: str, options_class: type) -> dict:
    """The options of a JSON file, in any spelling of their names."""
    try:
        with open(path, encoding="utf-8") as file:
            values = json.load(file)
    except FileNotFoundError:
        raise ValueError(f"--config {path}: there is no such file") from None
    except ValueError as error:
        raise ValueError(f"{path} is not JSON in UTF-8 ({error}); expected an object of options") from None
    if not isinstance(values, dict):
        raise ValueError(f"{path} contains a {type(values).__name__}; expected an object of options")
    names, hints = aliases(options_class), hints_of(options_class)
    unknown = [name for name in values if name.replace("_", "-") not in names]
    if unknown:
        near = did_you_mean(unknown[0].replace("_", "-"), names).replace("-", "_")
        raise ValueError(f"{path}: unknown option(s) {', '.join(unknown)}{near}")
    values = {names[name.replace("_", "-")]: value for name, value in values.items()}
    for name, value in values.items():
        if (choices := choices_of(hints[name])) and isinstance(value, str) and value not in choices:
            raise ValueError(f"{path}: {name}: {wrong_choice(value, choices)}")
    return values

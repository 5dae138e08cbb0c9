"""Completion of commands in a shell, by argcomplete."""

import argparse
import os
import shlex

from tfplm.cli.flags import add_flags
from tfplm.cli.verbs import VERBS, resolve
from tfplm.options.base import verb
from tfplm.options.completion import CompletionOptions


@verb(CompletionOptions)
def completion(options: CompletionOptions) -> str:
    """Prints and returns the shell code that registers the completion of `tfplm`.

    Raises ImportError if argcomplete is not installed.
    """
    try:
        from argcomplete.shell_integration import shellcode
    except ImportError:
        raise ImportError("completion in a shell needs argcomplete: in the clone of tfplm, "
                          "pip install -e '.[completion]'") from None
    code = shellcode(["tfplm"], shell=options.shell)
    print(code)
    return code


def complete() -> None:
    """Answers the shell, which has called `tfplm` for the completions of COMP_LINE, and ends the process."""
    import argcomplete

    try:
        words = shlex.split(os.environ.get("COMP_LINE", ""))
    except ValueError:  # an open quotation mark
        words = os.environ["COMP_LINE"].split()
    argcomplete.autocomplete(completion_parser(words), always_complete_options=False)


def completion_parser(words: list[str]) -> argparse.ArgumentParser:
    """A parser of all verbs, with the flags of the verb that is the second word; no other options are imported."""
    parser = argparse.ArgumentParser(prog="tfplm")
    parser.add_argument("--version", action="store_true", help="print the version")
    verbs = parser.add_subparsers()
    for name, (target, summary) in VERBS.items():
        one = verbs.add_parser(name, help=summary)
        if words[1:2] == [name]:
            add_flags(one, resolve(target))
            one.add_argument("--config", help="JSON file of options")
            one.add_argument("--debug", action="store_true", help="show the traceback of an error")
            one.add_argument("--help-all", action="store_true", help="explain all flags")
    return parser

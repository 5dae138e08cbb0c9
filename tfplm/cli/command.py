"""The entry point: finds the verb, parses its options, calls its function, and reports what went wrong in one line."""

import contextlib
import os
import select
import sys

from tfplm.cli.parser import parse
from tfplm.cli.verbs import VERBS, resolve, usage
from tfplm.core.suggest import did_you_mean
from tfplm.core.terminal.import_noise import hold_import_noise
from tfplm.core.terminal.messages import complain, one_line


def main(arguments: list[str] | None = None) -> int:
    """The entry point. Exit status: 0, 1 (failed), 2 (usage), 130 (interrupted)."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if "_ARGCOMPLETE" in os.environ:
        from tfplm.cli.completion import complete

        complete()
    stop, status, failure = None, 0, None
    try:
        status = _main(list(arguments))
    except SystemExit as error:  # of argparse
        stop, status = error, error.code
    except KeyboardInterrupt as error:  # at any moment; the message says what was saved
        complain("\ntfplm: interrupted" + (f": {error}" if str(error) else ""))
        status = 130
    except OSError as error:  # of standard output, as those of verbs are reported, or raised with --debug
        if "--debug" in arguments:
            raise
        failure = error
    failure = _finish_output() or failure
    if failure is None:
        if stop is not None:
            raise stop
        return status
    if isinstance(failure, BrokenPipeError):  # the reader of the output has gone, as in `tfplm presets | head -1`
        return status
    complain(f"tfplm: {one_line(failure)}")
    return status or 1


def _main(arguments: list[str]) -> int:
    if arguments[:1] == ["help"]:
        arguments = [*arguments[1:2], "--help"]
    if not arguments or arguments[0] in ("-h", "--help", "--help-all"):
        print(usage())
        return 0 if arguments else 2
    if arguments[0] in ("-V", "--version"):
        from tfplm import __version__

        print(__version__)
        return 0
    verb = arguments[0] if arguments[0] in VERBS else arguments[0].replace("_", "-")
    if verb not in VERBS:
        kind, known = ("flag", ("--help", "--version")) if verb.startswith("-") else ("verb", VERBS)
        complain(f"tfplm: there is no {kind} '{arguments[0]}'{did_you_mean(verb, known)}\ntfplm --help")
        return 2
    options, debug = parse(verb, arguments[1:])
    if not debug:
        hold_import_noise()
    return _run(verb, options, debug)


def _run(verb: str, options, debug: bool) -> int:
    try:
        resolve(options.RUN)(options)
        return 0
    except (SystemExit, GeneratorExit, KeyboardInterrupt):
        raise
    except BaseException as error:  # panics of libraries in Rust are no `Exception`
        if isinstance(error, BrokenPipeError) and _output_is_gone():
            return 0
        if debug:
            raise
        complain(f"tfplm {verb}: {one_line(error)}")
        return 1


def _finish_output() -> OSError | None:
    """Writes what is left in the buffer of standard output, and returns the error if that is not possible."""
    try:
        if sys.stdout is not None and not sys.stdout.closed:
            sys.stdout.flush()
        return None
    except OSError as error:
        with contextlib.suppress(OSError, ValueError):  # no second error when the interpreter ends
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return error


def _output_is_gone() -> bool:
    """Returns True if nobody reads standard output, rather than another pipe of the verb."""
    if not hasattr(select, "poll"):  # Windows
        return True
    poll = select.poll()
    try:
        poll.register(sys.stdout.fileno(), 0)
    except (OSError, ValueError):  # no file
        return False
    return any(events & select.POLLERR for _, events in poll.poll(0))

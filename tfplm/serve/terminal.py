"""Messages of a server to its terminal, which may go away before the server does."""

import contextlib
import logging
import os
import sys


def hold_streams() -> None:
    """Opens the standard streams that are closed, so that no connection gets their numbers, and libraries that print there
    do not write into it."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            with contextlib.suppress(OSError):
                os.open(os.devnull, os.O_RDWR)  # the lowest number that is free


def say(text: str) -> None:
    """Prints a line to standard error. A reader that has gone, or a full disk, is no reason to stop: later lines are then
    lost without a word."""
    if sys.stderr is None:
        return
    try:
        print(text, file=sys.stderr, flush=True)
    except (OSError, ValueError):  # ValueError: it is closed
        give_up_stderr()


def give_up_stderr() -> None:
    """Sends what is written to standard error nowhere: also what is in its buffer, whose loss would otherwise become the
    exit status of the program."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stderr.fileno())
        os.close(nowhere)
        sys.stderr.flush()


class TerminalHandler(logging.StreamHandler):
    """A handler whose terminal may go away."""

    def emit(self, record: logging.LogRecord) -> None:
        with contextlib.suppress(Exception):
            say(self.format(record))


def log_to_terminal(verbose: bool) -> None:
    """Shows the server's log, unless the program has a log of its own."""
    log = logging.getLogger("tfplm.serve")
    if not log.handlers and not logging.getLogger().handlers:
        handler = TerminalHandler()
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        log.addHandler(handler)
    log.setLevel(logging.INFO if verbose else logging.WARNING)

"""Messages on standard error."""

import contextlib
import re
import sys


def one_line(error: BaseException) -> str:
    """The message of an exception in one line; its class only where the message alone says nothing.

    The class at the start of a message that a worker process has sent is dropped as well.
    """
    text = re.sub(r"\A(?:[A-Z]\w*(?:Error|Exception): )+", "", str(error))
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        return type(error).__name__
    if isinstance(error, KeyError):  # its message is the key alone
        return f"there is no {lines[0]}"
    return "".join(line + (" " if line[-1] in ":;,.-(" else "; ") for line in lines[:-1]) + lines[-1]


def complain(text: str) -> None:
    """Prints to standard error, if there is one."""
    if sys.stderr is None:  # print(file=None) prints to standard output
        return
    with contextlib.suppress(OSError, ValueError):
        print(text, file=sys.stderr, flush=True)

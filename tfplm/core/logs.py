"""Printing of the package's log: every message once, as its text alone, on the error output.

Without a handler of its own, a message is printed as `text` by Python, and as `WARNING:tfplm:text` as soon as any library
has called `logging.basicConfig`. Handlers that a program configures (files, its own format) get the messages as usual.
"""

import contextlib
import logging
import sys

NAME = "tfplm"


class OnceHandler(logging.Handler):
    """Prints a record, unless a handler of the program does, and passes it to the other handlers of the root logger."""

    def emit(self, record: logging.LogRecord) -> None:
        own = logging.getLogger(NAME).handlers  # pytest adds its handlers to both loggers
        handlers = [handler for handler in logging.getLogger().handlers
                    if record.levelno >= handler.level and handler not in own]
        unformatted = [handler for handler in handlers if _prints(handler) and _unformatted(handler)]
        if not _printed(record.name) and not any(map(_prints, set(handlers) - set(unformatted))) and sys.stderr:
            with contextlib.suppress(OSError, ValueError):  # the terminal may be gone
                print(self.format(record), file=sys.stderr)
        for handler in handlers:
            if handler not in unformatted:
                handler.handle(record)


def install() -> None:
    """Adds the handler to the logger of the package, once."""
    logger = logging.getLogger(NAME)
    if not any(isinstance(handler, OnceHandler) for handler in logger.handlers):
        logger.addHandler(OnceHandler())
        logger.propagate = False


def _prints(handler: logging.Handler) -> bool:
    terminals = (sys.stderr, sys.stdout, sys.__stderr__, sys.__stdout__)
    return isinstance(handler, logging.StreamHandler) and any(handler.stream is one for one in terminals if one)


def _unformatted(handler: logging.Handler) -> bool:
    """Returns True for the handler of `basicConfig` without arguments, as libraries call it."""
    return handler.formatter is None or getattr(handler.formatter, "_fmt", None) == logging.BASIC_FORMAT


def _printed(name: str) -> bool:
    """Returns True if a logger between this one and that of the package has a handler."""
    while name != NAME:
        if logging.getLogger(name).handlers:
            return True
        name = name.rpartition(".")[0]
    return False

"""Example texts for single-text programs, and functions that wait until these are compiled."""

import threading

import numpy as np

from tests.embed.encoder import encoder_cases

TEXTS = [encoder_cases.TEXTS[index] for index in (0, 2, 6, 9)]  # few widths: XLA compiles a program for each


def finish_compiling():
    for thread in threading.enumerate():
        if getattr(thread, "_target", None) and thread._target.__name__ in ("_compile", "_convert"):
            thread.join()


def one_by_one(made, texts=TEXTS):
    return np.stack([made.encode(text) for text in texts])


def compiled(made):
    """The widths that are compiled after each text was encoded once."""
    for text in TEXTS:
        made.encode(text)
    finish_compiling()
    current = made._function.single_texts._current
    return current and current.ready

"""Models without memory: variables that have shapes and no values."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import keras


def without_memory(make: Callable[[], keras.Model]) -> keras.Model:
    """`make()`, whose variables are never allocated: for counting and for comparing names and shapes.

    Keras keeps a list of variables that have no values yet and fills them all at its next symbolic call, which for
    T5-11B takes 45 GB. The list belongs to a thread: it is left behind with a thread of its own.
    """
    def run():
        with keras.StatelessScope(initialize_variables=False):
            return make()

    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(run).result()

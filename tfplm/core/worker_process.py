"""Start-up of spawned worker processes."""

import multiprocessing
import multiprocessing.connection
import os
import threading


def end_with_parent() -> None:
    """Makes this process exit when its parent does: a killed parent cannot stop its workers."""
    threading.Thread(target=_wait, daemon=True).start()


def _wait() -> None:
    if (parent := multiprocessing.parent_process()) is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)

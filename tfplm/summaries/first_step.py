"""A line on standard error while the first step of a training compiles."""

import sys
import threading

PATIENCE = 5.0  # seconds


class FirstStep:
    """`start()` before the first step and `stop()` after it: says what takes long, if it takes more than 5 seconds."""

    def __init__(self):
        self._timer: threading.Timer | None = None

    def start(self) -> None:
        self.stop()
        self._timer = threading.Timer(PATIENCE, self._say)
        self._timer.daemon = True
        self._timer.start()

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None

    def _say(self) -> None:
        print("compiling the training step, once; the next steps are faster", file=sys.stderr, flush=True)

"""Deferred handling of Ctrl-C and SIGTERM."""

import signal
import sys
import threading

from tfplm.core.keras_internals import fit_frame


class Signals:
    """From `install` to `remove`, the first SIGINT or SIGTERM is stored in `received`; the second acts immediately."""

    def __init__(self):
        self.received, self._before = None, {}

    def install(self) -> None:
        self.received = None
        if threading.current_thread() is threading.main_thread():  # Python delivers signals only there
            for number in (signal.SIGINT, signal.SIGTERM):
                before = signal.signal(number, self._note)
                while isinstance(other := getattr(before, "__self__", None), Signals):  # of a training that failed
                    before = other._before.get(number, signal.SIG_DFL)
                self._before[number] = before

    def remove(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}

    def _note(self, number, frame):
        self.remove()
        if fit_frame(frame) is None:  # the training has ended with an error, and the handlers were not removed
            signal.raise_signal(number)
            return
        self.received = number
        print(f"\n{signal.Signals(number).name}: saving after this step; repeat to stop immediately", file=sys.stderr)

    def obey(self, step: int) -> None:
        """Ends the program as the signal would have done: KeyboardInterrupt, or exit status 143; says at which step."""
        number, self.received = self.received, None
        print(f"interrupted at step {step:,}; the same command resumes", file=sys.stderr)
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        sys.exit(128 + number)

"""Ctrl-C and SIGTERM, noted instead of obeyed at once."""

import signal
import sys
import threading

from tfplm.core.keras_internals import fit_frame


class Signals:
    """From `install` to `remove` the first SIGINT or SIGTERM is kept in `received`; the second one acts at once."""

    def __init__(self):
        self.received, self._before = None, {}

    def install(self) -> None:
        self.received = None
        if threading.current_thread() is threading.main_thread():  # Python delivers signals there only
            for number in (signal.SIGINT, signal.SIGTERM):
                before = signal.signal(number, self._note)
                while isinstance(left := getattr(before, "__self__", None), Signals):  # by a training that failed
                    before = left._before.get(number, signal.SIG_DFL)
                self._before[number] = before

    def remove(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}

    def _note(self, number, frame):
        self.remove()
        if fit_frame(frame) is None:  # an error has ended the training, and nobody has removed us
            signal.raise_signal(number)
            return
        self.received = number
        print(f"\n{signal.Signals(number).name}: saving after this step; once more stops at once", file=sys.stderr)

    def obey(self) -> None:
        """Ends the program as the signal would have: KeyboardInterrupt, or exit status 143."""
        number, self.received = self.received, None
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        sys.exit(128 + number)

"""Signals that ask a run to end: noted when they come, obeyed at the end of a step."""

import os
import signal
import threading
from types import FrameType

ASKING = (signal.SIGTERM, signal.SIGUSR1)


class Signals:
    """Notes SIGTERM and SIGUSR1 while its block runs. A second signal ends the process at once.

    A batch system warns each rank, or only some, before it takes a machine away; the loop asks `asked` on every rank
    and lets all decide together, so that all save the same step.
    """

    def __init__(self) -> None:
        self.asked = False

    def __enter__(self) -> "Signals":
        # Only the main thread may set handlers; elsewhere, such as in a notebook's worker, signals end the process.
        here = ASKING if threading.current_thread() is threading.main_thread() else ()
        self._before = {number: signal.signal(number, self._note) for number in here}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, _: FrameType | None) -> None:
        if self.asked:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        self.asked = True

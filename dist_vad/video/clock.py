"""When a frame was taken, by the clock of this machine."""

import math

BUCKET = 5.0
"""Seconds over which the least delay of a frame is looked for."""
DRIFT = 0.05
"""Seconds by which the least delays of two such times may differ where the stream's own clock goes right: 1 %."""
JUMP = 5.0
"""A delay that differs by more seconds than this from the least one means that one of the two clocks was set."""


class WallClock:
    """The wall-clock times of the frames of one connection, from their presentation times and their arrivals.

    A frame that the network held back arrives late, but its presentation time is right; so a frame was taken at its
    presentation time plus the least delay of all frames of late. Streams that lie about their rate, or whose clock
    drifts, show a least delay that runs away: for those, and until it is known, the arrival counts.
    """

    def __init__(self) -> None:
        self._end = -math.inf
        self._least, self._before = math.inf, math.nan
        self.trusted = False
        """Whether presentation times are taken for true."""

    def taken(self, seconds: float | None, arrived: float) -> float:
        """Seconds since 1970.

        Args:
            seconds: the presentation time; None where the stream has none.
            arrived: when the frame came, seconds since 1970.
        """
        if seconds is None or not math.isfinite(seconds):
            return arrived
        delay = arrived - seconds
        if self._end == -math.inf:
            self._end = arrived + BUCKET
        elif arrived >= self._end:
            self.trusted = abs(self._least - self._before) < DRIFT
            self._before, self._least, self._end = self._least, math.inf, arrived + BUCKET
        self._least = min(self._least, delay)
        known = [value for value in (self._least, self._before) if math.isfinite(value)]
        if delay - min(known) > JUMP:
            self.__init__()
            return arrived
        return min(arrived, seconds + min(known)) if self.trusted else arrived

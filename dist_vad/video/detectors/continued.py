"""Two thresholds of confidence, as an edge detector has: one for an object to appear, a lower one for it to stay."""

import numpy as np

from dist_vad.base.boxes import matches
from dist_vad.video.detectors.base import Boxes

MOST_FRAMES = 50
"""How many frames an object may go without a box before one has to be confident again: two seconds at 25 a second."""


class ContinuedObjects:
    """The confident boxes of one video's frames, and the unsure ones that go on where an object was a moment ago.

    A detector is less sure of people who fall, lie or stand half behind something, and it is just those whom an anomaly
    is about. A lower threshold for all boxes would bring in everything that it is unsure of. So an unsure box is taken
    only where it overlaps (LEAST_OVERLAP) the last box of an object that was found with confidence before, and that no
    confident box of this frame goes on. This is the second association of ByteTrack (Zhang et al., ECCV 2022).
    Nothing of later frames is looked at.
    """

    def __init__(self, confidence: float) -> None:
        """`confidence`: from which a box stands on its own."""
        self._confidence = confidence
        self._last = np.zeros((0, 4), np.float32)  # the last box of each object, x1, y1, x2, y2
        self._seen = np.zeros(0, np.int64)  # the frame of it

    def __call__(self, number: int, boxes: Boxes) -> np.ndarray:
        """Which boxes of frame `number` are taken: bool [n]. Frames must come in their order."""
        recent = number - self._seen <= MOST_FRAMES
        self._last, self._seen = self._last[recent], self._seen[recent]
        taken = boxes.values[:, 4] >= self._confidence
        sure, unsure = np.flatnonzero(taken), np.flatnonzero(~taken)
        gone_on = np.zeros(len(self._last), bool)
        gone_on[list(matches(boxes.values[sure, :4], self._last).values())] = True
        waiting = np.flatnonzero(~gone_on)
        for row, object in matches(boxes.values[unsure, :4], self._last[waiting]).items():
            taken[unsure[row]] = True
            gone_on[waiting[object]] = True
        self._last = np.concatenate([self._last[~gone_on], boxes.values[taken, :4]])
        self._seen = np.concatenate([self._seen[~gone_on], np.full(int(taken.sum()), number)])
        return taken

"""Features of boxes as frames come: the speed of an object from where it was and, a few frames later, went."""

from collections import deque

import numpy as np

from dist_vad.scoring.geometry import box_features, known_speeds
from dist_vad.video.detectors.base import Boxes

RECENT = 1000
"""Of so many speeds the median is taken for what is not seen again."""


class FollowedBoxes:
    """The boxes of the last sampled frames of one stream, and their features (dist_vad/scoring/geometry.py).

    A box is followed as in a whole video, but no farther ahead than there are boxes: those of frames up to
    `reach` after it. So its features are those of the whole video where a sampled frame comes at least every `reach`
    frames; with a larger stride it is followed back alone. What is not seen again has the median of the last RECENT
    speeds; 0 before there is any.

    Args:
        stride: from one sampled frame to the next.
        reach: (clip_length - 1) / 2, as far as a cube reaches to each side.
    """

    def __init__(self, stride: int, reach: int) -> None:
        self._stride, self._reach = stride, reach
        self._boxes: dict[int, Boxes] = {}
        self._speeds: deque[float] = deque(maxlen=RECENT)

    def __contains__(self, number: int) -> bool:
        """Whether the boxes of a frame are known."""
        return number in self._boxes

    def __getitem__(self, number: int) -> Boxes:
        """The boxes of a frame."""
        return self._boxes[number]

    def add(self, number: int, boxes: Boxes) -> None:
        """The boxes of the next sampled frame; those of frames that are no longer needed are dropped."""
        oldest = number - 2 * max(self._stride, self._reach)
        self._boxes = {own: kept for own, kept in self._boxes.items() if own >= oldest}
        self._boxes[number] = boxes

    def clear(self) -> None:
        """Frames were lost: nothing is followed over the gap."""
        self._boxes.clear()

    def features(self, number: int) -> np.ndarray:
        """Features of the boxes of a frame, float64 [n, 5]."""
        frames = np.concatenate([np.full(len(boxes.values), own) for own, boxes in self._boxes.items()])
        boxes = np.concatenate([boxes.values[:, :4] for boxes in self._boxes.values()]).astype(np.float64)
        own = frames == number
        speed = known_speeds(frames, boxes, self._stride, self._reach)[own]
        self._speeds.extend(speed[np.isfinite(speed)].tolist())
        usual = float(np.median(self._speeds)) if self._speeds else 0.0
        return box_features(boxes[own], np.where(np.isnan(speed), usual, speed))

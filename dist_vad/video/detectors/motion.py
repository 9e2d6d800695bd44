"""`motion`: objects without any learned weights: connected regions that differ from the video's background."""

import cv2
import numpy as np

from dist_vad.settings.detector import DetectorSettings
from dist_vad.video.detectors.base import Boxes, sorted_boxes


class MotionDetector:
    """Regions of one video that differ from its background, for a static camera.

    A pixel moves if any channel differs by more than `settings.threshold` once sensor noise is blurred away. A closing
    joins the parts of one body; it reaches further down than sideways: people are upright and walk side by side.
    """

    def __init__(self, settings: DetectorSettings, background: np.ndarray) -> None:
        """`background`: RGB, uint8 [H, W, 3], the size of the frames to come."""
        self.settings = settings
        self.background = _smooth(background)
        # A closing must bridge the gaps within a body, whose size in pixels grows with the resolution.
        height = background.shape[0]
        self.bridge = cv2.getStructuringElement(
            cv2.MORPH_ELLIPSE, (max(3, _odd(height / 36)), max(3, _odd(height / 20)))
        )
        self.grain = np.ones((_odd(height / 192), _odd(height / 192)), np.uint8)

    def __call__(self, numbers: list[int], frames: list[np.ndarray]) -> list[Boxes]:
        """Boxes of frames, uint8 [H, W, 3]; the confidence is the share of moving pixels in the box."""
        return [self._boxes(frame) for frame in frames]

    def _boxes(self, frame: np.ndarray) -> Boxes:
        moving = self.moving(frame)
        # Opened first, or a line in the wind (a cable, a tape) would tie far objects together; nothing on small frames.
        closed = cv2.morphologyEx(cv2.morphologyEx(moving, cv2.MORPH_OPEN, self.grain), cv2.MORPH_CLOSE, self.bridge)
        count, _, stats, _ = cv2.connectedComponentsWithStats(closed, connectivity=8)
        boxes = []
        for x, y, width, height in stats[1:count, :4].tolist():  # component 0 is what stands still
            confidence = float(moving[y : y + height, x : x + width].mean())
            boxes.append([x, y, x + width, y + height, confidence])
        return sorted_boxes(boxes, ["moving"] * len(boxes))

    def moving(self, frame: np.ndarray) -> np.ndarray:
        """Which pixels of an RGB frame, uint8 [H, W, 3], differ from the background: 0 or 1, uint8 [H, W]."""
        if frame.shape != self.background.shape:
            raise ValueError(f"frame of shape {frame.shape}, but the background has shape {self.background.shape}")
        red, green, blue = cv2.split(cv2.absdiff(_smooth(frame), self.background))
        difference = cv2.max(cv2.max(red, green), blue)  # NumPy's over an axis of three takes ten times as long
        return (difference > self.settings.threshold).astype(np.uint8)


def _smooth(image: np.ndarray) -> np.ndarray:
    """Averages out the noise of single pixels, and nothing larger."""
    return cv2.GaussianBlur(image, (3, 3), 0)


def _odd(size: float) -> int:
    """The odd whole number nearest to `size`, at least 1: a structuring element needs a middle."""
    return max(1, 2 * round((size - 1) / 2) + 1)

"""What a detector gives to the producer: the objects of each frame of one video."""

from typing import Protocol

import numpy as np


class Detector(Protocol):
    """Finds the objects of one video's frames; made anew for each video."""

    category: str
    """What the boxes hold, as far as the detector knows."""

    def __call__(self, number: int, frame: np.ndarray) -> np.ndarray:
        """The objects of frame `number` (0-based), given as RGB, uint8 [H, W, 3].

        Returns float32 [n, 5]: x1, y1, x2, y2 in pixels of the frame (x2, y2 one past the last pixel) and the
        confidence in [0, 1], in an order that depends on the boxes alone.
        """
        ...


def sorted_boxes(boxes: list[list[float]]) -> np.ndarray:
    """Rows of x1, y1, x2, y2, confidence as float32 [n, 5], ordered by left edge, top edge and so on."""
    return np.array(sorted(boxes), np.float32).reshape(-1, 5)

"""What a detector gives to the producer: the objects of each frame of one video."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from dist_vad.base.errors import InputError


@dataclass(frozen=True, eq=False)
class Boxes:
    """The objects of one frame, in an order that depends on the boxes alone."""

    values: np.ndarray
    """float32 [n, 5]: x1, y1, x2, y2 in pixels of the frame (x2, y2 one past the last pixel), confidence in [0, 1]."""
    categories: list[str]
    """What each of the n boxes holds, as far as the detector knows: `person`, `moving`, `object`, ..."""

    def __len__(self) -> int:
        return len(self.values)

    def taken(self, rows: np.ndarray) -> "Boxes":
        """Those boxes alone, in their order: bool [n], True for the ones to keep."""
        return Boxes(self.values[rows], [name for name, keep in zip(self.categories, rows) if keep])


class ObjectDetector(Protocol):
    """Finds the objects of one video's frames; made anew for each video."""

    def __call__(self, numbers: list[int], frames: list[np.ndarray]) -> list[Boxes]:
        """The objects of each of several frames: their numbers (0-based), and RGB, uint8 [H, W, 3] of one size."""
        ...


def sorted_boxes(rows: list[list[float]], categories: list[str]) -> Boxes:
    """Boxes from n rows of x1, y1, x2, y2, confidence and their n categories, by left edge, top edge and so on."""
    pairs = sorted(zip(rows, categories))
    return Boxes(np.array([row for row, _ in pairs], np.float32).reshape(-1, 5), [name for _, name in pairs])


def check_classes(wanted: list[str] | None, known: list[str], source: object) -> None:
    """Raise InputError where a class is asked for that the network of `source` does not know."""
    unknown = [name for name in wanted or [] if name not in known]
    if unknown:
        raise InputError(
            f"data.detector.classes asks for {', '.join(unknown)}, which {source} does not have; its "
            f"{len(known)} classes are {', '.join(known)}"
        )

"""`boxes`: boxes that were found before, read from a file."""

import functools
import json
from pathlib import Path

import numpy as np

from dist_vad.base.errors import InputError
from dist_vad.base.text.names import composed
from dist_vad.settings.data import DataSettings
from dist_vad.video.detectors.base import Boxes, sorted_boxes
from dist_vad.video.detectors.files import boxes_file
from dist_vad.video.source import Video

LARGEST = 1e6
"""Pixels that no picture has."""


class BoxesDetector:
    """The boxes of one video, from {video: [[[x1, y1, x2, y2, confidence], ...] per frame]}.

    Args:
        path: the JSON file.
        video: the name under which the file lists it.
        frames: length of the video; the file must list as many.
    """

    def __init__(self, path: Path, video: str, frames: int) -> None:
        listed = _read(path, path.stat().st_mtime_ns)
        if video not in listed:
            raise InputError(f"{path} lists no boxes for video {video!r}; it has {', '.join(sorted(listed)[:5])}, …")
        self._boxes, self._what = listed[video], f"{path}: video {video!r}"
        if not isinstance(self._boxes, list):
            raise InputError(
                f"{self._what} has {self._boxes!r:.60}, expected a list of its frames, each with its boxes"
            )
        if len(self._boxes) != frames:
            raise InputError(
                f"{path}: {len(self._boxes)} frames of boxes for video {video!r}, which has {frames} frames; detect "
                "the objects of this video again"
            )
        for number, rows in enumerate(self._boxes):
            if not isinstance(rows, list) or not all(_is_box(row) for row in rows):
                raise InputError(
                    f"{self._what}, frame {number}: found boxes {str(rows)[:80]}, expected rows of x1, y1, "
                    "x2, y2, confidence: pixels, x1 no more than x2 and y1 no more than y2, and 0 to 1"
                )

    def __call__(self, numbers: list[int], frames: list[np.ndarray]) -> list[Boxes]:
        """The boxes of the frames of these numbers."""
        listed = [self._boxes[number] for number in numbers]
        for number, rows, frame in zip(numbers, listed, frames):
            height, width = frame.shape[:2]
            for x1, y1, x2, y2, _ in rows:
                if x2 < 0 or y2 < 0 or x1 > width or y1 > height:
                    raise InputError(
                        f"{self._what}, frame {number}: the box {[x1, y1, x2, y2]} lies outside of the picture of "
                        f"{width} x {height} pixels; expected x1, y1, x2, y2 in pixels of this video"
                    )
        return [sorted_boxes(rows, ["object"] * len(rows)) for rows in listed]


def _is_box(row: object) -> bool:
    """Whether a row is x1, y1, x2, y2, confidence."""
    if not isinstance(row, list) or len(row) != 5:
        return False
    if not all(isinstance(value, int | float) and abs(value) < LARGEST for value in row):  # nan is not less, either
        return False
    x1, y1, x2, y2, confidence = row
    return x1 <= x2 and y1 <= y2 and 0 <= confidence <= 1


@functools.lru_cache(maxsize=1)
def _read(path: Path, changed: int) -> dict:
    """The content of a file last changed at that time; the last one is kept: it is asked for once for every video."""
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        raise InputError(f"boxes file {path} is not valid JSON: {error}") from error
    if not isinstance(content, dict):
        raise InputError(f"boxes file {path} holds a {type(content).__name__}, expected {{video: [boxes per frame]}}")
    return {composed(name): rows for name, rows in content.items()}


def make(settings: DataSettings, video: Video, frames: int) -> BoxesDetector:
    """The detector for one video of so many frames."""
    path = boxes_file(settings, video)
    assert path is not None, "asked for this detector alone"
    return BoxesDetector(path, video.source_name or video.name, frames)

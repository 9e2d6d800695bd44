"""Boxes that were found before, read from a file."""

import functools
import json
from pathlib import Path

import numpy as np

from dist_vad.config import DetectorSettings
from dist_vad.errors import InputError
from shards.detectors.base import sorted_boxes


class BoxesDetector:
    """The boxes of one video, from {video: [[[x1, y1, x2, y2, confidence], ...] per frame]}.

    Args:
        path: the JSON file.
        video: the name under which the file lists it.
        frames: length of the video; the file must list as many.
    """

    category = "object"

    def __init__(self, settings: DetectorSettings, path: Path, video: str, frames: int) -> None:
        listed = _read(path, path.stat().st_mtime_ns)
        if video not in listed:
            raise InputError(f"{path} lists no boxes for video {video!r}; it has {', '.join(sorted(listed)[:5])}, …")
        self._boxes = listed[video]
        if len(self._boxes) != frames:
            raise InputError(
                f"{path}: {len(self._boxes)} frames of boxes for video {video!r}, which has {frames} frames; detect "
                "the objects of this video again"
            )
        self._settings = settings
        for number, rows in enumerate(self._boxes):
            if any(len(row) != 5 for row in rows):
                raise InputError(
                    f"{path}: video {video!r}, frame {number}: found boxes {rows[:3]}, expected rows of x1, y1, x2, "
                    "y2, confidence"
                )

    def __call__(self, number: int, frame: np.ndarray) -> np.ndarray:
        """The boxes of frame `number`: float32 [n, 5]."""
        found = sorted_boxes(self._boxes[number])
        shorter = np.minimum(found[:, 2] - found[:, 0], found[:, 3] - found[:, 1])
        return found[(found[:, 4] >= self._settings.min_confidence) & (shorter >= self._settings.min_size)]


@functools.lru_cache(maxsize=1)
def _read(path: Path, changed: int) -> dict:
    """The content of a file last changed at that time; the last one is kept: it is asked for once for every video."""
    try:
        content = json.loads(path.read_text())
    except json.JSONDecodeError as error:
        raise InputError(f"boxes file {path} is not valid JSON: {error}") from error
    if not isinstance(content, dict):
        raise InputError(f"boxes file {path} holds a {type(content).__name__}, expected {{video: [boxes per frame]}}")
    return content

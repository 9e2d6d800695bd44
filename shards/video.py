"""Frames from video files and from folders of pictures, one at a time."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np

from dist_vad.errors import InputError

VIDEO_EXTENSIONS = (".avi", ".mp4", ".mkv", ".mov", ".mpg", ".mpeg", ".webm", ".m4v")
IMAGE_EXTENSIONS = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp")


def natural_key(name: str) -> list[tuple[int, str]]:
    """Sorts `2.jpg` before `10.jpg`: runs of digits count as numbers."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name) if part]


def is_junk(path: Path) -> bool:
    """What file managers leave behind: `._*`, `.DS_Store`, `Thumbs.db`."""
    return path.name.startswith(".") or path.name.lower() == "thumbs.db"


def picture_files(folder: Path) -> list[Path]:
    """The pictures of a folder in natural order, junk left out."""
    files = [p for p in folder.iterdir() if p.suffix.lower() in IMAGE_EXTENSIONS and not is_junk(p)]
    return sorted(files, key=lambda path: natural_key(path.name))


@dataclass
class PictureFrames:
    """A folder of pictures as a video."""

    folder: Path
    fps: float = 25.0

    @cached_property
    def files(self) -> list[Path]:
        """The pictures in order. Raises InputError where there is none."""
        files = picture_files(self.folder)
        if not files:
            raise InputError(f"{self.folder} holds no pictures ({', '.join(IMAGE_EXTENSIONS)})")
        return files

    @cached_property
    def _size(self) -> tuple[int, int]:
        return _read_picture(self.files[0]).shape[:2]

    @property
    def width(self) -> int:
        return self._size[1]

    @property
    def height(self) -> int:
        return self._size[0]

    def __len__(self) -> int:
        return len(self.files)

    def __iter__(self) -> Iterator[np.ndarray]:
        for path in self.files:
            frame = _read_picture(path)
            if frame.shape[:2] != self._size:
                found, expected = (f"{w} x {h}" for h, w in (frame.shape[:2], self._size))
                raise InputError(f"{path} is {found} pixels, the first picture of its video {expected}; remove it")
            yield frame


@dataclass
class FileFrames:
    """A video file. Its length is counted by reading it, since containers lie about it."""

    path: Path

    @cached_property
    def _facts(self) -> tuple[int, float, int, int]:
        """(frames, fps, width, height)."""
        capture = _open(self.path)
        facts = (
            capture.get(cv2.CAP_PROP_FPS) or 25.0,
            int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)),
            int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT)),
        )
        count = 0
        while capture.grab():
            count += 1
        capture.release()
        if count == 0:
            raise InputError(f"video {self.path} does not decode: not a single frame; is the file whole?")
        return (count, *facts)

    @property
    def fps(self) -> float:
        return self._facts[1]

    @property
    def width(self) -> int:
        return self._facts[2]

    @property
    def height(self) -> int:
        return self._facts[3]

    def __len__(self) -> int:
        return self._facts[0]

    def __iter__(self) -> Iterator[np.ndarray]:
        capture = _open(self.path)
        for number in range(len(self)):
            done, frame = capture.read()
            if not done:
                raise InputError(f"video {self.path} does not decode at frame {number} of {len(self)}")
            yield cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
        capture.release()


def _open(path: Path) -> cv2.VideoCapture:
    capture = cv2.VideoCapture(str(path))
    if not capture.isOpened():
        raise InputError(f"video {path} does not open: it is damaged, or of a format that OpenCV does not decode")
    return capture


def _read_picture(path: Path) -> np.ndarray:
    frame = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if frame is None:
        raise InputError(f"picture {path} does not decode; repair or remove it")
    return cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)

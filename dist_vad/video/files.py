"""Frames from video files and from folders of pictures, one at a time."""

import re
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np

from dist_vad.base.errors import InputError
from dist_vad.video.source import Frames

VIDEO_EXTENSIONS = (".avi", ".mp4", ".mkv", ".mov", ".mpg", ".mpeg", ".webm", ".m4v")
IMAGE_EXTENSIONS = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp")


class VideoError(InputError):
    """A video does not open or decode; others may."""


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


class PictureFrames:
    """A folder of pictures as a video.

    Raises VideoError where the folder holds none, or where the first one does not decode.
    """

    def __init__(self, folder: Path, fps: float = 25.0) -> None:
        self.files = picture_files(folder)
        if not self.files:
            raise VideoError(f"{folder} holds no pictures ({', '.join(IMAGE_EXTENSIONS)})")
        self.fps = fps
        self.height, self.width = _read_picture(self.files[0], 0).shape[:2]

    def __len__(self) -> int:
        return len(self.files)

    def __iter__(self) -> Iterator[np.ndarray]:
        for number, path in enumerate(self.files):
            frame = _read_picture(path, number)
            height, width = frame.shape[:2]
            if (height, width) != (self.height, self.width):
                raise VideoError(
                    f"picture {path}, frame {number} of its video, is {width} x {height} pixels, expected "
                    f"{self.width} x {self.height} as the first one; remove or resize it"
                )
            yield frame


class FileFrames:
    """A video file. Its length is counted by reading it, since containers lie about it.

    Raises VideoError where the file does not open.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        capture = _open(path)
        self.fps = capture.get(cv2.CAP_PROP_FPS) or 25.0
        self.width = int(capture.get(cv2.CAP_PROP_FRAME_WIDTH))
        self.height = int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
        self.stated_length = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        """Frames as the container states them; good enough to share out work by."""
        capture.release()

    @cached_property
    def _count(self) -> int:
        capture, count = _open(self.path), 0
        while capture.grab():
            count += 1
        capture.release()
        if count == 0:
            raise VideoError(f"video {self.path} does not decode: not a single frame; is the file whole?")
        return count

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[np.ndarray]:
        capture = _open(self.path)
        for number in range(len(self)):
            done, frame = capture.read()
            if not done:
                raise VideoError(f"video {self.path} does not decode at frame {number} of {len(self)}; is it whole?")
            yield cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
        capture.release()


def _open(path: Path) -> cv2.VideoCapture:
    capture = cv2.VideoCapture(str(path))
    if not capture.isOpened():
        raise VideoError(f"video {path} does not open: it is damaged, or of a format that OpenCV does not decode")
    return capture


def _read_picture(path: Path, number: int) -> np.ndarray:
    """The picture, frame `number` of its video: RGB, uint8 [H, W, 3]."""
    content = path.read_bytes()
    frame = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR) if content else None
    # OpenCV fills the missing part of a truncated JPEG with grey, and says nothing to its caller.
    truncated = content.startswith(b"\xff\xd8") and content.rfind(b"\xff\xd9", -1024) < 0
    if frame is None or truncated:
        fault = f"is cut off after {len(content)} bytes" if truncated else "does not decode"
        raise VideoError(f"picture {path}, frame {number} of its video, {fault}; repair it, or remove that video")
    return cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)


def video_name(path: Path) -> str:
    """A video's name as its user knows it; the dots of a folder's name are no extension."""
    return path.name if path.is_dir() else path.stem


def open_frames(path: Path, fps: float = 25.0) -> Frames:
    """A video file, or a folder of pictures taken `fps` times a second."""
    return PictureFrames(path, fps) if path.is_dir() else FileFrames(path)

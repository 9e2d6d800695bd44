"""Frames from video files and from folders of pictures, one at a time."""

import contextlib
import math
import re
import struct
import tempfile
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np

from dist_vad.base.errors import InputError
from dist_vad.base.text.names import composed
from dist_vad.video.source import Frames

VIDEO_EXTENSIONS = (
    ".avi", ".mp4", ".mkv", ".mov", ".mpg", ".mpeg", ".webm", ".m4v", ".ts", ".mts", ".m2ts", ".flv", ".wmv", ".asf",
    ".3gp", ".ogv", ".vob",
)  # fmt: skip
IMAGE_EXTENSIONS = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp")

JUNK = ("thumbs.db", "desktop.ini", "@eadir", "__macosx", "#recycle", "$recycle.bin", "lost+found")
"""What file managers, network disks and archives leave behind, in small letters."""
PICTURES_FPS = 25.0
"""Frames a second of pictures, and of files that do not say it in earnest."""
SLOWEST, FASTEST = 0.05, 480.0
"""Frames a second that a camera may have."""
OTHER_PICTURES = (
    ".webp", ".gif", ".avif", ".heic", ".heif", ".jxl", ".jp2", ".pgm", ".ppm", ".pnm", ".exr", ".hdr", ".dng", ".raw",
)  # fmt: skip
"""Pictures that are not read."""
BITS_PER_SAMPLE = 258
"""Tag of a TIFF's field."""
FEW_LEVELS = 32
"""A picture with fewer levels than this shows next to nothing."""
READ_ON = 32
"""So many frames in a row may fail to decode before the rest of a file is given up."""


class VideoError(InputError):
    """A video does not open or decode; others may."""


def natural_key(name: str) -> list[tuple[int, str]]:
    """Sorts `2.jpg` before `10.jpg`: runs of digits count as numbers."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name) if part]


def is_junk(path: Path) -> bool:
    """What file managers leave behind: `._*`, `.DS_Store`, `Thumbs.db`, `@eaDir`."""
    return path.name.startswith(".") or path.name.lower() in JUNK


def entries_of(folder: Path) -> list[Path]:
    """What lies in a folder, junk left out. Raises VideoError for a link to nothing: what it names would be missed
    without a word."""
    entries = [path for path in folder.iterdir() if not is_junk(path)]
    dangling = next((path for path in entries if path.is_symlink() and not path.exists()), None)
    if dangling:
        raise VideoError(f"{dangling} is a link to nothing; remove it, or bring back what it names")
    return entries


def picture_files(folder: Path) -> list[Path]:
    """The pictures of a folder in natural order, junk left out."""
    files = [path for path in entries_of(folder) if path.suffix.lower() in IMAGE_EXTENSIONS]
    return sorted(files, key=lambda path: natural_key(path.name))


class PictureFrames:
    """A folder of pictures as a video.

    Raises VideoError where the folder holds none, or where the first one does not decode.
    """

    def __init__(self, folder: Path, fps: float = PICTURES_FPS) -> None:
        self.files = picture_files(folder)
        if not self.files:
            raise VideoError(f"{folder} holds no pictures ({', '.join(IMAGE_EXTENSIONS)})")
        self.fps = fps
        self.height, self.width = _read_picture(self.files[0], 0).shape[:2]

    @property
    def remarks(self) -> list[str]:
        """What is odd about the pictures, though they are read."""
        return [*self._gaps(), *self._others()]

    def _others(self) -> list[str]:
        unread = (*VIDEO_EXTENSIONS, *OTHER_PICTURES)
        there = entries_of(self.files[0].parent)
        others = [path for path in there if path.suffix.lower() in unread or path.is_dir()]
        if not others:
            return []
        first, what = min(path.name for path in others), "videos or folders or pictures of other kinds"
        return [f"beside its pictures lie {len(others)} {what} that are not read, such as {first}"]

    def _gaps(self) -> list[str]:
        numbers = [int(digits[-1]) for file in self.files if (digits := re.findall(r"\d+", file.stem))]
        steps = np.diff(numbers)
        if len(numbers) < len(self.files) or len(steps) == 0:
            return []
        usual = int(np.median(steps))
        odd = np.flatnonzero(steps != usual)
        if len(odd) == 0:
            return []
        first = self.files[int(odd[0])].name
        return [
            f"the numbers of its pictures have {len(odd)} gaps, the first after {first}: they are taken as neighbours"
        ]

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

    Where a frame does not decode and later ones do, the frame before stands for it: the others keep their numbers. What
    is odd about the file, `remarks` says.

    Args:
        fps: frames a second, where the file is not to be believed; None = as it says.

    Raises VideoError where the file does not open.
    """

    def __init__(self, path: Path, fps: float | None = None) -> None:
        self.path = path
        capture = _open(path)
        self.stated_fps = capture.get(cv2.CAP_PROP_FPS) or PICTURES_FPS
        self.fps = fps or (self.stated_fps if SLOWEST <= self.stated_fps <= FASTEST else PICTURES_FPS)
        self._given_fps = fps
        self.width = int(capture.get(cv2.CAP_PROP_FRAME_WIDTH))
        self.height = int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
        self.stated_length = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        """Frames as the container states them; good enough to share out work by."""
        capture.release()

    @cached_property
    def _counted(self) -> tuple[int, list[int], np.ndarray]:
        """(frames, numbers of those that do not decode, when each is shown in seconds: float64 [frames])."""
        capture = _open(self.path)
        lost: list[int] = []
        times: list[float] = []
        failures = 0
        while failures <= (READ_ON if len(times) + failures < self.stated_length else 0):
            if not capture.grab():
                failures += 1
                continue
            lost += range(len(times), len(times) + failures)
            times += [math.nan] * failures
            times.append(capture.get(cv2.CAP_PROP_POS_MSEC) / 1000)
            failures = 0
        capture.release()
        if len(lost) == len(times) or len(lost) > len(times) / 2:
            found = "not a single frame" if not times else f"{len(lost)} of {len(times)} frames are lost"
            raise VideoError(f"video {self.path} does not decode: {found}; is the file whole?")
        return len(times), lost, np.array(times)

    @cached_property
    def times(self) -> np.ndarray:
        """When each frame is shown, seconds from the first: float64 [frames]. As the file says, where that is told and
        no `fps` was given, else at even distances."""
        count, _, shown = self._counted
        even = np.arange(count) / self.fps
        if self._given_fps or self.fps != self.stated_fps or count < 3:
            return even
        known = np.flatnonzero(np.isfinite(shown))
        shown = np.interp(np.arange(count), known, shown[known]) - shown[known[0]]
        rising = bool((np.diff(shown) > 0).all())
        return shown if rising and np.abs(shown - even).max() > 1 / self.fps else even

    @property
    def remarks(self) -> list[str]:
        """What is odd about the file, though it is read."""
        count, lost, _ = self._counted
        lines = []
        if lost:
            lines.append(
                f"{len(lost)} of its {count} frames do not decode, the first is frame {lost[0]}: the frame before "
                "stands for each; the file is damaged"
            )
        short = self.stated_length - count
        if short > max(1, 0.02 * self.stated_length):
            lines.append(
                f"{count} of the {self.stated_length} frames that it states are there: the file is cut, or damaged"
            )
        if self.fps != self.stated_fps and not self._given_fps:
            lines.append(f"it states {self.stated_fps:g} frames a second, which no camera has; {self.fps:g} are taken")
        return lines

    def __len__(self) -> int:
        return self._counted[0]

    def __iter__(self) -> Iterator[np.ndarray]:
        capture, (count, lost, _) = _open(self.path), self._counted
        last, waiting, failures = None, 0, 0
        for number in range(count):
            done, frame = capture.read()
            if done:
                last = cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
            else:
                failures += 1
            if failures > len(lost):
                raise VideoError(f"video {self.path} does not decode at frame {number} of {count}; is it whole?")
            if last is None:  # nothing before the first frame stands for it: the one after does
                waiting += 1
                continue
            for _ in range(waiting + 1):
                yield last
            waiting = 0
        capture.release()


def remarks_of(frames: object) -> list[str]:
    """What is odd about a video, though it is read; some sources have nothing to say."""
    return list(getattr(frames, "remarks", ()))


def _open(path: Path) -> cv2.VideoCapture:
    if path.exists() and not path.is_file():  # a pipe or a device would be waited for
        raise VideoError(f"video {path} is no file: it is a pipe or a device; give a video file, or a stream's URL")
    with _readable(path) as name:
        capture = cv2.VideoCapture(name)
    if not capture.isOpened():
        raise VideoError(f"video {path} does not open: it is damaged, or of a format that OpenCV does not decode")
    return capture


@contextlib.contextmanager
def _readable(path: Path) -> Iterator[str]:
    """A name of a file that OpenCV can be given: it takes text alone, and a name may be bytes of any encoding."""
    name = str(path)
    try:
        name.encode()
    except UnicodeEncodeError:
        with tempfile.TemporaryDirectory() as folder:
            link = Path(folder) / f"video{path.suffix if path.suffix.isascii() else ''}"
            link.symlink_to(path.absolute())
            yield str(link)
    else:
        yield name


def _read_picture(path: Path, number: int) -> np.ndarray:
    """The picture, frame `number` of its video: RGB, uint8 [H, W, 3]."""
    content = path.read_bytes()
    frame = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR) if content else None
    # OpenCV fills the missing part of a truncated JPEG with grey, and says nothing to its caller.
    truncated = content.startswith(b"\xff\xd8") and content.rfind(b"\xff\xd9", -1024) < 0
    if frame is None or truncated:
        fault = f"is cut off after {len(content)} bytes" if truncated else "does not decode"
        raise VideoError(f"picture {path}, frame {number} of its video, {fault}; repair it, or remove that video")
    if number == 0 or _looks_deep(path, content):  # later ones, too, where that is known without reading them twice
        _check_depth(path, content)
    return cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)


def _looks_deep(path: Path, content: bytes) -> bool:
    """Whether the header of a PNG or TIFF tells of more than eight bits a channel, or of several pages."""
    if path.suffix.lower() not in (".tif", ".tiff"):
        return content[24:25] == b"\x10"
    order = ">" if content.startswith(b"MM") else "<"
    try:
        (start,) = struct.unpack_from(f"{order}I", content, 4)
        (count,) = struct.unpack_from(f"{order}H", content, start)
        fields = [struct.unpack_from(f"{order}HHI", content, start + 2 + 12 * place) for place in range(count)]
        (following,) = struct.unpack_from(f"{order}I", content, start + 2 + 12 * count)
        place = next(place for place, (tag, _, _) in enumerate(fields) if tag == BITS_PER_SAMPLE)
        value = start + 2 + 12 * place + 8
        if fields[place][2] > 2:  # more than fit into the field: it says where they stand
            (value,) = struct.unpack_from(f"{order}I", content, value)
        (bits,) = struct.unpack_from(f"{order}H", content, value)
    except (struct.error, StopIteration):
        return True
    return bits > 8 or following != 0


def _check_depth(path: Path, content: bytes) -> None:
    """Raise VideoError for a picture of which eight bits a channel leave next to nothing, or that is one of many."""
    kind = path.suffix.lower()
    if kind in (".tif", ".tiff"):
        with _readable(path) as name:
            pages = cv2.imcount(name)
        if pages > 1:
            raise VideoError(f"picture {path} holds {pages} pages, of which one would be read; write each as a file")
    if kind not in (".tif", ".tiff", ".png") or (kind == ".png" and content[24:25] != b"\x10"):
        return
    raw = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    if raw is None or raw.dtype == np.uint8:
        return
    levels = len(np.unique(raw))
    left = len(np.unique(np.asarray(raw, np.uint16) >> 8)) if raw.dtype == np.uint16 else 0
    if left < min(FEW_LEVELS, levels):
        raise VideoError(
            f"picture {path} has {levels} levels of {raw.dtype}, of which {left} are left in 8 bits; write the "
            "pictures of all videos as 8 bits with one range for all, such as a thermal camera's coldest to hottest"
        )


def video_name(path: Path) -> str:
    """A video's name as its user knows it; the dots of a folder's name are no extension."""
    return composed(path.name if path.is_dir() else path.stem)


def open_frames(path: Path, fps: float | None = None) -> Frames:
    """A video file, or a folder of pictures.

    Args:
        fps: frames a second; None = as a file says, 25 for pictures, which do not say it.
    """
    return PictureFrames(path, fps or PICTURES_FPS) if path.is_dir() else FileFrames(path, fps)

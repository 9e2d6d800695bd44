"""CUHK Avenue, as published or as the common repack of it, with either of its ground truths, or both.

Published: `training_videos/01.avi`, `testing_videos/01.avi`; masks of anomalous pixels in
`ground_truth_demo/testing_label_mask/1_label.mat`. Repack: `training/frames/01/000.jpg`, `testing/frames/01/000.jpg`;
intervals in `avenue.mat`, frames counted from 1, first and last inclusive. The two ground truths are not the same (they
differ on 441 frames), so that each keeps its own name.
"""

import math
import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Protocol

import numpy as np

from dist_vad.config import DataSettings
from dist_vad.errors import InputError
from shards.datasets.base import Published, Video
from shards.datasets.files import by_name, file_identity, intervals_of, labelled_videos, open_frames, video_entries
from shards.datasets.ucsd import read_mat_file
from shards.video import is_junk

PIXEL_MASKS, INTERVALS = "pixel_masks", "intervals"
SCENE = "avenue"
FPS = 25.0
LAYOUTS = (("training_videos", "testing_videos"), ("training/frames", "testing/frames"))
"""Folders of training and test video: as published, as repacked."""

PUBLISHED = Published(
    videos={"train": 16, "test": 21},
    frames={"train": 15_328, "test": 15_324},
    anomalous={PIXEL_MASKS: 3_712, INTERVALS: 3_867},
    where="http://www.cse.cuhk.edu.hk/leojia/projects/detectabnormal/dataset.html",
)


@dataclass(frozen=True)
class Labels:
    """What is known of one test video."""

    intervals: dict[str, list[list[int]]] = field(default_factory=dict)
    """Name of ground truth -> anomalous intervals [start, end), 0-based."""
    frames: int | None = None
    """Number of frames that the masks speak of."""


def avenue(settings: DataSettings) -> list[Video]:
    """The videos of Avenue under `data.root`, or in a folder there, whichever layout is found."""
    root = Path(settings.root or "")
    if not root.is_dir():
        raise InputError(f"data.root {root} does not exist; give the folder of CUHK Avenue")
    base = _base(root)
    train, test = next(layout for layout in LAYOUTS if (base / layout[0]).is_dir())
    trains, tests = (by_name(video_entries(base / folder), _number) for folder in (train, test))
    labels = _labels(root, set(tests), settings)
    return [
        *(_video(number, path, "train", train, Labels()) for number, path in trains.items()),
        *(_video(number, path, "test", test, labels[number]) for number, path in tests.items() if number in labels),
    ]


def read_masks(path: Path) -> np.ndarray:
    """Whether each frame has an anomalous pixel, bool [T], from `volLabel` of a file such as `1_label.mat`.

    Raises InputError where the file holds no such variable.
    """
    try:
        return np.array(list(_any_of_cells(path, "volLabel")), bool)
    except (OSError, ValueError, IndexError, struct.error, zlib.error) as error:
        raise InputError(
            f"{path} does not read: {error}; expected a MATLAB 5 file with a variable `volLabel`, a cell of one mask "
            "for each frame: restore the file as published"
        ) from error


def _base(root: Path) -> Path:
    """The folder that holds the video: the root itself, or the one that an archive was unpacked to."""
    folders = [root, *sorted(path for path in root.iterdir() if path.is_dir() and not is_junk(path))]
    found = [folder for folder in folders if any((folder / train).is_dir() for train, _ in LAYOUTS)]
    if len(found) > 1:
        raise InputError(f"{root} holds {len(found)} data sets; give one of them: {', '.join(map(str, found))}")
    if not found:
        raise InputError(
            f"{root} holds no CUHK Avenue; expected training_videos/01.avi, testing_videos/01.avi and "
            "ground_truth_demo/testing_label_mask/1_label.mat (as published) or training/frames/01/000.jpg, "
            "testing/frames/01/000.jpg and avenue.mat (the common repack)"
        )
    return found[0]


def _labels(root: Path, tests: set[str], settings: DataSettings) -> dict[str, Labels]:
    """The labels of each test video by its number; videos that are to be left out are not in there."""
    masks, intervals = _find(root, "testing_label_mask"), _find(root, "avenue.mat")
    labels = {number: Labels() for number in tests}
    if masks:
        files = by_name((path for path in masks.glob("*_label.mat") if not is_junk(path)), _number)
        kept = labelled_videos(tests, files, masks, settings)
        flags = {number: read_masks(files[number]) for number in sorted(kept)}
        labels = {n: Labels({PIXEL_MASKS: intervals_of(some)}, len(some)) for n, some in flags.items()}
    if intervals:
        clips = {f"{number:02d}": clip for number, clip in enumerate(read_mat_file(intervals), 1)}
        kept = labelled_videos(tests, clips, intervals, settings) & set(labels)
        labels = {n: Labels({**labels[n].intervals, INTERVALS: clips[n]}, labels[n].frames) for n in kept}
    return labels


def _find(root: Path, name: str) -> Path | None:
    """A ground truth in the root, or where archives unpack it to."""
    places = (path for depth in ("", "*/", "*/*/") for path in sorted(root.glob(depth + name)))
    return next((path for path in places if not is_junk(path)), None)


def _number(path: Path) -> str:
    """The number that a file or folder is named by, with two digits: `07` of `07.avi` and of `7_label.mat`."""
    name = path.name if path.is_dir() else path.stem
    number = re.fullmatch(r"(\d+)(_label)?", name)
    if not number:
        raise InputError(f"{path} is not named by a number, expected such as 01.avi; rename it, or move it elsewhere")
    return f"{int(number[1]):02d}"


def _video(number: str, path: Path, split: str, folder: str, labels: Labels) -> Video:
    return Video(
        name=f"{split}_{number}",
        split=split,
        scene=SCENE,
        identity=file_identity(path, [labels.intervals, labels.frames]),
        open=lambda: open_frames(path, FPS),
        labels=labels.intervals,
        labelled_frames=labels.frames,
        source_name=path.name if path.is_dir() else path.stem,
        source_split=folder.partition("/")[0],
    )


# The masks of one video are up to 330 MB, and scipy reads all of them at once. What follows reads one after another:
# https://www.mathworks.com/help/pdf_doc/matlab/matfile_format.pdf

MATRIX, COMPRESSED = 14, 15
"""Types of the format's elements."""
CELL, NUMBERS = 1, range(6, 16)
"""Classes of its arrays."""


class _Stream(Protocol):
    def read(self, count: int, /) -> bytes: ...


class _Inflated:
    """Reads compressed bytes as what they were, a part at a time."""

    def __init__(self, file: _Stream) -> None:
        self.file, self.inflate = file, zlib.decompressobj()

    def read(self, count: int, /) -> bytes:
        while part := self.inflate.unconsumed_tail or self.file.read(2**14):
            if content := self.inflate.decompress(part, count):
                return content
        return b""


def _any_of_cells(path: Path, name: str) -> Iterator[bool]:
    """Whether each array of a variable, a cell, has a value that is not zero. Raises ValueError for other content."""
    with path.open("rb") as file:
        if file.read(128)[124:] != b"\0\1IM":
            raise ValueError("it is no MATLAB 5 file")
        while tag := file.read(8):
            kind, size = struct.unpack("<II", tag)
            end = file.tell() + size
            stream: _Stream = file
            if kind == COMPRESSED:
                stream = _Inflated(file)
                _exactly(stream, 8)  # the tag of what was compressed
            array_class, shape, found = _header(stream)
            if (found, array_class) == (name, CELL):
                for number in range(math.prod(shape)):
                    yield _is_any(stream, number)
                return
            file.seek(end)
    raise ValueError(f"it holds no cell named {name}")


def _is_any(stream: _Stream, number: int) -> bool:
    """Whether the array that comes next, of frame `number`, has a value that is not zero."""
    kind, size = struct.unpack("<II", _exactly(stream, 8))
    if kind != MATRIX or size == 0:
        raise ValueError(f"there is no mask of frame {number}")
    content = BytesIO(_exactly(stream, size))
    array_class, shape, _ = _header(content)
    if array_class not in NUMBERS or 0 in shape:
        raise ValueError(f"the mask of frame {number} is no matrix of numbers")
    return bool(np.frombuffer(_element(content), np.uint8).any())


def _header(stream: _Stream) -> tuple[int, tuple[int, ...], str]:
    """Class, shape and name of an array; its values come next."""
    flags, shape, name = (_element(stream) for _ in range(3))
    return flags[0], struct.unpack(f"<{len(shape) // 4}i", shape), name.decode("latin1")


def _element(stream: _Stream) -> bytes:
    """The content of the element that comes next. Up to 4 bytes lie in its tag; others are padded to 8."""
    first, second = struct.unpack("<II", _exactly(stream, 8))
    if first >> 16:
        return second.to_bytes(4, "little")[: first >> 16]
    content = _exactly(stream, second)
    _exactly(stream, -second % 8)
    return content


def _exactly(stream: _Stream, count: int) -> bytes:
    """The next `count` bytes. Raises ValueError where there are fewer."""
    content = bytearray()
    while len(content) < count:
        part = stream.read(count - len(content))
        if not part:
            raise ValueError(f"it ends {count - len(content)} bytes too early")
        content += part
    return bytes(content)

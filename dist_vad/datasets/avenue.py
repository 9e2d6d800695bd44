"""`avenue`: CUHK Avenue, as published or as the common repack of it, with either of its ground truths, or both.

Published: `training_videos/01.avi`, `testing_videos/01.avi`; masks of anomalous pixels in
`ground_truth_demo/testing_label_mask/1_label.mat`. Repack: `training/frames/01/000.jpg`, `testing/frames/01/000.jpg`;
intervals in `avenue.mat`, frames counted from 1, first and last inclusive. The two ground truths are not the same (they
differ on 441 frames), so that each keeps its own name.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from scipy.io import loadmat

from dist_vad.base.errors import InputError
from dist_vad.base.labels import intervals_of
from dist_vad.datasets.base import Adapter, Published
from dist_vad.datasets.files import by_name, file_identity, labelled_videos, only_one, root_of, video_entries
from dist_vad.datasets.ucsd import read_mat_file
from dist_vad.settings.data import DataSettings
from dist_vad.video.files import is_junk, open_frames, video_name
from dist_vad.video.source import Video

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
    root = root_of(settings, "CUHK Avenue")
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

    Holds all masks of one video for a moment, up to 330 MB. Raises InputError where the file holds no such variable.
    """
    try:
        cells = loadmat(path, variable_names=["volLabel"])["volLabel"]
        if cells.dtype != object or any(np.size(mask) == 0 or mask.dtype.kind not in "biuf" for mask in cells.ravel()):
            raise ValueError("volLabel is no cell of one mask for each frame")
        return np.array([bool(np.any(mask)) for mask in cells.ravel()])
    except Exception as error:  # scipy raises errors of many kinds for a file that is damaged or of another format
        raise InputError(
            f"{path} does not read: {error}; expected a MATLAB 5 file with a variable `volLabel`, a cell of one mask "
            "for each frame: restore the file as published"
        ) from error


def _base(root: Path) -> Path:
    """The folder that holds the video: the root itself, or the one that an archive was unpacked to."""
    folders = [root, *sorted(path for path in root.iterdir() if path.is_dir() and not is_junk(path))]
    candidates = [folder for folder in folders if any((folder / train).is_dir() for train, _ in LAYOUTS)]
    nothing = (
        f"{root} holds no CUHK Avenue; expected training_videos/01.avi, testing_videos/01.avi and "
        "ground_truth_demo/testing_label_mask/1_label.mat (as published) or training/frames/01/000.jpg, "
        "testing/frames/01/000.jpg and avenue.mat (the common repack)"
    )
    return only_one(candidates, root, nothing)


def _labels(root: Path, tests: set[str], settings: DataSettings) -> dict[str, Labels]:
    """The labels of each test video by its number; videos that are to be left out are not in there."""
    masks, intervals = _find(root, "testing_label_mask"), _find(root, "avenue.mat")
    labels = {number: Labels() for number in tests}
    if masks:
        files = by_name((path for path in masks.glob("*_label.mat") if not is_junk(path)), _number)
        kept = labelled_videos(tests, files, masks, settings)
        flags = {number: read_masks(files[number]) for number in sorted(kept)}
        labels = {n: Labels({PIXEL_MASKS: intervals_of(own)}, len(own)) for n, own in flags.items()}
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
    name = video_name(path)
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
        source_name=video_name(path),
        source_split=folder.partition("/")[0],
    )


ADAPTER = Adapter(avenue, {"": PUBLISHED})

"""`ucsd`: UCSD Ped1 and Ped2, as published (`UCSDped2/Train/Train001/001.tif`) or as the common repack of them.

Published: http layout of 2013 with ground truth in `Test/UCSDped2.m`. Repack: `training/frames/01/000.jpg` with ground
truth in `ped2.mat`. Both count frames from 1 and name first and last anomalous frame, both inclusive. Masks of
anomalous pixels, where a clip has them, lie in `Test/Test001_gt` or `testing/pixel_masks/01`; they give its regions.
"""

import re
from dataclasses import asdict
from pathlib import Path

import numpy as np
from scipy.io import loadmat

from dist_vad.base.errors import InputError
from dist_vad.base.labels import Event
from dist_vad.base.log import log
from dist_vad.datasets.base import Adapter, Published
from dist_vad.datasets.files import file_identity, inclusive, only_one, root_of
from dist_vad.datasets.masks import mask_events
from dist_vad.settings.data import DataSettings
from dist_vad.video.files import PictureFrames, is_junk, natural_key, picture_files
from dist_vad.video.source import Video

TRUTH = "frames"
FPS = 10.0

WHERE = "http://www.svcl.ucsd.edu/projects/anomaly/dataset.html"
PUBLISHED = {
    "ped1": Published({"train": 34, "test": 36}, {"train": 6800, "test": 7200}, {TRUTH: 4045}, WHERE),
    "ped2": Published({"train": 16, "test": 12}, {"train": 2550, "test": 2010}, {TRUTH: 1648}, WHERE),
}

Intervals = list[list[int]]


def ucsd(settings: DataSettings) -> list[Video]:
    """The videos of Ped1 or Ped2 under `data.root`, whichever layout is found there."""
    root = root_of(settings, "UCSD Ped1 or Ped2")
    if (root / "training/frames").is_dir():
        return _repack(root, settings)
    nested = [*sorted(root.glob("UCSDped*")), *sorted(root.glob("*/UCSDped*"))]
    candidates = [folder for folder in (root, *nested) if (folder / "Train").is_dir() and (folder / "Test").is_dir()]
    nothing = (
        f"{root} holds no UCSD data set; expected Train/Train001/001.tif and Test/UCSDped2.m (as published) or "
        "training/frames/01/000.jpg and ped2.mat (the common repack)"
    )
    return _published(only_one(candidates, root, nothing), settings)


def read_m_file(path: Path) -> list[Intervals]:
    """The anomalous intervals of each clip from a file such as `UCSDped2.m`, 0-based and half-open.

    Raises InputError for a line that names frames in another way.
    """
    clips = []
    for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
        if "gt_frame" not in line or line.lstrip().startswith("%"):
            continue
        ranges = re.search(r"gt_frame\s*=\s*\[([^\]]*)\]", line)
        parts = re.split(r"[,;\s]+", ranges[1].strip()) if ranges else [""]
        try:
            pairs = [(int(first), int(last)) for first, last in (part.split(":") for part in parts)]
            clips.append([inclusive(first, last, base=1) for first, last in pairs])
        except ValueError as error:
            raise InputError(
                f"{path}, line {number}: found {line.strip()!r}, expected intervals counted from 1 such as "
                "gt_frame = [61:180]; or [1:5, 9:20];"
            ) from error
    return clips


def read_mat_file(path: Path) -> list[Intervals]:
    """The anomalous intervals of each clip from the repack's `ped2.mat`, 0-based and half-open."""
    try:
        clips = [np.asarray(clip).reshape(2, -1).T for clip in loadmat(path)["gt"].ravel()]
        return [[inclusive(int(first), int(last), base=1) for first, last in clip] for clip in clips]
    except Exception as error:  # scipy raises errors of many kinds for a file that is damaged or of another format
        raise InputError(
            f"{path} does not read: {error}; expected a MATLAB file with a variable `gt`, one array of [start; end] "
            "for each clip, frames counted from 1"
        ) from error


def _published(root: Path, settings: DataSettings) -> list[Video]:
    scene = "ped1" if "ped1" in root.name.lower() else "ped2"
    truth = next((p for p in sorted((root / "Test").glob("UCSD*.m")) if not is_junk(p)), None)
    tests = [folder for folder in _folders(root / "Test") if not folder.name.endswith("_gt")]
    labels = _labels(tests, read_m_file(truth) if truth else None, truth, settings)
    return [
        *(_video(folder, scene, "train", folder.name.lower(), "Train", None) for folder in _folders(root / "Train")),
        *(_video(folder, scene, "test", folder.name.lower(), "Test", own) for folder, own in zip(tests, labels)),
    ]


def _repack(root: Path, settings: DataSettings) -> list[Video]:
    scene = "ped1" if "ped1" in root.name.lower() else "ped2"
    truth = next((p for p in (root / f"{scene}.mat", *sorted(root.glob("*.mat"))) if p.is_file()), None)
    trains, folder = _folders(root / "training/frames"), root / "testing/frames"
    tests = _folders(folder) if folder.is_dir() else []
    labels = _labels(tests, read_mat_file(truth) if truth else None, truth, settings)
    return [
        *(_video(folder, scene, "train", f"train_{folder.name}", "training", None) for folder in trains),
        *(_video(folder, scene, "test", f"test_{folder.name}", "testing", own) for folder, own in zip(tests, labels)),
    ]


def _labels(
    tests: list[Path], clips: list[Intervals] | None, truth: Path | None, settings: DataSettings
) -> list[Intervals] | list[None]:
    """The labels of each test clip; None for all where there is no ground truth.

    As many labels as clips are expected. With `labels_mismatch: clip`, labels of clips that are not there are dropped;
    clips then take theirs by the number in their name, so that a gap does not shift them.
    """
    if clips is None:
        return [None] * len(tests)
    if len(clips) == len(tests):
        return clips
    numbers = [int(match[0]) if (match := re.search(r"\d+$", folder.name)) else 0 for folder in tests]
    text = f"{truth} labels {len(clips)} clips, but {len(tests)} test clips were found"
    if settings.labels_mismatch == "refuse" or not all(1 <= number <= len(clips) for number in numbers):
        raise InputError(
            f"{text}; expected as many: restore what is missing, or, if clips were left out on purpose, pass "
            "--labels_mismatch clip to take labels by the number in a clip's name"
        )
    log.info("note: %s; labels are taken by the number in a clip's name", text)
    return [clips[number - 1] for number in numbers]


def _video(folder: Path, scene: str, split: str, name: str, source_split: str, intervals: Intervals | None) -> Video:
    events = _events(folder) if split == "test" else []
    return Video(
        name=name,
        split=split,
        scene=scene,
        identity=file_identity(folder, [intervals, [asdict(event) for event in events]] if events else intervals),
        open=lambda: PictureFrames(folder, FPS),
        labels={TRUTH: intervals} if split == "test" and intervals is not None else {},
        events=events,
        source_name=folder.name,
        source_split=source_split,
    )


def _events(folder: Path) -> list[Event]:
    """The anomalies of a test clip with their regions, where it has masks. Raises InputError for too few or many."""
    places = (folder.with_name(f"{folder.name}_gt"), folder.parents[1] / "pixel_masks" / folder.name)
    masks = next((place for place in places if place.is_dir() and picture_files(place)), None)
    if masks is None:
        return []
    count, expected = len(picture_files(masks)), len(picture_files(folder))
    if count != expected:
        raise InputError(
            f"{masks} holds {count} masks, expected {expected}, one for each picture of {folder}; restore them"
        )
    return mask_events(frame.max(axis=2) for frame in PictureFrames(masks))


def _folders(root: Path) -> list[Path]:
    folders = [path for path in root.iterdir() if path.is_dir() and not is_junk(path)]
    return sorted(folders, key=lambda path: natural_key(path.name))


ADAPTER = Adapter(ucsd, PUBLISHED)

"""UCSD Ped1 and Ped2, as published (`UCSDped2/Train/Train001/001.tif`) or as the common repack of them.

Published: http layout of 2013 with ground truth in `Test/UCSDped2.m`. Repack: `training/frames/01/000.jpg` with ground
truth in `ped2.mat`. Both count frames from 1 and name first and last anomalous frame, both inclusive.
"""

import re
from pathlib import Path

import numpy as np
from scipy.io import loadmat

from dist_vad.config import DataSettings
from dist_vad.errors import InputError
from shards.datasets.base import Video
from shards.datasets.files import file_identity, inclusive
from shards.video import PictureFrames, is_junk, natural_key

TRUTH = "frames"
FPS = 10.0

Intervals = list[list[int]]


def ucsd(settings: DataSettings) -> list[Video]:
    """The videos of Ped1 or Ped2 under `data.root`, whichever layout is found there."""
    root = Path(settings.root or "")
    if not root.is_dir():
        raise InputError(f"data.root {root} does not exist; give the folder of UCSD Ped1 or Ped2")
    if (root / "training/frames").is_dir():
        return _repack(root)
    for folder in (root, root / "UCSDped1", root / "UCSDped2", *sorted(root.glob("*/UCSDped*"))):
        if (folder / "Train").is_dir() and (folder / "Test").is_dir():
            return _published(folder)
    raise InputError(
        f"{root} holds no UCSD data set; expected Train/Train001/001.tif and Test/UCSDped2.m (as published) or "
        "training/frames/01/000.jpg and ped2.mat (the common repack)"
    )


def read_m_file(path: Path) -> list[Intervals]:
    """The anomalous intervals of each clip from a file such as `UCSDped2.m`, 0-based and half-open.

    Raises InputError for a line that names frames in another way.
    """
    clips = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if "gt_frame" not in line:
            continue
        ranges = re.search(r"gt_frame\s*=\s*\[([^\]]*)\]", line)
        parts = re.split(r"[,\s]+", ranges.group(1).strip()) if ranges else [""]
        found = [re.fullmatch(r"(\d+):(\d+)", part) for part in parts]
        if not all(found):
            raise InputError(f"{path}, line {number}: found {line.strip()!r}, expected gt_frame = [61:180]; or [1:5, 9:20];")
        clips.append([inclusive(int(match.group(1)), int(match.group(2)), base=1) for match in found if match])
    return clips


def read_mat_file(path: Path) -> list[Intervals]:
    """The anomalous intervals of each clip from the repack's `ped2.mat`, 0-based and half-open."""
    try:
        clips = loadmat(path)["gt"].ravel()
    except (ValueError, KeyError, NotImplementedError) as error:
        raise InputError(f"{path} does not read as a MATLAB file with a variable `gt`: {error}") from error
    return [[inclusive(int(a), int(b), base=1) for a, b in np.asarray(clip).reshape(2, -1).T] for clip in clips]


def _published(root: Path) -> list[Video]:
    scene = "ped1" if "ped1" in root.name.lower() else "ped2"
    truth = next(iter(sorted(p for p in (root / "Test").glob("UCSD*.m") if not is_junk(p))), None)
    clips = read_m_file(truth) if truth else None
    train = [f for f in _folders(root / "Train")]
    test = [f for f in _folders(root / "Test") if not f.name.endswith("_gt")]
    return [
        *(_video(folder, scene, "train", folder.name.lower(), "Train", []) for folder in train),
        *_test_videos(test, scene, clips, truth, "Test"),
    ]


def _repack(root: Path) -> list[Video]:
    scene = "ped1" if "ped1" in root.name.lower() else "ped2"
    truth = next((p for p in (root / f"{scene}.mat", *sorted(root.glob("*.mat"))) if p.is_file()), None)
    clips = read_mat_file(truth) if truth else None
    train = [_video(f, scene, "train", f"train_{f.name}", "training", []) for f in _folders(root / "training/frames")]
    folder = root / "testing/frames"
    return [*train, *_test_videos(_folders(folder) if folder.is_dir() else [], scene, clips, truth, "testing")]


def _test_videos(
    folders: list[Path], scene: str, clips: list[Intervals] | None, truth: Path | None, source_split: str
) -> list[Video]:
    if clips is not None and len(clips) != len(folders):
        raise InputError(
            f"{truth} labels {len(clips)} clips, but {len(folders)} test clips were found beside it; expected as many: "
            "is a clip missing, or a folder too many?"
        )
    names = [folder.name.lower() if source_split == "Test" else f"test_{folder.name}" for folder in folders]
    labels = clips if clips is not None else [None] * len(folders)
    return [_video(f, scene, "test", n, source_split, some) for f, n, some in zip(folders, names, labels)]


def _video(folder: Path, scene: str, split: str, name: str, source_split: str, intervals: Intervals | None) -> Video:
    return Video(
        name=name,
        split=split,
        scene=scene,
        identity=file_identity(folder, intervals),
        open=lambda: PictureFrames(folder, FPS),
        labels={TRUTH: intervals} if split == "test" and intervals is not None else {},
        source_name=folder.name,
        source_split=source_split,
    )


def _folders(root: Path) -> list[Path]:
    found = [path for path in root.iterdir() if path.is_dir() and not is_junk(path)]
    return sorted(found, key=lambda path: natural_key(path.name))

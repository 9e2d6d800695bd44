"""`ubnormal`: UBnormal as published: `Scene1/normal_scene_1_scenario1_1.mp4`, rendered scenes with
normal and abnormal videos.

The lists of the authors' `scripts/` say which video is of which split. Beside an abnormal video lies a folder of its
annotations; `Scene7/abnormal_scene_7_scenario_3_annotations/abnormal_scene_7_scenario_3_tracks.txt` has a line
`id,start,end` for each anomalous object, frames counted from 0, both inclusive. The videos serve as a data set (normal
training videos and all test videos) or, since all training videos are labelled, as virtual video for any other data
set. The validation lists are not read: the producer holds out videos of its own.
"""

import re
from pathlib import Path

from dist_vad.base.errors import InputError
from dist_vad.base.labels import Event, union
from dist_vad.datasets.base import Adapter, Published
from dist_vad.datasets.files import file_identity, inclusive, nearest, read_names, report_missing, root_of
from dist_vad.settings.data import DataSettings
from dist_vad.video.files import FileFrames
from dist_vad.video.source import Video

TRUTH, VIRTUAL_TRUTH = "frames", "virtual"
PUBLISHED = Published(videos={"train": 186, "test": 211}, where="https://github.com/lilygeorgescu/UBnormal")

LAYOUT = "expected Scene1/normal_scene_1_scenario1_1.mp4, Scene1/abnormal_scene_1_scenario_1.mp4 and so on"


def ubnormal(settings: DataSettings) -> list[Video]:
    """Training: the normal training videos. Test: normal and abnormal test videos."""
    root = _root(settings)
    trains = _listed(root, "training", ["normal"], settings)
    tests = _listed(root, "test", ["normal", "abnormal"], settings)
    return [*(_video(path, "train", "training") for path in trains), *(_video(path, "test", "test") for path in tests)]


def ubnormal_virtual(settings: DataSettings) -> list[Video]:
    """All training videos, normal and abnormal, as labelled virtual videos."""
    paths = _listed(_root(settings), "training", ["normal", "abnormal"], settings)
    return [_video(path, "virtual", "training") for path in paths]


def scene_of(name: str) -> str:
    """The folder of a video: `Scene7` of `abnormal_scene_7_scenario_3_fog`. Raises InputError for other names."""
    match = re.match(r"(?:ab)?normal_scene_(\d+)_", name)
    if match is None:
        raise InputError(
            f"found a video named {name!r}, expected normal_scene_1_... or abnormal_scene_1_...; correct it"
        )
    return f"Scene{match[1]}"


def read_tracks(path: Path) -> list[tuple[int, list[int]]]:
    """Number and interval of each anomalous object; an object that leaves and comes back may have several.

    Some files write whole numbers as 1.0e+02. Raises InputError for a line of another form and for a file without one.
    """
    tracks = []
    for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
        if not line.strip():
            continue
        try:
            track, first, last = (_whole(part) for part in line.split(","))
            tracks.append((track, inclusive(first, last, base=0)))
        except ValueError as error:
            raise InputError(
                f"{path}, line {number}: found {line.strip()!r}, expected `id,start,end` in whole numbers, frames "
                "counted from 0, both inclusive; correct the line"
            ) from error
    if not tracks:
        raise InputError(f"{path} is empty, expected a line `id,start,end` for each anomalous object; restore the file")
    return tracks


def _whole(text: str) -> int:
    number = float(text)
    if not number.is_integer():
        raise ValueError(f"{text} is no whole number")
    return int(number)


def _root(settings: DataSettings) -> Path:
    """The folder that holds Scene1, Scene2, ..."""
    root = root_of(settings, "UBnormal")
    if not any(root.glob("Scene*/")):
        raise InputError(f"{root} holds no folder Scene1, Scene2, ...; {LAYOUT}")
    return root


def _listed(root: Path, split: str, kinds: list[str], settings: DataSettings) -> list[Path]:
    """The videos of a split, in the order of its lists; all those that a list names must be there."""
    present = []
    for kind in kinds:
        name = f"{kind}_{split}_video_names.txt"
        path = nearest([*root.glob(name), *root.glob(f"*/{name}")])
        if path is None:
            raise InputError(
                f"found no {name} in {root}, scripts/ or another folder of it; take it from {PUBLISHED.where}"
            )
        names = read_names(path)
        videos = {name: root / scene_of(name) / f"{name}.mp4" for name in names}
        report_missing([name for name in names if not videos[name].is_file()], len(names), path, root, settings)
        present += [video for video in videos.values() if video.is_file()]
    return present


def _tracks(video: Path) -> list[tuple[int, list[int]]]:
    """The anomalous objects of a video; none where it is a normal one."""
    if video.name.startswith("normal"):
        return []
    path = video.parent / f"{video.stem}_annotations" / f"{video.stem}_tracks.txt"
    if not path.is_file():
        raise InputError(f"abnormal video {video} has no ground truth: {path} does not exist; restore it")
    return read_tracks(path)


def _video(path: Path, split: str, source_split: str) -> Video:
    tracks = [] if split == "train" else _tracks(path)
    intervals = union([interval for _, interval in tracks])
    truth = VIRTUAL_TRUTH if split == "virtual" else TRUTH
    return Video(
        name=f"{split}_{path.stem}",
        split=split,
        scene=scene_of(path.stem),
        identity=file_identity(path, tracks),
        open=lambda: FileFrames(path),
        labels={} if split == "train" else {truth: intervals},
        events=[Event(start=start, end=end, name="", kind="") for _, (start, end) in tracks],
        source_name=path.stem,
        source_split=source_split,
    )


ADAPTER = Adapter(ubnormal, {"": PUBLISHED}, virtual=ubnormal_virtual)

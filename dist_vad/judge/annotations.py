"""Ground truths read from annotations alone, where no video is at hand: judging scores needs no picture."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dist_vad.base.errors import InputError
from dist_vad.base.files import files_below
from dist_vad.base.labels import Event, intervals_of
from dist_vad.datasets import avenue, nwpu_campus, shanghaitech, ucf_crime, ucsd
from dist_vad.datasets.files import nearest
from dist_vad.datasets.folder import read_labels
from dist_vad.settings.data import DataSettings
from dist_vad.video.files import VIDEO_EXTENSIONS, FileFrames, entries_of, is_junk, natural_key, open_frames, video_name
from dist_vad.video.source import Frames

Intervals = list[list[int]]
PED2_FRAMES = (180, 180, 150, 180, 150, 180, 180, 180, 120, 150, 180, 180)
"""Of its twelve test clips; those of Ped1 have 200 frames each."""
UCF_FPS, DEFAULT_FPS = 30.0, 25.0


@dataclass(frozen=True, kw_only=True)
class TruthVideo:
    """A test video as its labels know it."""

    name: str
    """As in our own shard sets: `test_01`."""
    source_name: str
    """As in the data set's own files: `01`."""
    scene: str
    fps: float
    labels: Mapping[str, Intervals]
    """Name of ground truth -> anomalous intervals [start, end), 0-based."""
    frames: int | None = None
    """Number of frames; None where neither labels nor video tell."""
    exact: bool = True
    """Whether that number is sure; containers of video state it wrongly by a frame or two."""
    events: Sequence[Event] = ()


def annotated(name: str, **facts: Any) -> TruthVideo:
    """A video that only its annotation is known of, named as our adapters name it."""
    return TruthVideo(name=f"test_{name.replace('.', '-')}", source_name=name, **facts)


def stated_length(frames: Frames) -> int:
    """Frames of a video as its container states them, which costs nothing; pictures are counted."""
    return frames.stated_length if isinstance(frames, FileFrames) else len(frames)


def _root(settings: DataSettings) -> Path:
    root = Path(settings.root or "")
    if not root.is_dir():
        raise InputError(f"--root {root} does not exist; give the folder of the data set or of its annotations")
    return root


def _below(root: Path, pattern: str) -> list[Path]:
    """Files of a name in the root or up to two folders below, junk left out."""
    found = [path for depth in ("", "*/", "*/*/") for path in root.glob(depth + pattern)]
    return sorted((path for path in found if not is_junk(path)), key=lambda path: natural_key(path.name))


def read_ucsd(settings: DataSettings) -> list[TruthVideo]:
    """The clips of `UCSDped1.m`, `UCSDped2.m` or the repack's `ped2.mat`, by number."""
    root = _root(settings)
    truth = nearest(path for path in files_below(root) if path.match("UCSDped*.m") or path.match("ped[12].mat"))
    if truth is None:
        raise InputError(f"found no UCSDped2.m and no ped2.mat below {root}")
    clips = ucsd.read_m_file(truth) if truth.suffix == ".m" else ucsd.read_mat_file(truth)
    scene = "ped1" if "ped1" in truth.name.lower() else "ped2"
    lengths: Sequence[int | None] = [None] * len(clips)
    if len(clips) == ucsd.PUBLISHED[scene].videos["test"]:
        lengths = PED2_FRAMES if scene == "ped2" else [200] * len(clips)
    return [
        annotated(f"{number:02d}", scene=scene, fps=ucsd.FPS, labels={ucsd.TRUTH: own}, frames=length)
        for number, (own, length) in enumerate(zip(clips, lengths), 1)
    ]


def read_avenue(settings: DataSettings) -> list[TruthVideo]:
    """Pixel masks `1_label.mat`, the intervals of `avenue.mat`, or both: each under its own name."""
    root = _root(settings)
    masks = {f"{int(path.stem.partition('_')[0]):02d}": path for path in _below(root, "[0-9]*_label.mat")}
    listed = nearest(_below(root, "avenue.mat"))
    clips = {f"{n:02d}": clip for n, clip in enumerate(ucsd.read_mat_file(listed), 1)} if listed else {}
    if not masks and not clips:
        raise InputError(f"found no masks such as 1_label.mat and no avenue.mat below {root}")
    if masks and clips and set(masks) != set(clips):
        raise InputError(f"{root} has masks of {len(masks)} videos but intervals of {len(clips)}; expected as many")
    videos = []
    for name in sorted(masks or clips):
        flags = avenue.read_masks(masks[name]) if masks else None
        labels = {} if flags is None else {avenue.PIXEL_MASKS: intervals_of(flags)}
        labels |= {avenue.INTERVALS: clips[name]} if clips else {}
        length = None if flags is None else len(flags)
        videos.append(annotated(name, scene=avenue.SCENE, fps=avenue.FPS, labels=labels, frames=length))
    return videos


def read_shanghaitech(settings: DataSettings) -> list[TruthVideo]:
    """One file of labels for each test video, `01_0014.npy`."""
    root = _root(settings)
    files = [path for path in _below(root, "*.npy") if re.fullmatch(r"\d\d_\d+", path.stem)]
    if not files:
        raise InputError(f"found no labels such as test_frame_mask/01_0014.npy below {root}")
    flags = {path.stem: shanghaitech.read_mask(path) for path in files}
    return [
        annotated(
            name,
            scene=name.partition("_")[0],
            fps=shanghaitech.FPS,
            labels={shanghaitech.TRUTH: intervals_of(own)},
            frames=len(own),
        )
        for name, own in flags.items()
    ]


def read_ucf_crime(settings: DataSettings) -> list[TruthVideo]:
    """The temporal annotation of the test videos, which does not say how long they are."""
    root = _root(settings)
    listing = nearest(path for path in files_below(root) if path.name == ucf_crime.TEST_LIST)
    if listing is None:
        raise InputError(f"found no {ucf_crime.TEST_LIST} below {root}")
    return [
        annotated(
            row.name,
            scene=f"test_{row.name}",
            fps=UCF_FPS,
            labels={ucf_crime.TRUTH: row.intervals},
            events=[Event(start=start, end=end, name=row.category, kind="") for start, end in row.intervals],
        )
        for row in ucf_crime.read_test_list(listing)
    ]


def read_nwpu_campus(settings: DataSettings) -> list[TruthVideo]:
    """The archive of one array of labels for each test video."""
    root = _root(settings)
    truth = nearest(_below(root, "gt.npz")) or nearest(_below(root, "*.npz"))
    if truth is None:
        raise InputError(f"found no gt.npz below {root}")
    return [
        annotated(
            name,
            scene=name.partition("_")[0],
            fps=DEFAULT_FPS,
            labels={nwpu_campus.TRUTH: intervals_of(flags)},
            frames=len(flags),
        )
        for name, flags in sorted(nwpu_campus.read_truth(truth).items(), key=lambda item: natural_key(item[0]))
    ]


def read_folder(settings: DataSettings) -> list[TruthVideo]:
    """The videos that a file of labels lists, with their lengths where the videos are in `test/`."""
    if settings.labels is None:
        raise InputError("--labels FILE is missing: the labels of a `folder` data set")
    labels = read_labels(settings.labels)
    folder = Path(settings.root or "") / "test"
    entries = entries_of(folder) if folder.is_dir() else []
    videos = {video_name(p): p for p in entries if p.is_dir() or p.suffix.lower() in VIDEO_EXTENSIONS}
    found = []
    for name in sorted(labels, key=natural_key):
        frames = open_frames(videos[name]) if name in videos else None
        scene, separator, _ = name.partition("_")
        found.append(
            annotated(
                name,
                scene=scene if separator else "scene",
                fps=frames.fps if frames else DEFAULT_FPS,
                labels={"frames": labels[name]},
                frames=frames and stated_length(frames),
                exact=not isinstance(frames, FileFrames),
            )
        )
    return found


ANNOTATIONS: dict[str, Callable[[DataSettings], list[TruthVideo]]] = {
    "ucsd": read_ucsd,
    "avenue": read_avenue,
    "shanghaitech": read_shanghaitech,
    "ucf_crime": read_ucf_crime,
    "nwpu_campus": read_nwpu_campus,
    "folder": read_folder,
}
"""Data set -> how its annotations are read without video. Raises InputError where they are not there."""

"""`shanghaitech`: ShanghaiTech Campus, as published, or with its training video extracted to pictures.

Published: `training/videos/01_001.avi`, `testing/frames/01_0014/000.jpg`, and one label per frame in
`testing/test_frame_mask/01_0014.npy`. Repack: `training/frames/01_001/000.jpg`, the rest alike.
"""

import re
from pathlib import Path

import numpy as np

from dist_vad.base.errors import InputError
from dist_vad.base.labels import intervals_of
from dist_vad.datasets.base import Adapter, Published
from dist_vad.datasets.files import by_name, file_identity, labelled_videos, root_of, video_entries
from dist_vad.settings.data import DataSettings
from dist_vad.video.files import is_junk, open_frames, video_name
from dist_vad.video.source import Video

TRUTH = "frames"
FPS = 24.0

PUBLISHED = Published(
    videos={"train": 330, "test": 107},
    frames={"test": 40_791},
    anomalous={TRUTH: 17_326},
    where="https://svip-lab.github.io/dataset/campus_dataset.html",
)

LAYOUT = (
    "expected training/videos/01_001.avi (or, extracted, training/frames/01_001/000.jpg), "
    "testing/frames/01_0014/000.jpg and testing/test_frame_mask/01_0014.npy"
)


def shanghaitech(settings: DataSettings) -> list[Video]:
    """The videos of ShanghaiTech Campus under `data.root`; those of one camera share a scene."""
    root = root_of(settings, "ShanghaiTech Campus")
    # Where somebody extracted pictures beside the video, the video is what was published, and whole.
    trains = video_entries(root / "training/videos") or video_entries(root / "training/frames")
    if not trains:
        raise InputError(f"{root} holds no training video of ShanghaiTech Campus; {LAYOUT}")
    tests = by_name(video_entries(root / "testing/frames"), _name)
    folders = (root / "testing/test_frame_mask", root / "test_frame_mask")
    truth = next((folder for folder in folders if folder.is_dir()), None)
    train = [_video(name, path, "train", None) for name, path in by_name(trains, _name).items()]
    if truth is None:
        return [*train, *(_video(name, path, "test", None) for name, path in tests.items())]
    files = {path.stem: path for path in truth.glob("*.npy") if not is_junk(path)}
    kept = labelled_videos(tests, files, truth, settings)
    return [
        *train,
        *(_video(name, path, "test", read_mask(files[name])) for name, path in tests.items() if name in kept),
    ]


def read_mask(path: Path) -> np.ndarray:
    """The labels of a test video, one per frame: whole numbers [T], 0 normal. Raises InputError for other content."""
    try:
        flags = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{path} does not read: {error}; expected a NumPy file with one label per frame") from error
    if not isinstance(flags, np.ndarray) or flags.ndim != 1 or flags.dtype.kind not in "bui":
        content = f"{flags.dtype} {list(flags.shape)}" if isinstance(flags, np.ndarray) else "several arrays"
        raise InputError(f"{path} holds {content}, expected one label per frame: whole numbers, [T]; restore the file")
    return flags


def _name(path: Path) -> str:
    """The video's name in the data set; its digits before `_` are those of its camera."""
    name = video_name(path)
    if not re.fullmatch(r"\d\d_\d+", name):
        raise InputError(f"{path} is not named as a video of ShanghaiTech Campus, such as 01_0014; {LAYOUT}")
    return name


def _video(name: str, path: Path, split: str, flags: np.ndarray | None) -> Video:
    labels = {} if flags is None else {TRUTH: intervals_of(flags)}
    return Video(
        name=f"{split}_{name}",
        split=split,
        scene=name.partition("_")[0],
        identity=file_identity(path, [labels, None if flags is None else len(flags)]),
        open=lambda: open_frames(path, FPS),
        labels=labels,
        labelled_frames=None if flags is None else len(flags),
        source_name=name,
        source_split=f"{split}ing",
    )


ADAPTER = Adapter(shanghaitech, {"": PUBLISHED})

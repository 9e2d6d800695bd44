"""`nwpu_campus`: NWPU Campus as published: `videos/Train/D001_03.avi`, `videos/Test/D001_04.avi`, and one `gt.npz` for
the test split.

The archive holds one array of 0 and 1 per test video, under the video's name, one number per frame. A video does not
always decode to as many frames; the producer compares, and `--labels_mismatch clip` cuts the labels to the video.
"""

from pathlib import Path

import numpy as np

from dist_vad.base.errors import InputError
from dist_vad.base.labels import intervals_of
from dist_vad.base.log import log
from dist_vad.datasets.base import Adapter, Published
from dist_vad.datasets.files import file_identity, nearest, report_missing, root_of
from dist_vad.settings.data import DataSettings
from dist_vad.video.files import VIDEO_EXTENSIONS, FileFrames, is_junk, natural_key
from dist_vad.video.source import Video

TRUTH = "frames"
PUBLISHED = Published(videos={"test": 242}, where="https://campusvad.github.io")

LAYOUT = "expected videos/Train/D001_03.avi, videos/Test/D001_04.avi and gt.npz"


def nwpu_campus(settings: DataSettings) -> list[Video]:
    """The videos below `data.root`; the scene is the part of the name before the `_`, one for each camera.

    Without an archive of ground truth the test videos are there unlabelled.
    """
    root = root_of(settings, "NWPU Campus")
    train, test = _split_folder(root, "train"), _split_folder(root, "test")
    trains, tests = _video_files(train), _video_files(test)
    if not trains:
        raise InputError(f"{train or root} holds no training videos; {LAYOUT}")
    truth = nearest([*root.glob("gt.npz"), *root.glob("*/gt.npz")]) or nearest(
        [*root.glob("*.npz"), *root.glob("*/*.npz")]
    )
    labels = _labels(truth, tests, root, settings)
    return [
        *(_video("train", path, None) for path in trains.values()),
        *(_video("test", path, labels[name]) for name, path in tests.items() if name in labels),
    ]


def read_truth(path: Path) -> dict[str, np.ndarray]:
    """Test video -> one flag per frame, bool [T]. Raises InputError for anything but arrays [T] of 0 and 1."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except Exception as error:  # numpy raises errors of many kinds for a file that is damaged or of another format
        raise InputError(f"{path} does not read: {error}; {_expected()}") from error
    for name, flags in arrays.items():
        if flags.ndim != 1 or not np.isin(flags, (0, 1)).all():
            raise InputError(
                f"{path}: {name!r} is {flags.dtype} of shape {flags.shape} or not all 0 and 1; {_expected()}"
            )
    return {name: flags.astype(bool) for name, flags in arrays.items()}


def _expected() -> str:
    return f"expected one array [T] of 0 and 1 for each test video; take the archive from {PUBLISHED.where}"


def _split_folder(root: Path, split: str) -> Path | None:
    """The folder of a split, however its name is capitalised; None where there is none."""
    base = root / "videos" if (root / "videos").is_dir() else root
    folders = [path for path in sorted(base.iterdir()) if path.is_dir() and path.name.lower() == split]
    if len(folders) > 1:
        raise InputError(
            f"{base} holds both {folders[0].name}/ and {folders[1].name}/, expected one of them; remove the other"
        )
    return folders[0] if folders else None


def _video_files(folder: Path | None) -> dict[str, Path]:
    """The videos of a folder by name, in natural order."""
    entries = folder.iterdir() if folder else []
    paths = [path for path in entries if path.suffix.lower() in VIDEO_EXTENSIONS and not is_junk(path)]
    videos: dict[str, Path] = {}
    for path in sorted(paths, key=lambda path: natural_key(path.name)):
        if path.stem in videos:
            raise InputError(
                f"{folder} holds {videos[path.stem].name} and {path.name}, expected one of them; remove one"
            )
        videos[path.stem] = path
    return videos


def _labels(
    truth: Path | None, tests: dict[str, Path], root: Path, settings: DataSettings
) -> dict[str, np.ndarray] | dict[str, None]:
    """The flags [T] of each test video that is there; None for all where there is no ground truth.

    Videos and labels must be of the same names; with `labels_mismatch: clip`, those that lack the other are left out.
    """
    if truth is None:
        log.info("note: found no ground truth (gt.npz) in %s; the test videos are unlabelled", root)
        return dict.fromkeys(tests)
    labels = read_truth(truth)
    report_missing([name for name in labels if name not in tests], len(labels), truth, root, settings)
    unlabelled = [name for name in tests if name not in labels]
    if unlabelled:
        text = (
            f"{truth} labels {len(labels)} videos, but not {len(unlabelled)} test videos: {', '.join(unlabelled[:5])}"
        )
        if settings.labels_mismatch == "refuse":
            raise InputError(f"{text}; expected all; restore it, or pass --labels_mismatch clip to leave them out")
        log.info("note: %s; they are left out", text)
    return labels


def _video(split: str, path: Path, flags: np.ndarray | None) -> Video:
    intervals = None if flags is None else intervals_of(flags)
    length = None if flags is None else len(flags)
    return Video(
        name=f"{split}_{path.stem.replace('.', '-')}",
        split=split,
        scene=path.stem.partition("_")[0],
        identity=file_identity(path, [intervals, length]),
        open=lambda: FileFrames(path),
        labels={} if intervals is None else {TRUTH: intervals},
        labelled_frames=length,
        source_name=path.stem,
        source_split=path.parent.name,
    )


ADAPTER = Adapter(nwpu_campus, {"": PUBLISHED})

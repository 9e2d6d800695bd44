"""What adapters of data sets that lie in files share."""

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from dist_vad.config import DataSettings
from dist_vad.errors import InputError
from dist_vad.storage import digest
from shards.datasets.base import Frames
from shards.video import VIDEO_EXTENSIONS, FileFrames, PictureFrames, is_junk, natural_key, picture_files


def file_identity(path: Path, labels: object) -> str:
    """Changes with the names and sizes of a video's files, or with its labels; not with where they lie."""
    files = picture_files(path) if path.is_dir() else [path]
    return digest([[(file.name, file.stat().st_size) for file in files], labels])


def inclusive(first: int, last: int, base: int) -> list[int]:
    """An annotation's first and last frame, counted from `base`, as a 0-based half-open interval.

    Raises ValueError where the first lies before `base` or after the last.
    """
    if not base <= first <= last:
        raise ValueError(f"frames {first} to {last} are no interval of frames counted from {base}")
    return [first - base, last - base + 1]


def intervals_of(flags: np.ndarray) -> list[list[int]]:
    """The runs of non-zero values of `flags` [T] as 0-based half-open intervals: one label per frame, made short."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], np.asarray(flags) != 0, [0]]).astype(np.int8)))
    return edges.reshape(-1, 2).tolist()


def video_entries(folder: Path) -> list[Path]:
    """The video files of a folder or, where it holds none, its folders, in natural order; none if it is not there.

    Folders beside video files are left out: people extract pictures next to the video they come from.
    """
    found = [path for path in folder.iterdir() if not is_junk(path)] if folder.is_dir() else []
    files = [path for path in found if path.is_file() and path.suffix.lower() in VIDEO_EXTENSIONS]
    return sorted(files or [path for path in found if path.is_dir()], key=lambda path: natural_key(path.name))


def by_name(paths: Iterable[Path], name: Callable[[Path], str]) -> dict[str, Path]:
    """The paths by their names, in the order given. Raises InputError where two have the same one."""
    named: dict[str, Path] = {}
    for path in paths:
        other = named.setdefault(name(path), path)
        if other != path:
            raise InputError(f"{other} and {path} are both video {name(path)}; expected one of them: remove the other")
    return named


def open_frames(path: Path, fps: float) -> Frames:
    """A video file, or a folder of pictures taken `fps` times a second."""
    return PictureFrames(path, fps) if path.is_dir() else FileFrames(path)


def labelled_videos(videos: Iterable[str], labelled: Iterable[str], truth: Path, settings: DataSettings) -> set[str]:
    """The names of the test videos that have labels in `truth`: all of them, and no others are expected there.

    With `labels_mismatch: clip`, a video without labels is left out, as are labels without a video, with a note.
    """
    found, known = set(videos), set(labelled)
    if found == known:
        return found
    unlabelled, unseen = (", ".join(sorted(some, key=natural_key)) or "none" for some in (found - known, known - found))
    text = (
        f"{truth} labels {len(known)} test videos, but {len(found)} were found; "
        f"videos without labels: {unlabelled}; labels without video: {unseen}"
    )
    if settings.labels_mismatch == "refuse" or not found & known:
        raise InputError(
            f"{text}; expected labels for each: restore what is missing, or, if it was left out on purpose, pass "
            "--labels_mismatch clip to go on with those videos that have labels"
        )
    print(f"note: {text}; those are left out", flush=True)
    return found & known

"""What adapters of data sets that lie in files share."""

from pathlib import Path

import numpy as np

from dist_vad.storage import digest
from shards.video import picture_files


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

"""What adapters of data sets that lie in files share."""

from pathlib import Path

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

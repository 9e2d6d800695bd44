"""What adapters of data sets that lie in files share."""

from collections.abc import Callable, Iterable
from pathlib import Path

from dist_vad.base.errors import InputError
from dist_vad.base.files import digest
from dist_vad.base.log import log
from dist_vad.base.text.names import composed
from dist_vad.settings.data import DataSettings
from dist_vad.video.files import VIDEO_EXTENSIONS, entries_of, is_junk, natural_key, picture_files


def file_identity(path: Path, labels: object) -> str:
    """Changes with the names and sizes of a video's files, or with its labels; not with where they lie."""
    files = picture_files(path) if path.is_dir() else [path]
    return digest([[(composed(file.name), file.stat().st_size) for file in files], labels])


def inclusive(first: int, last: int, base: int) -> list[int]:
    """An annotation's first and last frame, counted from `base`, as a 0-based half-open interval.

    Raises ValueError where the first lies before `base` or after the last.
    """
    if not base <= first <= last:
        raise ValueError(f"frames {first} to {last} are no interval of frames counted from {base}")
    return [first - base, last - base + 1]


def video_entries(folder: Path) -> list[Path]:
    """The video files of a folder or, where it holds none, its folders, in natural order; none if it is not there.

    Folders beside video files are left out: people extract pictures next to the video they come from.
    """
    entries = entries_of(folder) if folder.is_dir() else []
    files = [path for path in entries if path.is_file() and path.suffix.lower() in VIDEO_EXTENSIONS]
    return sorted(files or [path for path in entries if path.is_dir()], key=lambda path: natural_key(path.name))


def by_name(paths: Iterable[Path], name: Callable[[Path], str]) -> dict[str, Path]:
    """The paths by their names, in the order given. Raises InputError where two have the same one."""
    named: dict[str, Path] = {}
    for path in paths:
        other = named.setdefault(name(path), path)
        if other != path:
            raise InputError(f"{other} and {path} are both video {name(path)}; expected one of them: remove the other")
    return named


def root_of(settings: DataSettings, name: str) -> Path:
    """The folder of the data set called `name`. Raises InputError where it is not there, or holds a link to nothing."""
    root = Path(settings.root or "")
    if not root.is_dir():
        raise InputError(f"data.root {root} does not exist; give the folder of {name}")
    check_links(root)
    return root


def check_links(folder: Path, levels: int = 3) -> None:
    """Raise InputError for a link to nothing in a folder, or so many levels down: there lie videos and ground truths,
    which would be missed without a word. The pictures below are looked at one by one when they are listed."""
    for path in entries_of(folder):
        if levels > 1 and path.is_dir():
            check_links(path, levels - 1)


def only_one(candidates: list[Path], root: Path, nothing: str) -> Path:
    """The one candidate, a data set below `root`. Raises InputError for several, or for none (with `nothing`)."""
    if len(candidates) > 1:
        listed = ", ".join(map(str, candidates))
        raise InputError(f"{root} holds {len(candidates)} data sets; give one of them: {listed}")
    if not candidates:
        raise InputError(nothing)
    return candidates[0]


def labelled_videos(videos: Iterable[str], labelled: Iterable[str], truth: Path, settings: DataSettings) -> set[str]:
    """The names of the test videos that have labels in `truth`: all of them, and no others are expected there.

    With `labels_mismatch: clip`, a video without labels is left out, as are labels without a video, with a note.
    """
    present, known = set(videos), set(labelled)
    if present == known:
        return present
    unlabelled, unseen = (
        ", ".join(sorted(names, key=natural_key)) or "none" for names in (present - known, known - present)
    )
    text = (
        f"{truth} labels {len(known)} test videos, but {len(present)} were found; "
        f"videos without labels: {unlabelled}; labels without video: {unseen}"
    )
    if settings.labels_mismatch == "refuse" or not present & known:
        raise InputError(
            f"{text}; expected labels for each: restore what is missing, or, if it was left out on purpose, pass "
            "--labels_mismatch clip to go on with those videos that have labels"
        )
    log.info("note: %s; those are left out", text)
    return present & known


def nearest(paths: Iterable[Path]) -> Path | None:
    """The file among `paths` that lies at the least depth, junk left out; None where there is none.

    Raises InputError where several lie at that depth: which of them holds, a user must say.
    """
    by_depth = sorted((len(path.parts), path) for path in paths if path.is_file() and not is_junk(path))
    same = [path for depth, path in by_depth if depth == by_depth[0][0]]
    if len(same) > 1:
        raise InputError(
            f"found {len(same)} files, expected one; keep the right one of {', '.join(map(str, same[:5]))}"
        )
    return same[0] if same else None


def read_names(path: Path) -> list[str]:
    """The lines of a list of videos, without blanks around them. Raises InputError where one is there twice."""
    lines = path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    names = [line.strip() for line in lines if line.strip()]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(f"{path} names {twice!r} more than once, expected each video once; remove the repeated lines")
    return names


def report_missing(missing: list[str], listed: int, path: Path, root: Path, settings: DataSettings) -> None:
    """Say which of the videos that a list names are not there: an InputError, or a note where that was asked for."""
    if not missing:
        return
    shown = ", ".join(missing[:5]) + (", …" if len(missing) > 5 else "")
    text = f"{path} names {listed} videos, {len(missing)} of them are not below {root}: {shown}"
    if settings.labels_mismatch == "refuse":
        raise InputError(
            f"{text}; restore them, or, if they are missing on purpose, pass --labels_mismatch clip to do without them"
        )
    log.info("note: %s; they are left out", text)

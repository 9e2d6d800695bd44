"""`folder`: anyone's videos: `root/train` and `root/test`, each with video files or folders of pictures."""

import codecs
import json
from pathlib import Path
from typing import Any

from dist_vad.base.errors import InputError
from dist_vad.base.log import log
from dist_vad.base.text.names import composed
from dist_vad.datasets.base import Adapter
from dist_vad.datasets.files import check_links, file_identity, inclusive
from dist_vad.settings.data import DataSettings
from dist_vad.video.files import VIDEO_EXTENSIONS, entries_of, natural_key, open_frames, picture_files, video_name
from dist_vad.video.source import Video

TRUTH = "frames"

LAYOUT = "expected train/ (normal video) and, to score, test/, each with video files or folders of pictures"


def folder(settings: DataSettings) -> list[Video]:
    """The videos under `data.root`; the scene is the part of the name before the first `_`."""
    root = Path(settings.root or "")
    if root.is_dir():
        check_links(root)
    if not (root / "train").is_dir() and not (root / "test").is_dir():  # test video alone can be scored by a state
        loose = len(_entries(root)) if root.is_dir() else 0
        text = f"{root} holds {loose} videos directly, and no train/" if loose else f"{root}/train does not exist"
        raise InputError(f"{text}; {LAYOUT}")
    place = settings.labels and settings.labels.replace("{root}", str(root))
    labels = None if place is None else read_labels(place)
    tests = _entries(root / "test") if (root / "test").is_dir() else []
    if labels is not None:
        _check_names(Path(place or ""), labels, [video_name(path) for path in tests])
    train = [_video(path, "train", None) for path in _entries(root / "train")] if (root / "train").is_dir() else []
    return [*train, *(_video(path, "test", labels[video_name(path)] if labels is not None else None) for path in tests)]


def _entries(root: Path) -> list[Path]:
    there = entries_of(root)
    entries = [path for path in there if path.is_dir() or path.suffix.lower() in VIDEO_EXTENSIONS]
    if not entries and picture_files(root):
        raise InputError(f"{root} holds pictures, but no folders of them; one folder for each video: {LAYOUT}")
    if left := sorted({path.name for path in there} - {path.name for path in entries}):
        log.warning(
            "remark: %s holds %s files that are not read, such as %s; read are %s, and folders of pictures",
            root, len(left), left[0], " ".join(VIDEO_EXTENSIONS),
        )  # fmt: skip
    keys = [_key(path) for path in entries]
    twice = next((path.name for path, key in zip(entries, keys) if keys.count(key) > 1), None)
    if twice:
        raise InputError(f"{root} holds several videos named like {twice!r}; names must differ before the extension")
    return sorted(entries, key=lambda path: natural_key(path.name))


def _key(path: Path) -> str:
    """The name as part of WebDataset keys, which end at a dot."""
    return video_name(path).replace(".", "-")


def _video(path: Path, split: str, intervals: list[list[int]] | None) -> Video:
    scene, separator, _ = video_name(path).partition("_")
    return Video(
        name=f"{split}_{_key(path)}",
        split=split,
        scene=scene if separator else "scene",
        identity=file_identity(path, intervals),
        open=lambda: open_frames(path),
        labels={} if intervals is None else {TRUTH: intervals},
        source_name=video_name(path),
    )


def read_labels(path: str) -> dict[str, list[list[int]]]:
    """Anomalous intervals by video, 0-based and half-open. Raises InputError for a file that does not read."""
    try:
        listed = json.loads(decoded(Path(path).read_bytes()), object_pairs_hook=_each_once)
        if not isinstance(listed, dict):
            raise ValueError(f"found {type(listed).__name__} where names of videos with their intervals are expected")
        return _each_once([(_labelled(name), _intervals(name, spans)) for name, spans in listed.items()])
    except FileNotFoundError as error:
        raise InputError(f"no labels file at {path}; check data.labels") from error
    except (ValueError, TypeError, RecursionError) as error:
        raise InputError(
            f'labels file {path} does not read ({error}); expected JSON such as {{"video": [[first, last], ...]}}, '
            "frames counted from 0, both inclusive"
        ) from error


def decoded(content: bytes) -> str:
    """A text file's content, whatever a Windows editor has made of its encoding: UTF-8, or UTF-16 with its mark."""
    marked = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return content.decode("utf-16" if marked else "utf-8-sig")


def _labelled(name: str) -> str:
    """The video that a label is of: with or without the ending of its file."""
    stem = Path(name).stem if Path(name).suffix.lower() in VIDEO_EXTENSIONS else name
    return composed(stem)


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """As a dictionary. Raises ValueError where a name comes twice, of which one would be lost."""
    names = [name for name, _ in pairs]
    if twice := [name for name in dict.fromkeys(names) if names.count(name) > 1]:
        raise ValueError(f"{twice[0]!r} is there twice, expected once with all of its intervals")
    return dict(pairs)


def _intervals(name: str, spans: object) -> list[list[int]]:
    """The intervals of a video, half-open. Raises ValueError where they are no list."""
    if not isinstance(spans, list):
        raise ValueError(f"found {spans!r} for {name!r}, expected a list of intervals, [] for a normal video")
    return [_interval(span) for span in spans]


def _interval(span: object) -> list[int]:
    """An interval [first, last] of frames, as a half-open one. Raises ValueError for anything else."""
    if not isinstance(span, list) or len(span) != 2:
        raise ValueError(f"found {span!r} where an interval [first, last] is expected, as in [[3, 12]]")
    if not all(type(frame) is int for frame in span):
        raise ValueError(f"found {span}, expected whole numbers of frames: multiply seconds by the frames a second")
    return inclusive(*span, base=0)


def _check_names(path: Path, labels: dict[str, list[list[int]]], videos: list[str]) -> None:
    missing, unknown = sorted(set(videos) - set(labels)), sorted(set(labels) - set(videos))
    if missing or unknown:
        raise InputError(
            f"{path} must list every test video, with [] for a normal one; "
            f"missing: {', '.join(missing) or 'none'}; not among the videos: {', '.join(unknown) or 'none'}"
        )


ADAPTER = Adapter(folder)

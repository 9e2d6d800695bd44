"""`ucf_crime`: UCF-Crime as published: class folders of video files, in parts as they were unpacked, and two lists.

`Anomaly_Train.txt` names 1610 videos; the 800 normal ones among them are the training set. The test set and its ground
truth are `Temporal_Anomaly_Annotation_for_Testing_Videos.txt`: `name  class  s1  e1  s2  e2`, frames counted from 1,
both ends inclusive (so the authors' code reads them), -1 for none. Some ends overrun their video by up to 2 frames. To
know which, all videos would have to be decoded first, so the labels are given as they are listed: the producer, which
counts the frames in any case, names such a video, and with `--labels_mismatch clip` cuts its labels to its frames.
"""

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from dist_vad.base.errors import InputError
from dist_vad.base.files import files_below
from dist_vad.base.labels import Event
from dist_vad.datasets.base import Adapter, Published
from dist_vad.datasets.files import file_identity, inclusive, nearest, read_names, report_missing, root_of
from dist_vad.settings.data import DataSettings
from dist_vad.video.files import VIDEO_EXTENSIONS, FileFrames
from dist_vad.video.source import Video

TRUTH = "frames"
NORMAL = "Normal"
TRAIN_LIST = "Anomaly_Train.txt"
TEST_LIST = "Temporal_Anomaly_Annotation_for_Testing_Videos.txt"

PUBLISHED = Published(
    videos={"train": 800, "test": 290},
    where="https://www.crcv.ucf.edu/projects/real-world/",
)

Intervals = list[list[int]]


@dataclass(frozen=True)
class Row:
    """One line of the temporal annotation."""

    name: str
    """The video's file name without its extension."""
    category: str
    """`Normal`, or the class of the anomaly: `Abuse`, `Arrest`, ..."""
    intervals: Intervals
    """Anomalous frames, half-open and 0-based; may overrun the video."""


def ucf_crime(settings: DataSettings) -> list[Video]:
    """The normal training videos and all test videos, wherever below `data.root` they lie.

    The folders that the lists name are not those that people have, so a video is found by its file name alone.
    """
    root = root_of(settings, "UCF-Crime")
    paths = [p for p in files_below(root) if p.suffix.lower() in (*VIDEO_EXTENSIONS, ".txt")]
    train_list, test_list = _list_file(paths, TRAIN_LIST, root), _list_file(paths, TEST_LIST, root)
    copies: dict[str, list[Path]] = {}
    for path in paths:
        if path.suffix.lower() != ".txt":
            copies.setdefault(path.stem, []).append(path)
    names, rows = read_train_list(train_list), read_test_list(test_list)
    report_missing([name for name in names if name not in copies], len(names), train_list, root, settings)
    report_missing([row.name for row in rows if row.name not in copies], len(rows), test_list, root, settings)
    return [
        *(_train_video(name, _choose(copies[name], "training")) for name in names if name in copies),
        *(_test_video(row, _choose(copies[row.name], _folder(row))) for row in rows if row.name in copies),
    ]


def read_train_list(path: Path) -> list[str]:
    """The normal videos of `Anomaly_Train.txt`, file names without extension; anomalous ones are no training data."""
    listed = [PurePosixPath(line) for line in read_names(path)]
    names = [video.stem for video in listed if video.name.startswith(NORMAL)]
    if not names:
        raise InputError(
            f"{path} names {len(listed)} videos, none of them normal; expected lines such as "
            "Training_Normal_Videos_Anomaly/Normal_Videos001_x264.mp4; take the list as it is published"
        )
    return names


def read_test_list(path: Path) -> list[Row]:
    """The rows of the temporal annotation. Raises InputError for a line of another form, or of a video named before."""
    rows: dict[str, Row] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8-sig", errors="replace").splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = _row(line)
            if row.name in rows:
                raise ValueError("a video that an earlier line names")
        except ValueError as error:
            raise InputError(
                f"{path}, line {number}: found {line.strip()!r} ({error}), expected `name class s1 e1 s2 e2` with "
                "frames counted from 1, -1 -1 for none, one line for each video; correct the line"
            ) from error
        rows[row.name] = row
    return list(rows.values())


def _row(line: str) -> Row:
    name, category, *numbers = line.split()
    s1, e1, s2, e2 = map(int, numbers)
    intervals = [inclusive(s, e, base=1) for s, e in ((s1, e1), (s2, e2)) if (s, e) != (-1, -1)]
    if (category == NORMAL) == bool(intervals):
        raise ValueError(f"class {category} with {len(intervals)} intervals")
    return Row(PurePosixPath(name).stem, category, intervals)


def _list_file(paths: list[Path], name: str, root: Path) -> Path:
    listing = nearest(path for path in paths if path.name == name)
    if listing is None:
        raise InputError(f"found no {name} below {root}; put it there, {PUBLISHED.where} has it")
    return listing


def _folder(row: Row) -> str:
    """How the name of the folder begins in which the video was published."""
    return "testing" if row.category == NORMAL else row.category.lower()


def _choose(copies: list[Path], folder: str) -> Path:
    """The one to take of the files of one name: one in its published folder, or any where all are of one size.

    The part for event recognition repeats normal videos of the other parts.
    """
    preferred = [path for path in copies if path.parent.name.lower().startswith(folder)] or copies
    if len({path.stat().st_size for path in preferred}) > 1:
        raise InputError(
            f"found {len(preferred)} videos of one name, but of different sizes, expected one; keep the right one of "
            f"{', '.join(map(str, sorted(preferred)))}"
        )
    return min(preferred)


def _train_video(name: str, path: Path) -> Video:
    return _video("train", name, path, {}, [])


def _test_video(row: Row, path: Path) -> Video:
    events = [Event(start=start, end=end, name=row.category, kind="") for start, end in row.intervals]
    return _video("test", row.name, path, {TRUTH: row.intervals}, events)


def _video(split: str, name: str, path: Path, labels: dict[str, Intervals], events: list[Event]) -> Video:
    key = f"{split}_{name.replace('.', '-')}"
    return Video(
        name=key,
        split=split,
        scene=key,  # each video is of a camera of its own
        identity=file_identity(path, [labels, [event.name for event in events]]),
        open=lambda: FileFrames(path),
        labels=labels,
        events=events,
        source_name=name,
        source_split=split.capitalize(),
    )


ADAPTER = Adapter(ucf_crime, {"": PUBLISHED})

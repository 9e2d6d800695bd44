"""Data sets of a few tiny videos, made on the fly: a bright square crosses a grey ramp."""

from pathlib import Path

import cv2
import numpy as np

from dist_vad.data.manifest import Manifest
from dist_vad.producer.check import check
from dist_vad.producer.job import WriteOptions, write_shards
from dist_vad.producer.verify import verify_set
from dist_vad.settings.data import DataSettings

QUIET = WriteOptions(progress=False)
WIDTH, HEIGHT, SIDE, STEP = 96, 72, 16, 3


def corner(number: int) -> tuple[int, int]:
    """Left and top edge of the square in a frame."""
    return 2 + STEP * number % (WIDTH - SIDE - 4), 20


def frame(number: int, tint: int = 0) -> np.ndarray:
    """One frame, RGB, uint8 [HEIGHT, WIDTH, 3]; `tint` tells one video from another."""
    ramp = np.linspace(40, 90, WIDTH, dtype=np.uint8)
    picture = np.stack([np.tile(ramp, (HEIGHT, 1)) + np.uint8(tint)] * 3, axis=-1)
    left, top = corner(number)
    picture[top : top + SIDE, left : left + SIDE] = (230, 200, 60 + 2 * number % 160)
    return picture


def write_pictures(folder: Path, count: int, name: str = "{:03d}.png", start: int = 0, tint: int = 0) -> None:
    """Frames 0..count-1 as pictures, numbered from `start`."""
    folder.mkdir(parents=True)
    for number in range(count):
        picture = cv2.cvtColor(frame(number, tint), cv2.COLOR_RGB2BGR)
        assert cv2.imwrite(str(folder / name.format(number + start)), picture)


def write_video(path: Path, count: int, tint: int = 0) -> None:
    """Frames 0..count-1 as a video file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25, (WIDTH, HEIGHT))
    for number in range(count):
        writer.write(cv2.cvtColor(frame(number, tint), cv2.COLOR_RGB2BGR))
    writer.release()


def make_folder(root: Path, train: int = 4, test: int = 1, count: int = 24) -> DataSettings:
    """A data set of the `folder` kind; returns settings that give several shards a video."""
    for number in range(train):
        write_pictures(root / f"train/a_{number}", count, tint=number)
    for number in range(test):
        write_pictures(root / f"test/b_{number}", count, tint=20 + number)
    return settings_of(root)


def settings_of(root: Path, **changes) -> DataSettings:
    """Settings for a `folder` data set without virtual video."""
    given = {"dataset": "folder", "root": str(root), "virtual": "none", "train_stride": 2, "shard_samples": 5}
    return DataSettings(**{**given, **changes})


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, hidden ones too."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def through_the_producer(dataset: str, root: Path, out: Path, **changes) -> dict[str, dict[str, list[list[int]]]]:
    """Check a miniature of a data set, write it into shards, verify them; returns the labels of the test videos."""
    settings = settings_of(root, dataset=dataset, **changes)
    check(settings, decode=True)
    sets = write_shards(settings, out, QUIET)
    assert [line for folder in sets.values() for line in verify_set(folder)] == []
    return {video.name: video.labels for video in Manifest.load(sets["cube-test"]).videos}

"""The contract between the producer of shards and everything that reads them.

A shard set is a folder, or a prefix of an S3 bucket:

    manifest.json            written last: a manifest that is there means a set that is whole
    {video}-{part:04d}.tar   plain WebDataset tars; samples of one video only
    {video}-{part:04d}.idx   beside each tar, an .npy file of INDEX_DTYPE, one row per sample in tar order

Sample keys are `{video}/{frame:06d}_{object:03d}`; members are the image (`.jpg`, `.png` or `.npy`), `.scene.npy`
(kinds with a scene feature) and `.json`.
"""

import contextlib
import dataclasses
import gc
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from dist_vad.base.errors import Damaged, InputError
from dist_vad.base.files import digest
from dist_vad.base.labels import Event
from dist_vad.base.sealed import sealed, unsealed
from dist_vad.data.store import Store, open_store

SCHEMA = 1
MANIFEST = "manifest.json"
KINDS = ("cube", "clip", "virtual")
SPLITS = ("train", "val", "test")

MEMBERS = ("image", "scene", "json")
IMAGE, SCENE = 0, 1
"""Places of the image and of the scene feature in MEMBERS."""
INDEX_DTYPE = np.dtype(
    [
        ("frame", "<i4"),  # 0-based frame of the sample's middle
        ("object", "<i2"),  # number of the object within its frame; 0 for whole frames
        ("label", "<i1"),  # 0 normal, 1 anomalous (kind `virtual`), -1 unknown
        ("box", "<f4", 4),  # x1, y1, x2, y2 in pixels of the video
        ("confidence", "<f4"),  # of the detector, in [0, 1]
        ("offset", "<i8", 3),  # first byte of each of MEMBERS within the tar; 0 where the member is absent
        ("size", "<i4", 3),  # bytes of each of MEMBERS; 0 where the member is absent
        ("crc32", "<u4", 3),  # zlib.crc32 of each of MEMBERS
    ]
)


@dataclass(frozen=True, kw_only=True, slots=True)
class VideoInfo:
    """What is known of a video."""

    name: str
    scene: str
    frames: int
    fps: float
    width: int
    height: int
    labels: dict[str, list[list[int]]] = field(default_factory=dict)
    """Name of ground truth -> anomalous intervals [start, end), 0-based. Empty: no labels (not: all normal)."""
    events: list[Event] = field(default_factory=list)
    span: list[int | None] | None = None
    """[start, stop): the frames of the video that belong to the split, where not all do; stop None = to the end."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ShardInfo:
    """One tar: its name without extension, whose samples it holds, and what it must weigh."""

    name: str
    video: str
    samples: int
    bytes: int
    sha256: str
    index_sha256: str


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """A whole shard set: one data set, one split, one kind of sample.

    Example:
        manifest = Manifest.load("shards/cube-test")
        print(manifest.samples, manifest.clip_shape, manifest.ground_truths())
    """

    dataset: str
    split: str
    kind: str
    clip_length: int
    """Frames per sample, T."""
    size: int
    """Height and width of a sample in pixels."""
    stride: int
    """Every stride-th frame was sampled."""
    codec: str
    scene_size: int
    """Length D_B of the scene feature; 0 for kinds without one."""
    settings: dict[str, Any]
    """The producer's settings, as given."""
    fingerprint: str
    """Digest of the producer's settings, code version and input identity: the same fingerprint, the same tars."""
    videos: list[VideoInfo]
    shards: list[ShardInfo]
    failed: dict[str, str] = field(default_factory=dict)
    """Videos that were left out because they do not open or decode -> why."""
    schema: int = SCHEMA

    @property
    def samples(self) -> int:
        """Samples in the whole set."""
        return sum(shard.samples for shard in self.shards)

    @property
    def clip_shape(self) -> tuple[int, int, int, int]:
        """Shape of the clip of one sample: T, H, W, 3."""
        return self.clip_length, self.size, self.size, 3

    @property
    def content_digest(self) -> str:
        """Identifies the data itself: equal digests mean equal samples in equal order."""
        return digest([self.kind, self.split, [(s.name, s.samples, s.sha256) for s in self.shards]])

    def video(self, name: str) -> VideoInfo:
        """The video of that name."""
        return next(video for video in self.videos if video.name == name)

    def ground_truths(self) -> list[str]:
        """Names of the ground truths that label every video of the set; empty where there are no labels."""
        names = [set(video.labels) for video in self.videos]
        return sorted(set.intersection(*names)) if names else []

    def save(self, place: Store | Path) -> None:
        """Write `manifest.json`, atomically; the last act of a producer."""
        open_store(place).put(MANIFEST, sealed(dataclasses.asdict(self)))

    @classmethod
    def load(cls, place: Store | Path | str) -> "Manifest":
        """Read the manifest of the shard set at a path or at `s3://bucket/prefix`.

        Raises InputError where there is none, or where its schema is another one; Damaged where it does not read.
        """
        with _without_looking_for_cycles():
            return cls._load(open_store(place))

    @classmethod
    def _load(cls, store: Store) -> "Manifest":
        path = store.where(MANIFEST)
        try:
            value = unsealed(store.read(MANIFEST), path, [field.name for field in dataclasses.fields(cls)])
        except FileNotFoundError:
            raise InputError(
                f"no shard set at {store.where()}: {MANIFEST} is missing, so the set was never finished; "
                "start `dist-vad shards write` again with the same arguments, it goes on where it stopped"
            ) from None
        except Damaged as error:
            raise Damaged(f"{error}; delete it and write the shard set again") from error
        if value.get("schema") != SCHEMA:
            raise InputError(
                f"{path} has schema version {value.get('schema')!r}, this version of dist_vad reads {SCHEMA}; "
                "write the shard set again with `dist-vad shards write`, or use the dist_vad that wrote it"
            )
        try:
            value["videos"] = [
                VideoInfo(**{**video, "events": [Event(**event) for event in video["events"]]})
                for video in value["videos"]
            ]
            value["shards"] = [ShardInfo(**shard) for shard in value["shards"]]
            manifest = cls(**value)
            manifest.check()
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise Damaged(
                f"{path} has keys missing or unknown, or values that no producer writes ({type(error).__name__}: "
                f"{error}); delete it and write the shard set again"
            ) from error
        return manifest

    def check(self) -> None:
        """Raise ValueError for what no producer writes: a name that leads out of the set, labels beyond a video."""
        shape = (self.clip_length, self.size, self.stride, *(shard.samples for shard in self.shards))
        _require(all(type(number) is int and number >= 1 for number in shape), "lengths and sizes of 1 or more")
        _require(self.kind in KINDS and self.split in SPLITS, f"kind is {self.kind!r}, split is {self.split!r}")
        names = {video.name for video in self.videos}
        _require(len(names) == len(self.videos), "a video stands there twice")
        for video in self.videos:
            _require(_is_plain(video.name), f"a video is called {video.name!r}")
            sizes = (video.frames, video.width, video.height)
            _require(all(type(number) is int and number >= 1 for number in sizes), f"size of video {video.name}")
            _require(0 < video.fps < math.inf, f"video {video.name} has {video.fps} frames a second")
            for start, end in (span for spans in video.labels.values() for span in spans):
                _require(0 <= start < end <= video.frames, f"labels {start} to {end} of video {video.name}")
        for shard in self.shards:
            _require(_is_plain(shard.name), f"a shard is called {shard.name!r}")
            _require(shard.video in names, f"shard {shard.name} is of video {shard.video!r}, which is not listed")
            for hexadecimal in (shard.sha256, shard.index_sha256):
                _require(re.fullmatch("[0-9a-f]{64}", hexadecimal) is not None, f"digests of shard {shard.name}")


@contextlib.contextmanager
def _without_looking_for_cycles() -> Iterator[None]:
    """Python's collector at rest: a manifest holds no cycles, and each look for some goes through all that there is."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _is_plain(name: str) -> bool:
    """Whether a name is one part of a path, and nothing else."""
    return bool(name) and not set(name) & set("/\\\0") and not name.startswith(".")


def _require(condition: bool, found: str) -> None:
    if not condition:
        raise ValueError(found)


def tar_name(shard: ShardInfo | str) -> str:
    """The file name of a shard's tar."""
    return f"{shard if isinstance(shard, str) else shard.name}.tar"


def index_name(shard: ShardInfo | str) -> str:
    """The file name of a shard's index."""
    return f"{shard if isinstance(shard, str) else shard.name}.idx"


def tar_path(folder: Path, shard: ShardInfo | str) -> Path:
    """Where a shard's tar lies."""
    return folder / tar_name(shard)


def index_path(folder: Path, shard: ShardInfo | str) -> Path:
    """Where a shard's index lies."""
    return folder / index_name(shard)


def sample_key(video: str, frame: int, object_number: int = 0) -> str:
    """The WebDataset key of a sample."""
    return f"{video}/{frame:06d}_{object_number:03d}"

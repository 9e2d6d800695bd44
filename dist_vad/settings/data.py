"""Settings of the producer: what it reads, and what it cuts from it."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Literal

from dist_vad.base import plugins
from dist_vad.base.errors import refuse_unless
from dist_vad.settings.detector import DetectorSettings
from dist_vad.settings.scene import SceneSettings

CODECS = {"jpeg": ".jpg", "png": ".png", "raw": ".npy"}
"""Image codec -> member extension. The image is one strip [T * H, W, 3] of RGB bytes (raw: that array as .npy)."""


@dataclass(kw_only=True)
class PlazaSettings:
    """The generated data set: how many small videos, and of what size."""

    train_videos: int = 12
    """Normal videos to learn from (before the held-out share is taken away)."""
    test_videos: int = 12
    """Videos with labelled anomalies of all three kinds."""
    virtual_videos: int = 240
    """Short labelled videos for the inference phase; from a tenth of them `virtual` learns nothing that holds."""
    frames: int = 120
    """Frames of each train and test video."""
    seed: int = 0
    """Another seed, other videos."""
    looks: int = 1
    """Each scene is seen by so many cameras and in so many weathers, each a scene of its own."""

    def __post_init__(self) -> None:
        for key in ("train_videos", "test_videos", "virtual_videos"):
            refuse_unless(getattr(self, key) >= 2, f"data.plaza.{key}", getattr(self, key), "2 or more")
        refuse_unless(self.frames >= 60, "data.plaza.frames", self.frames, "60 or more")
        refuse_unless(self.seed >= 0, "data.plaza.seed", self.seed, "0 or more")
        refuse_unless(self.looks >= 1, "data.plaza.looks", self.looks, "1 or more")


@dataclass(kw_only=True)
class DataSettings(SceneSettings):
    """What the producer reads and what it cuts from it."""

    dataset: str = "plaza"
    """plaza: generated. folder: anyone's videos or frame folders. The others (ucsd: Ped1 or Ped2) are read as published
    or as their common repack; docs/DATASETS.md shows the trees."""
    root: str | None = None
    """Where the data set lies; not needed for plaza."""
    plaza: PlazaSettings = field(default_factory=PlazaSettings)
    """Settings of the generated data set."""
    labels: str | None = None
    """For `folder`: a JSON file {video: [[first, last], ...]} of anomalous frames, 0-based, both ends inclusive. {root}
    in its path stands for data.root."""
    labels_mismatch: Literal["refuse", "clip"] = "refuse"
    """What to do with labels that do not fit the videos: stop, or go on with what fits. Labels past the end of a video
    are cut to it; videos without labels, and labels without a video, are left out."""
    detector: DetectorSettings = field(default_factory=DetectorSettings)
    """Where the objects of a frame come from."""
    clip_length: int = 9
    """Frames of a cube, T; odd: the object's frame and (T - 1) / 2 on each side."""
    cube_size: int = 48
    """Height and width to which a cube's crops are resized, pixels."""
    context: float = 0.1
    """Each box is widened by this share of its width and height on every side before it is cut."""
    train_stride: int = 1
    """Objects are cut from every n-th frame of training video."""
    test_stride: int = 1
    """Objects are cut from every n-th frame of test video; scores are held in between."""
    clip_stride: int = 0
    """A clip of the whole frame is taken around every n-th frame of the data set's own video; 0 = none. It shows what
    has no object: smoke, or a scene that should not be empty."""
    virtual: str = "plaza"
    """Where the labelled virtual clips of the inference phase come from; plaza generates them for any data set."""
    virtual_root: str | None = None
    """For `ubnormal`: where that data set lies."""
    virtual_size: int = 64
    """Height and width to which whole frames are resized, pixels (the paper: 256); of virtual video and of clips."""
    virtual_stride: int = 3
    """A virtual clip is taken around every n-th frame."""
    codec: Literal["jpeg", "png", "raw"] = "jpeg"
    """How crops are stored: jpeg (quality 95), png (lossless), raw (lossless, large, fast)."""
    tracks: bool = False
    """Write a track id into every cube's json, counted per video from 0: boxes that overlap from one sampled frame to
    the next are one object's."""
    val_share: float = 0.15
    """Share of the training videos held out as normal validation video, chosen by hash of the name."""
    shard_samples: int = 512
    """Most samples in one tar shard."""

    def __post_init__(self) -> None:
        super().__post_init__()
        odd = self.clip_length % 2 == 1 and self.clip_length >= 3
        refuse_unless(odd, "data.clip_length", self.clip_length, "an odd number, 3 or more")
        for key in ("cube_size", "virtual_size"):
            size = getattr(self, key)
            refuse_unless(size >= 16 and size % 8 == 0, f"data.{key}", size, "a multiple of 8, 16 or more")
        for key in ("train_stride", "test_stride", "virtual_stride", "shard_samples"):
            refuse_unless(getattr(self, key) >= 1, f"data.{key}", getattr(self, key), "1 or more")
        refuse_unless(self.clip_stride >= 0, "data.clip_stride", self.clip_stride, "0 or more")
        refuse_unless(0 <= self.context <= 1, "data.context", self.context, "0 to 1")
        refuse_unless(0 < self.val_share < 1, "data.val_share", self.val_share, "more than 0, less than 1")
        refuse_unless(self.codec in CODECS, "data.codec", self.codec, ", ".join(CODECS))
        known = plugins.names(plugins.DATASETS)
        refuse_unless(self.dataset in known, "data.dataset", self.dataset, ", ".join(known))
        refuse_unless(self.virtual in (*known, "none"), "data.virtual", self.virtual, f"none, {', '.join(known)}")
        if self.dataset != "plaza" and self.dataset in plugins.own(plugins.DATASETS):
            refuse_unless(self.root is not None, "data.root", self.root, f"the folder of the `{self.dataset}` data set")
        if self.virtual == "ubnormal":
            refuse_unless(self.virtual_root is not None, "data.virtual_root", None, "the folder of UBnormal")


def unused(data: DataSettings, asked: Collection[str]) -> list[str]:
    """A remark for each setting that is given, but that nothing reads as the others are.

    `asked`: names of the settings that the user gave; the configuration that is taken where none is given has those of
    plaza.
    """
    lines = [
        f"data.detector.{key} is given, but not read by the detector `{data.detector.name}`"
        for key in data.detector.unread
    ]
    if data.dataset == "plaza" and data.root is not None:
        lines.append(f"data.root is {data.root!r}, but not read: plaza is generated")
    if data.labels is not None and data.dataset != "folder" and data.dataset in plugins.own(plugins.DATASETS):
        lines.append(f"data.labels is {data.labels!r}, but not read: {data.dataset} has its own ground truth")
    if data.virtual_root is not None and data.virtual in ("plaza", "none"):
        lines.append(f"data.virtual_root is {data.virtual_root!r}, but not read: data.virtual is `{data.virtual}`")
    plaza = any(name.removeprefix("data.").startswith("plaza.") for name in asked)
    if plaza and "plaza" not in (data.dataset, data.virtual):
        lines.append("settings under data.plaza are given, but not read: nothing is generated")
    return lines

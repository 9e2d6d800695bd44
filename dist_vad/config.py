"""Every setting of the system, with its meaning, its unit and what is allowed.

Settings are dataclasses; YAML files in `configs/`, dotted overrides on the command line, `--help` and
`--print_config` come from them. A bad value is refused when it is read: the message names the key, the value
and what is allowed.
"""

from dataclasses import dataclass, field
from typing import Literal

from dist_vad.manifest import CODECS


def refuse_unless(condition: bool, key: str, value: object, allowed: str) -> None:
    """Raise a ValueError that names key, value and what is allowed, unless the condition holds."""
    if not condition:
        raise ValueError(f"{key} is {value!r}; allowed: {allowed}")


@dataclass(kw_only=True)
class PlazaSettings:
    """The generated data set: how many small videos, and of what size."""

    train_videos: int = 12
    """Normal videos to learn from (before the held-out share is taken away)."""
    test_videos: int = 12
    """Videos with labelled anomalies of all three kinds."""
    virtual_videos: int = 24
    """Short labelled videos for the inference phase."""
    frames: int = 120
    """Frames of each train and test video."""
    seed: int = 0
    """Another seed, other videos."""

    def __post_init__(self) -> None:
        for key in ("train_videos", "test_videos", "virtual_videos"):
            refuse_unless(getattr(self, key) >= 2, f"data.plaza.{key}", getattr(self, key), "2 or more")
        refuse_unless(self.frames >= 60, "data.plaza.frames", self.frames, "60 or more")


@dataclass(kw_only=True)
class DetectorSettings:
    """Where the objects of a frame come from."""

    name: Literal["motion", "boxes"] = "motion"
    """motion: regions that differ from the video's background, needs no weights. boxes: read from a file."""
    boxes: str | None = None
    """For `boxes`: a JSON file {video: [[[x1, y1, x2, y2, confidence], ...] per frame]}; {split} stands for the split."""
    min_confidence: float = 0.0
    """Boxes below this confidence, in [0, 1], are left out."""
    min_size: int = 8
    """Boxes whose shorter side is below this many pixels are left out."""
    threshold: int = 22
    """For `motion`: a pixel moves if any channel differs from the background by more than this, in 1..254."""

    def __post_init__(self) -> None:
        refuse_unless(0 <= self.min_confidence <= 1, "data.detector.min_confidence", self.min_confidence, "0 to 1")
        refuse_unless(self.min_size >= 2, "data.detector.min_size", self.min_size, "2 or more pixels")
        refuse_unless(1 <= self.threshold <= 254, "data.detector.threshold", self.threshold, "1 to 254")
        if self.name == "boxes":
            refuse_unless(self.boxes is not None, "data.detector.boxes", self.boxes, "a path when detector is `boxes`")


@dataclass(kw_only=True)
class DataSettings:
    """What the producer reads and what it cuts from it."""

    dataset: Literal["plaza", "ucsd", "folder"] = "plaza"
    """plaza: generated. ucsd: Ped1 or Ped2, official layout or the common repack. folder: anyone's videos or frame folders."""
    root: str | None = None
    """Where the data set lies; not needed for plaza."""
    plaza: PlazaSettings = field(default_factory=PlazaSettings)
    """Settings of the generated data set."""
    labels: str | None = None
    """For `folder`: a JSON file {video: [[first, last], ...]} of anomalous frames, 0-based, both ends inclusive."""
    labels_mismatch: Literal["refuse", "clip"] = "refuse"
    """What to do with labels that run past the end of their video: stop, or cut them to the video."""
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
    virtual_size: int = 64
    """Height and width to which whole virtual frames are resized, pixels (the paper: 256)."""
    virtual_stride: int = 3
    """A virtual clip is taken around every n-th frame."""
    codec: Literal["jpeg", "png", "raw"] = "jpeg"
    """How crops are stored: jpeg (quality 95), png (lossless), raw (lossless, large, fast)."""
    scene_grid: int = 8
    """The scene feature lies on a grid of n x n cells, whatever the video's resolution; its length D_B is 3 n^2."""
    val_share: float = 0.15
    """Share of the training videos held out as normal validation video, chosen by hash of the name."""
    shard_samples: int = 512
    """Most samples in one tar shard."""

    def __post_init__(self) -> None:
        odd = self.clip_length % 2 == 1 and self.clip_length >= 3
        refuse_unless(odd, "data.clip_length", self.clip_length, "an odd number, 3 or more")
        for key in ("cube_size", "virtual_size"):
            size = getattr(self, key)
            refuse_unless(size >= 16 and size % 8 == 0, f"data.{key}", size, "a multiple of 8, 16 or more")
        for key in ("train_stride", "test_stride", "virtual_stride", "scene_grid", "shard_samples"):
            refuse_unless(getattr(self, key) >= 1, f"data.{key}", getattr(self, key), "1 or more")
        refuse_unless(0 <= self.context <= 1, "data.context", self.context, "0 to 1")
        refuse_unless(0 < self.val_share < 1, "data.val_share", self.val_share, "more than 0, less than 1")
        refuse_unless(self.codec in CODECS, "data.codec", self.codec, ", ".join(CODECS))
        if self.dataset != "plaza":
            refuse_unless(self.root is not None, "data.root", self.root, f"the folder of the `{self.dataset}` data set")

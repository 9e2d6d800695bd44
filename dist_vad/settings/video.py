"""Settings of `dist-vad score`: how any video is scored by a state, and what counts as an event."""

from dataclasses import dataclass, field
from typing import Any, Literal

from dist_vad.base.errors import refuse_unless

LEAST_FPS, MOST_FPS = 1e-6, 1e5
FPS = "0.000001 to 100000 frames a second"
"""Between a picture in eleven days and the quickest cameras; beyond, seconds are no numbers any more."""


@dataclass(kw_only=True)
class EventSettings:
    """What makes an event of frame scores; decided by normal video alone."""

    false_alarms: float = 0.01
    """Share of the frames of held-out normal video that may score as high as an event's threshold, 0 to 1. Where that
    video is too short to count so small a share, the threshold is extrapolated from its highest scores."""
    join: float = 1.0
    """Stretches above the threshold that lie less than so many seconds apart are one event."""

    def __post_init__(self) -> None:
        refuse_unless(0 < self.false_alarms < 1, "events.false_alarms", self.false_alarms, "more than 0, less than 1")
        refuse_unless(self.join >= 0, "events.join", self.join, "0 or more seconds")


@dataclass(kw_only=True)
class VideoSettings:
    """How videos are scored, and what is written of them."""

    out: str = "scored"
    """Folder for what is written: NAME.parquet (or .csv), NAME.events.json, NAME.mp4 for each video."""
    table: Literal["parquet", "csv"] = "parquet"
    """Format of the table of frame scores."""
    mp4: bool = True
    """Write the video with its boxes, scores and events drawn in."""
    online: bool = False
    """Score every frame from what was seen up to a few frames after it, as for a camera. Streams are always."""
    engine: Literal["torch", "onnx", "openvino"] = "torch"
    """What computes the network: torch, or ONNX Runtime or OpenVINO for a state that was exported (`dist-vad export`),
    which need no torch. Scores are the same to 1e-5."""
    scorer: str | None = None
    """Which score counts: combined (heads, velocity and geometry), fused (heads alone), or a task that the state was
    trained on, such as prediction; not given = combined, or fused for a state without it."""
    stride: int | None = None
    """Objects are cut from every n-th frame, and scores held in between; not given = the state's data.test_stride."""
    fps: float | None = None
    """Frames a second; not given = as a video file says, whose frames are shown when it says, and 25 for folders of
    pictures, which do not say it themselves."""
    scene: str | None = None
    """Which training scene the video shows; not given = the one whose scene feature is nearest."""
    detector: dict[str, Any] = field(default_factory=dict)
    """Settings of the object detector other than those that the state's cubes were cut with, such as
    `--detector.boxes FILE` or `--detector.name motion`; `dist-vad train --help` lists them (data.detector)."""
    events: EventSettings = field(default_factory=EventSettings)
    """What counts as an event."""
    warmup: float = 2.0
    """Online, the background is the median of the first so many seconds; scores begin after them."""
    batch: int = 8
    """Online, objects of a frame are scored so many at once; fewer are padded to it. An exported state has its own."""
    max_lag: float = 1.0
    """Online, a stream that is faster than the machine: frames are left unscored where more than so many seconds of
    it wait, so that the delay stays bounded. They are counted."""

    def __post_init__(self) -> None:
        refuse_unless(self.stride is None or self.stride >= 1, "stride", self.stride, "1 or more")
        refuse_unless(self.fps is None or LEAST_FPS <= self.fps <= MOST_FPS, "fps", self.fps, FPS)
        refuse_unless(self.warmup > 0, "warmup", self.warmup, "more than 0 seconds")
        refuse_unless(self.batch >= 1, "batch", self.batch, "1 or more")
        refuse_unless(self.max_lag > 0, "max_lag", self.max_lag, "more than 0 seconds")

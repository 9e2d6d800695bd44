"""Settings of `dist-vad watch`: the cameras, what is kept of them, and who is told of events."""

from dataclasses import dataclass, field
from typing import Any

from dist_vad.base.errors import refuse_unless
from dist_vad.settings.video import FPS, LEAST_FPS, MOST_FPS, EventSettings

LOOPBACK = ("127.0.0.1", "::1", "localhost")


@dataclass(kw_only=True)
class CameraSettings:
    """One camera. What is not given is as for all cameras."""

    url: str
    """rtsp://, http:// or any other URL that FFmpeg reads, the number of a camera of this machine (0), or a video file,
    which is played again and again. ${NAME} stands for a variable of the environment: passwords belong there."""
    state: str | None = None
    """Folder of the state that scores it."""
    scene: str | None = None
    """Which training scene it shows; not given = the one whose scene feature is nearest."""
    false_alarms: float | None = None
    """As events.false_alarms, for this camera."""
    stride: int | None = None
    """As `stride`, for this camera."""
    fps: float | None = None
    """At most so many frames a second are looked at, evenly; not given = all that come. Cubes are as many frames long
    as in training: the rate should be near that of the training video."""

    def __post_init__(self) -> None:
        refuse_unless(bool(self.url), "cameras.NAME.url", self.url, "a URL, the number of a camera, or a video file")
        share = self.false_alarms
        allowed = "more than 0, less than 1"
        refuse_unless(share is None or 0 < share < 1, "cameras.NAME.false_alarms", share, allowed)
        refuse_unless(self.stride is None or self.stride >= 1, "cameras.NAME.stride", self.stride, "1 or more")
        refuse_unless(self.fps is None or LEAST_FPS <= self.fps <= MOST_FPS, "cameras.NAME.fps", self.fps, FPS)


@dataclass(kw_only=True)
class ClipSettings:
    """The short video of an event."""

    before: float = 5.0
    """Seconds that it shows before the event begins: so much of every camera is held in memory."""
    after: float = 3.0
    """Seconds after its end."""
    longest: float = 60.0
    """Most seconds of one clip; an event may go on without it."""
    width: int = 640
    """Wider pictures are made so many pixels wide; never wider ones than come."""
    fps: float = 10.0
    """Most pictures a second."""

    def __post_init__(self) -> None:
        for key in ("before", "after"):
            refuse_unless(0 <= getattr(self, key) <= 60, f"clip.{key}", getattr(self, key), "0 to 60 seconds")
        refuse_unless(self.longest > 0, "clip.longest", self.longest, "more than 0 seconds")
        refuse_unless(self.width >= 64, "clip.width", self.width, "64 or more pixels")
        refuse_unless(LEAST_FPS <= self.fps <= MOST_FPS, "clip.fps", self.fps, FPS)


@dataclass(kw_only=True)
class KeepSettings:
    """How long what was written stays."""

    days: float = 30.0
    """Events, snapshots and clips that are older are removed."""
    gigabytes: float = 10.0
    """Where snapshots and clips take more, the oldest are removed."""

    def __post_init__(self) -> None:
        refuse_unless(self.days > 0, "keep.days", self.days, "more than 0 days")
        refuse_unless(self.gigabytes > 0, "keep.gigabytes", self.gigabytes, "more than 0")


@dataclass(kw_only=True)
class PageSettings:
    """The live page, /metrics and /healthz."""

    host: str = "127.0.0.1"
    """Address to listen on; one that others reach (0.0.0.0) needs a token."""
    port: int = 8765
    """0 = any that is free; -1 = no page."""
    token: str | None = None
    """What a visitor must know; best as ${NAME}. Not needed on the loopback address."""

    def __post_init__(self) -> None:
        refuse_unless(-1 <= self.port <= 65535, "page.port", self.port, "-1 to 65535")
        safe = self.host in LOOPBACK or self.port < 0 or bool(self.token)
        allowed = f"a token where page.host is {self.host!r}, which other machines reach; or page.host 127.0.0.1"
        refuse_unless(safe, "page.token", self.token, allowed)
        long = self.token is None or self.token.startswith("${") or len(self.token) >= 16
        refuse_unless(long, "page.token", "***", "16 characters or more")


@dataclass(kw_only=True)
class WebhookSettings:
    """Every event line, sent as the body of a POST."""

    url: str
    """http:// or https://; ${NAME} stands for a variable of the environment."""
    headers: dict[str, str] = field(default_factory=dict)
    """Further headers, such as {Authorization: "Bearer ${TOKEN}"}."""


@dataclass(kw_only=True)
class MqttSettings:
    """Every event line, published to a broker."""

    host: str
    """Name or address of the broker."""
    port: int = 1883
    """Its port; 8883 is usual with tls."""
    topic: str = "dist_vad"
    """Lines of a camera go to TOPIC/CAMERA."""
    user: str | None = None
    """Name to log in with."""
    password: str | None = None
    """Password, best as ${NAME}."""
    tls: bool = False
    """Encrypt, and check the broker's certificate."""

    def __post_init__(self) -> None:
        refuse_unless(bool(self.host), "sinks.mqtt.host", self.host, "a name or an address")
        refuse_unless(1 <= self.port <= 65535, "sinks.mqtt.port", self.port, "1 to 65535")
        refuse_unless(bool(self.topic), "sinks.mqtt.topic", self.topic, "a topic")


@dataclass(kw_only=True)
class SinkSettings:
    """Who is told of events, beside the files in `out`."""

    stdout: bool = True
    """Print every line."""
    webhook: WebhookSettings | None = None
    """A web server."""
    mqtt: MqttSettings | None = None
    """A broker."""
    exec: list[str] = field(default_factory=list)
    """A program with its arguments, started for every line, which it finds on its standard input."""


@dataclass(kw_only=True)
class LearnSettings:
    """How cameras are learned that were never trained: `dist-vad watch cameras.yaml --learn HOURS`."""

    every: int = 2
    """Cubes are recorded from every n-th frame."""
    most_cubes: int = 60_000
    """Most cubes of all cameras together; they are taken evenly over the time."""
    curriculum: str = "pre > sr+pre"
    """What is trained (`dist-vad train`)."""
    steps: int = 600
    """Steps of each stage."""
    options: list[str] = field(default_factory=list)
    """Further arguments of `dist-vad train`, such as [--model.width, "16"]."""

    def __post_init__(self) -> None:
        refuse_unless(self.every >= 1, "learning.every", self.every, "1 or more")
        refuse_unless(self.most_cubes >= 100, "learning.most_cubes", self.most_cubes, "100 or more")
        refuse_unless(self.steps >= 1, "learning.steps", self.steps, "1 or more")


@dataclass(kw_only=True)
class WatchEventSettings(EventSettings):
    """What makes an event, and how often it is told of."""

    update: float = 5.0
    """Seconds between two lines about an event that goes on; after a minute twelve times as many."""

    def __post_init__(self) -> None:
        super().__post_init__()
        refuse_unless(self.update > 0, "events.update", self.update, "more than 0 seconds")


@dataclass(kw_only=True)
class WatchSettings:
    """The cameras, what is kept of them, and who is told of events."""

    cameras: dict[str, CameraSettings] = field(default_factory=dict)
    """By name. Names become parts of files and topics: letters, digits, - and _."""
    out: str = "watched"
    """Folder for events, snapshots, clips, answers, and what was learned."""
    state: str | None = None
    """Folder of the state that scores the cameras, such as RUN/states/inference-…"""
    scorer: str | None = None
    """Which score counts: combined (heads, velocity and geometry), fused (heads alone), or a task that the state was
    trained on, such as prediction; not given = combined, or fused for a state without it."""
    stride: int | None = None
    """Objects are cut from every n-th frame, and scores held in between; not given = the state's data.test_stride."""
    detector: dict[str, Any] = field(default_factory=dict)
    """Settings of the object detector other than those that the state's cubes were cut with."""
    events: WatchEventSettings = field(default_factory=WatchEventSettings)
    """What counts as an event."""
    clip: ClipSettings = field(default_factory=ClipSettings)
    """The short video of an event."""
    keep: KeepSettings = field(default_factory=KeepSettings)
    """How long what was written stays."""
    page: PageSettings = field(default_factory=PageSettings)
    """The live page."""
    sinks: SinkSettings = field(default_factory=SinkSettings)
    """Who is told of events."""
    learning: LearnSettings = field(default_factory=LearnSettings)
    """How cameras are learned that were never trained."""
    warmup: float = 5.0
    """The background is the median of the first so many seconds; scores begin after them."""
    batch: int = 8
    """Objects of all cameras are scored so many at once; fewer are padded to it."""
    max_lag: float = 1.0
    """Frames are left unscored where more than so many seconds of a camera wait. They are counted."""
    stall: float = 10.0
    """A camera that gives nothing for so many seconds is connected anew."""
    threads: int = 1
    """Threads of the network."""

    def __post_init__(self) -> None:
        for name in self.cameras:
            plain = bool(name) and all(c.isascii() and (c.isalnum() or c in "-_") for c in name)
            refuse_unless(plain, "cameras", name, "names of letters, digits, - and _")
        refuse_unless(self.stride is None or self.stride >= 1, "stride", self.stride, "1 or more")
        for key in ("warmup", "max_lag", "stall"):
            refuse_unless(getattr(self, key) > 0, key, getattr(self, key), "more than 0 seconds")
        for key in ("batch", "threads"):
            refuse_unless(getattr(self, key) >= 1, key, getattr(self, key), "1 or more")

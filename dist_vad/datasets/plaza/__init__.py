"""`plaza`: a small data set that is generated while it is read: static cameras over a square, an arcade and a street.

It needs no download, and it knows where every anomaly is. The test split holds the three kinds that the field tells
apart: anomalous anywhere (`runner`, `smoke`), anomalous in this scene alone (`cart`), never seen before (`ball`,
`drone`). Normal life is the same random process in all splits, and rich enough (people near and far, groups, dogs,
umbrellas, flags in the wind) that the size of a box or the amount of motion does not tell them. The split `virtual` has
close-ups of other anomalies from a virtual camera, for the inference phase.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial

import cv2
import numpy as np

from dist_vad.base.counters import integers
from dist_vad.base.files import digest
from dist_vad.base.labels import Event
from dist_vad.datasets.base import Adapter
from dist_vad.datasets.plaza.actors import Actor, box, visible_share
from dist_vad.datasets.plaza.canvas import SHARPNESS, Canvas, Dice
from dist_vad.datasets.plaza.casting import ANOMALIES, VIRTUAL_ANOMALIES, crowd, passers_by
from dist_vad.datasets.plaza.looks import Look
from dist_vad.datasets.plaza.scenes import (
    CLOSE_UP,
    CLOSE_UP_WORLD,
    HEIGHT,
    SCENES,
    VIRTUAL_SCENES,
    WIDTH,
    Scene,
    background,
    illumination,
    noisy,
    sensor_noise,
)
from dist_vad.settings.data import DataSettings, PlazaSettings
from dist_vad.video.source import Video

VERSION = 5
"""Goes up whenever anything is drawn differently: shards made before are then made again."""
FPS = 25.0
VIRTUAL_FRAMES = 45
VISIBLE_SHARE, VISIBLE_SIDE = 0.2, 8.0
"""An anomaly is labelled in frames that show more than this share of it, and so many pixels of it each way."""

PROGRAMME: tuple[tuple[str, ...], ...] = (
    ("runner", "cart"),  # square, then mall, road, square, ...
    ("ball", "smoke"),
    ("runner",),
    ("ball", "cart"),
    ("drone", "cart"),
    ("smoke", "ball"),
    ("smoke", "drone"),
    ("runner", "cart"),
    ("drone", "runner"),
    ("cart",),
    ("cart", "drone"),
    ("runner", "smoke"),
)
"""The anomalies of each test video, in order of time; begins again after the last."""


def plaza(settings: PlazaSettings) -> list[Video]:
    """All videos of all splits; the first in each scene come first."""
    return [
        *(_train_video(settings, number) for number in range(settings.train_videos)),
        *(_test_video(settings, number) for number in range(settings.test_videos)),
        *(_virtual_video(settings, number) for number in range(settings.virtual_videos)),
    ]


@dataclass
class PlazaFrames:
    """The frames of one video, drawn anew whenever they are asked for."""

    key: tuple[int, str]
    """Seed and name: whence everything random comes."""
    scene: str
    cast: Callable[[], list[Actor]]
    length: int
    width: int = WIDTH
    height: int = HEIGHT
    look: Look | None = None
    camera: Callable[[list[Actor], int], float] | None = None
    """Left edge of the view at a frame, for a camera that moves; None: it does not."""
    fps: float = FPS

    def __len__(self) -> int:
        return self.length

    def __iter__(self) -> Iterator[np.ndarray]:
        actors, scenery = self.cast(), background(self.scene)
        phase = Dice(*self.key, "light").between(0, 2 * math.pi)
        noise = sensor_noise(self.width, self.height)
        corners = integers(0, 32, "plaza noise", *self.key, np.arange(2 * self.length)).reshape(-1, 2)
        for t in range(self.length):
            left = round(SHARPNESS * self.camera(actors, t)) if self.camera else 0
            image = scenery[:, left : left + SHARPNESS * self.width].copy()
            canvas = Canvas(image, (left / SHARPNESS, 0.0))
            for actor in sorted(actors, key=lambda actor: actor.depth(t)):
                actor.draw(canvas, t)
            frame = cv2.resize(image, (self.width, self.height), interpolation=cv2.INTER_AREA)
            seen = noisy(frame, illumination(t, phase), noise, corners[t])
            yield self.look(seen) if self.look else seen


def _video(
    settings: PlazaSettings, name: str, split: str, scene: str, frames: PlazaFrames, events: list[Event]
) -> Video:
    truth = "virtual" if split == "virtual" else "frames"
    labels = {} if split == "train" else {truth: _union(events)}
    facts = asdict(settings)
    if settings.looks == 1:  # videos that were made before there were looks keep their identity
        del facts["looks"]
    identity = digest(["plaza", VERSION, facts, name])
    return Video(
        name=name, split=split, scene=scene, identity=identity, open=lambda: frames, labels=labels, events=events
    )


def _look(settings: PlazaSettings, turn: int, scene: str) -> tuple[str, Look | None]:
    """The name of a scene in the look whose turn it is, and that look."""
    number = turn % settings.looks
    return f"{scene}_{number}" if number else scene, Look.of(number)


def _train_video(settings: PlazaSettings, number: int) -> Video:
    scene = SCENES[list(SCENES)[number % len(SCENES)]]
    name = f"train_{scene.name}_{number:03d}"
    key = (settings.seed, name)
    cast = partial(_crowd, scene, key, settings.frames)
    place, look = _look(settings, number // len(SCENES), scene.name)
    return _video(settings, name, "train", place, PlazaFrames(key, scene.name, cast, settings.frames, look=look), [])


def _test_video(settings: PlazaSettings, number: int) -> Video:
    scene = SCENES[list(SCENES)[number % len(SCENES)]]
    name = f"test_{scene.name}_{number:03d}"
    key, frames = (settings.seed, name), settings.frames
    anomalies, events = [], []
    for anomaly, (start, length) in _slots(Dice(*key, "slots"), PROGRAMME[number % len(PROGRAMME)], frames):
        kind, build = ANOMALIES[anomaly]
        actor = build(Dice(*key, anomaly), scene, frames, start, length)
        anomalies.append(actor)
        events.append(_event(actor, anomaly, kind, frames))

    def cast() -> list[Actor]:
        return [*_crowd(scene, key, frames), *anomalies]

    place, look = _look(settings, number // len(SCENES), scene.name)
    return _video(settings, name, "test", place, PlazaFrames(key, scene.name, cast, frames, look=look), events)


def _crowd(scene: Scene, key: tuple[int, str], frames: int) -> list[Actor]:
    return crowd(scene, Dice(*key, "crowd"), frames)


def _slots(dice: Dice, anomalies: tuple[str, ...], frames: int) -> list[tuple[str, tuple[int, int]]]:
    """First frame and length for each anomaly: one takes about a third of the video, two about a fifth each."""
    if len(anomalies) == 1:
        length = round(dice.between(0.3, 0.38) * frames)
        start = round(dice.between(0.0, 0.6) * frames)
        return [(anomalies[0], (start, length))]
    lengths = [round(dice.between(0.18, 0.23) * frames) for _ in anomalies]
    starts = [round(dice.between(0.0, 0.05) * frames), frames - lengths[1] - round(dice.between(0.0, 0.04) * frames)]
    return list(zip(anomalies, zip(starts, lengths)))


def _event(actor: Actor, name: str, kind: str, frames: int) -> Event:
    """From the first to the last frame that clearly shows the actor, with its box cut to the frame in each."""
    boxes, clear = {}, []
    for t in range(frames):
        extent = box(actor, t)
        if extent is None:
            continue
        x1, y1, x2, y2 = extent
        boxes[t] = [max(0.0, x1), max(0.0, y1), min(float(WIDTH), x2), min(float(HEIGHT), y2)]
        side = min(boxes[t][2] - boxes[t][0], boxes[t][3] - boxes[t][1])
        if visible_share(extent, WIDTH, HEIGHT) > VISIBLE_SHARE and side >= VISIBLE_SIDE:
            clear.append(t)
    first, last = min(clear), max(clear)
    return Event(start=first, end=last + 1, name=name, kind=kind, boxes=[boxes[t] for t in range(first, last + 1)])


def _virtual_video(settings: PlazaSettings, number: int) -> Video:
    """Every second one is anomalous; scenes and anomalies take turns."""
    scene = VIRTUAL_SCENES[list(VIRTUAL_SCENES)[number // 2 % len(VIRTUAL_SCENES)]]
    name = f"virtual_{number:03d}"
    key = (settings.seed, name)
    events = []
    cast = partial(_normal_play, key, scene.vehicles)
    if number % 2:
        turn = (number // 2 + number // (2 * len(VIRTUAL_ANOMALIES))) % len(VIRTUAL_ANOMALIES)
        anomaly = list(VIRTUAL_ANOMALIES)[turn]
        cast = partial(_anomalous_play, key, anomaly)
        events = [Event(start=0, end=VIRTUAL_FRAMES, name=anomaly, kind="")]
    camera = partial(_follow, Dice(*key, "camera").between(0, 2 * math.pi))
    place, look = _look(settings, number // (2 * len(VIRTUAL_SCENES)), scene.name)
    frames = PlazaFrames(key, scene.name, cast, VIRTUAL_FRAMES, CLOSE_UP, CLOSE_UP, look, camera)
    return _video(settings, name, "virtual", place, frames, events)


def _normal_play(key: tuple[int, str], vehicles: bool) -> list[Actor]:
    return passers_by(Dice(*key, "play"), VIRTUAL_FRAMES, vehicles)


def _anomalous_play(key: tuple[int, str], anomaly: str) -> list[Actor]:
    return VIRTUAL_ANOMALIES[anomaly](Dice(*key, "play"), VIRTUAL_FRAMES)


def _follow(phase: float, actors: list[Actor], t: int) -> float:
    """A camera that follows the actors from side to side, a little late and not quite steadily."""
    extents = [extent for extent in (box(actor, max(0, t - 2)) for actor in actors) if extent]
    middle = (min(extent[0] for extent in extents) + max(extent[2] for extent in extents)) / 2
    left = middle - CLOSE_UP / 2 + 3 * math.sin(0.12 * t + phase)
    return min(max(left, 0.0), float(CLOSE_UP_WORLD - CLOSE_UP))


def _union(events: list[Event]) -> list[list[int]]:
    """The frames of all events as intervals [start, end) that neither touch nor overlap."""
    merged: list[list[int]] = []
    for event in sorted(events, key=lambda event: event.start):
        if merged and event.start <= merged[-1][1]:
            merged[-1][1] = max(merged[-1][1], event.end)
        else:
            merged.append([event.start, event.end])
    return merged


def _of_split(settings: DataSettings, virtual: bool) -> list[Video]:
    return [video for video in plaza(settings.plaza) if (video.split == "virtual") == virtual]


def _held_out_virtual(settings: DataSettings) -> list[Video]:
    """A tenth as many virtual videos as are learned from, numbered on from those; of every kind as many."""
    first, pairs = settings.plaza.virtual_videos, settings.plaza.virtual_videos // 20
    return [_virtual_video(settings.plaza, first + first % 2 + number) for number in range(2 * pairs)]


ADAPTER = Adapter(
    lambda settings: _of_split(settings, False),
    virtual=lambda settings: _of_split(settings, True),
    held_out_virtual=_held_out_virtual,
)

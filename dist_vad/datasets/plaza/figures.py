"""Figures of `plaza` for the frames of any other video: walkers, and those who do what nobody does there."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from dist_vad.datasets.plaza.actors import CRAWL, RUN, WALK, Actor, Cyclist, Person, Track, box
from dist_vad.datasets.plaza.canvas import SHARPNESS, Canvas, Dice
from dist_vad.datasets.plaza.casting import STRIPES, level_track, look, stroll, vehicle
from dist_vad.datasets.plaza.things import Ball

WALKER = "walker"
BRIGHT = 130
"""Mean grey level of a place where figures keep their colours; darker places darken them."""
SHADOW = 0.3
"""How far around an actor's box it may throw its shadow, in heights of the box."""


@dataclass(frozen=True)
class Place:
    """Where a figure is, and how high and how fast somebody normal is there."""

    x: float
    y: float
    """Where the feet stand, pixels."""
    height: float
    """Pixels."""
    speed: float
    """Heights a frame."""


def painted(frame: np.ndarray, actor: Actor, t: int) -> np.ndarray:
    """A frame, RGB, uint8 [H, W, 3], with an actor as it is at t, in the light of its place and grey where that is."""
    height, width = frame.shape[:2]
    x1, y1, x2, y2 = box(actor, t) or (0.0, 0.0, 1.0, 1.0)
    around = SHADOW * (y2 - y1)
    left, right = (int(value) for value in np.clip([x1 - around, x2 + around + 1], 0, width))
    top, bottom = (int(value) for value in np.clip([y1 - around, y2 + around + 1], 0, height))
    if left >= right or top >= bottom:
        return frame
    place = frame[top:bottom, left:right].astype(np.float32)
    # Painted on black and on white: the difference says how much of the frame shows through.
    black, white = (_canvas(actor, t, (left, top), place.shape[:2], ground) for ground in (0, 255))
    through = (white - black).mean(axis=2, keepdims=True) / 255
    if np.ptp(place, axis=2).mean() < 2:
        black = black.mean(axis=2, keepdims=True)
    light = np.clip(place.mean() / BRIGHT, 0.3, 1.0)
    with_it = frame.copy()
    with_it[top:bottom, left:right] = np.clip(place * through + black * light + 0.5, 0, 255)
    return with_it


def _canvas(actor: Actor, t: int, origin: tuple[int, int], shape: tuple[int, ...], ground: int) -> np.ndarray:
    """An actor on a ground of one grey level: float32 [H, W, 3], the part of the frame from `origin` on."""
    height, width = shape
    image = np.full((SHARPNESS * height, SHARPNESS * width, 3), ground, np.uint8)
    actor.draw(Canvas(image, origin), t)
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32)


def _way(place: Place, frames: int, speed: float, facing: float, pace: np.ndarray | None = None) -> Track:
    """A way across the place that is there in the middle of its frames; `speed` in heights a frame."""
    before = speed * (np.ones(frames) if pace is None else pace)[: frames // 2].sum()
    start = place.x - before * place.height * math.copysign(1, facing)
    return level_track(frames, (start, place.y), place.height, speed, facing, pace)


def _walker(dice: Dice, place: Place, frames: int) -> Actor:
    pace = np.full(frames, min(1.0, place.speed / 0.03))  # who hardly moves hardly swings
    way = _way(place, frames, place.speed / max(pace[0], 1e-6), _side(dice), pace)
    return Person(track=way, look=look(dice, children=0), gait=stroll(dice), phase=dice.between(0, 6.3))


def _runner(dice: Dice, place: Place, frames: int) -> Actor:
    way = _way(place, frames, _fast(dice, place, 2, 3.5), _side(dice))
    return Person(track=way, look=look(dice, "", children=0), gait=RUN, phase=dice.between(0, 6.3))


def _cyclist(dice: Dice, place: Place, frames: int) -> Actor:
    return Cyclist(track=_way(place, frames, _fast(dice, place, 2, 3.5), _side(dice)), look=look(dice, ""))


def _cart(dice: Dice, place: Place, frames: int) -> Actor:
    return vehicle(dice, _way(place, frames, _fast(dice, place, 1.2, 2.5), _side(dice)))


def _ball(dice: Dice, place: Place, frames: int) -> Actor:
    way, size = _way(place, frames, _fast(dice, place, 2, 3.5), _side(dice)), dice.between(0.24, 0.3)
    return Ball(track=way, size=size, colours=dice.pick(STRIPES), phase=dice.between(0, 6.3))


def _falling(dice: Dice, place: Place, frames: int) -> Actor:
    age = (np.arange(frames) - frames // 2) / dice.between(11, 17) + dice.between(0.3, 0.9)
    down = np.clip(age, 0, 1)
    way = _way(place, frames, 0.01, _side(dice), np.clip(1 - 2 * down, 0, 1))
    return Person(track=way, look=look(dice, "", children=0), gait=WALK, tilt=1.5 * down**2)


def _lying(dice: Dice, place: Place, frames: int) -> Actor:
    way, tilt = _way(place, frames, 0.0, _side(dice), np.zeros(frames)), dice.between(1.35, 1.55)
    return Person(track=way, look=look(dice, "", children=0), gait=WALK, tilt=np.full(frames, tilt))


def _crawling(dice: Dice, place: Place, frames: int) -> Actor:
    way = _way(place, frames, dice.between(0.012, 0.02), _side(dice))
    return Person(track=way, look=look(dice, "", children=0), gait=CRAWL, phase=dice.between(0, 6.3))


def _side(dice: Dice) -> float:
    return dice.pick((-1.0, 1.0))


def _fast(dice: Dice, place: Place, low: float, high: float) -> float:
    """So many times as fast as the object that was there, or as somebody who strolls."""
    return max(place.speed, 0.02) * dice.between(low, high)


KINDS: dict[str, Callable[[Dice, Place, int], Actor]] = {
    "runner": _runner, "cyclist": _cyclist, "cart": _cart, "ball": _ball,
    "falling": _falling, "lying": _lying, "crawling": _crawling,
}  # fmt: skip
DRAWN = {WALKER: _walker, f"{WALKER} 2": _walker, **KINDS}
"""Two walkers for each of the others."""

"""Who is seen in `plaza`: people with their gaits, vehicles, things.

An actor draws itself at a frame number with a `Pen`, whether that paints or measures. Sizes follow from the height
`h` in pixels that a grown-up would have at the actor's place.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from dist_vad.datasets.plaza.canvas import Colour, Outline, Pen, Place, Point


class Actor(Protocol):
    """Anything that moves."""

    def depth(self, t: int) -> float:
        """How near it is to the camera at frame t: what has more is drawn later, in front."""
        ...

    def draw(self, pen: Pen, t: int) -> None:
        """Draw it as it is at frame t; nothing where it is not there."""
        ...


def box(actor: Actor, t: int) -> list[float] | None:
    """x1, y1, x2, y2 around an actor at frame t, not cut to the frame; None where it is not there."""
    outline = Outline()
    actor.draw(outline, t)
    return outline.box()


def darker(colour: Colour, factor: float = 0.72) -> Colour:
    """A colour, red, green, blue in 0..255, with its light multiplied by `factor`."""
    red, green, blue = (min(255, int(value * factor)) for value in colour)
    return red, green, blue


@dataclass(frozen=True, kw_only=True)
class Track:
    """Where something is from frame `first` on, one entry per frame."""

    first: int
    x: np.ndarray
    """Pixels from the left."""
    y: np.ndarray
    """Pixels from the top, of the point where it touches the ground."""
    h: np.ndarray
    """Height of a grown-up at that place, pixels."""
    distance: np.ndarray
    """Way covered so far, in units of h."""
    pace: np.ndarray
    """Speed as a share of its cruising speed: 0 stands, 1 goes."""
    facing: float
    """-1 towards the left, 1 towards the right, values between when seen from the front or from behind."""

    def index(self, t: int) -> int | None:
        """The entry of frame t; None outside the track."""
        return t - self.first if 0 <= t - self.first < len(self.x) else None


@dataclass(frozen=True, kw_only=True)
class Gait:
    """How a body moves while it covers ground; angles in radians."""

    stride: float = 0.85
    """Body heights covered in one cycle of two steps."""
    swing: float = 0.42
    """How far the thighs swing to either side."""
    knee: float = 0.75
    """How far a knee bends on its way forwards."""
    lean: float = 0.05
    """How far the trunk leans forwards."""
    arms: float = 0.42
    """How far the upper arms swing."""
    elbow: float = 0.25
    bounce: float = 0.012
    """How far the body rises twice in a cycle, body heights."""
    knee_rest: float = 0.05
    """How far the knees are bent even when at rest."""
    arm_rest: float = 0.0
    """Where the upper arms hang: 0 down, pi / 2 forwards."""


WALK = Gait()
RUN = Gait(stride=1.75, swing=0.85, knee=1.5, lean=0.3, arms=0.9, elbow=1.6, bounce=0.05, knee_rest=0.15)
CRAWL = Gait(stride=0.4, swing=0.35, knee=0.2, lean=1.35, arms=0.4, elbow=0.1, knee_rest=1.35, bounce=0.01)


@dataclass(frozen=True, kw_only=True)
class Look:
    """A person's appearance."""

    top: Colour
    trousers: Colour
    hair: Colour
    skin: Colour
    size: float = 1.0
    """Height as a share of the grown-up's h."""
    prop: str = ""
    """`umbrella`, `trolley`, `dog`, `backpack` or nothing."""
    accent: Colour = (200, 60, 60)
    """Colour of the prop."""


@dataclass(frozen=True, kw_only=True)
class Person:
    """Somebody on foot."""

    track: Track
    look: Look
    gait: Gait = WALK
    phase: float = 0.0
    """Phase of the gait at the first entry of the track, radians."""
    lift: np.ndarray | None = None
    """Height of a jump above the ground for each entry of the track, units of h."""
    tilt: np.ndarray | None = None
    """How far the whole body has toppled forwards for each entry of the track, radians."""

    def depth(self, t: int) -> float:
        i = self.track.index(t)
        return -1.0 if i is None else float(self.track.y[i])

    def draw(self, pen: Pen, t: int) -> None:
        i = self.track.index(t)
        if i is None:
            return
        track = self.track
        x, ground, h = float(track.x[i]), float(track.y[i]), float(track.h[i]) * self.look.size
        cycle = self.phase + 2 * math.pi * float(track.distance[i]) / (self.gait.stride * self.look.size)
        lift = 0.0 if self.lift is None else float(self.lift[i])
        tilt = 0.0 if self.tilt is None else float(self.tilt[i])
        pen.shade((x, ground), (0.26 * h, 0.06 * h))
        body = Body(self.gait, cycle, float(track.pace[i]), track.facing, tilt)
        body.draw(pen, (x, ground - lift * h), h, self.look)
        PROPS[self.look.prop](pen, (x, ground), h, track.facing, cycle, self.look)


class Body:
    """A skeleton in the plane: joints in body heights, x to the right, y upwards, the feet at the origin."""

    def __init__(self, gait: Gait, cycle: float, pace: float, facing: float, tilt: float) -> None:
        self.gait, self.pace, self.facing = gait, pace, facing
        self.hip: Point = (0.0, 0.0)
        self.neck = self._along(self.hip, math.pi - gait.lean * (0.3 + 0.7 * pace), 0.34)
        self.head = self._along(self.neck, math.pi - 0.6 * gait.lean, 0.105)
        # Arms swing against the legs of the same side.
        self.legs = [self._leg(cycle), self._leg(cycle + math.pi)]
        self.arms = [self._arm(cycle + math.pi), self._arm(cycle)]
        self._stand(tilt, gait.bounce * pace * (1 - math.cos(2 * cycle)))

    def draw(self, pen: Pen, foot: Point, h: float, look: Look) -> None:
        """Draw the body with its feet at `foot`, h pixels high: the far limbs, the trunk, the near limbs."""
        spread = 0.045 * (1 - abs(self.facing))

        def place(joint: Point, side: float = 0.0) -> Point:
            return foot[0] + (joint[0] * (self.facing or 1) + side * spread) * h, foot[1] - joint[1] * h

        self._limbs(pen, place, 0, h, darker(look.trousers), darker(look.top), darker(look.skin))
        trunk = 0.15 + 0.05 * (1 - abs(self.facing))
        pen.limb(place(self.hip), place(self.neck), trunk * h, look.top)
        pen.limb(place(self.hip), place(self.hip), (trunk - 0.01) * h, look.trousers)
        radius = 0.07 * h / look.size**0.5  # small people have large heads
        head = place(self.head)
        pen.blob(head, (0.92 * radius, 1.12 * radius), look.hair)
        pen.blob(
            (head[0] + 0.3 * radius * self.facing, head[1] + 0.3 * radius), (0.66 * radius, 0.72 * radius), look.skin
        )
        self._limbs(pen, place, 1, h, look.trousers, darker(look.top, 0.86), look.skin)

    def _limbs(
        self, pen: Pen, place: Place, side: int, h: float, trousers: Colour, sleeve: Colour, skin: Colour
    ) -> None:
        sign = 2 * side - 1
        hip, knee, ankle, toe = (place(joint, sign) for joint in self.legs[side])
        pen.limb(hip, knee, 0.095 * h, trousers)
        pen.limb(knee, ankle, 0.075 * h, trousers)
        pen.limb(ankle, toe, 0.055 * h, (40, 36, 38))
        shoulder, elbow, hand = (place(joint, 2.2 * sign) for joint in self.arms[side])
        pen.limb(shoulder, elbow, 0.065 * h, sleeve)
        pen.limb(elbow, hand, 0.055 * h, sleeve)
        pen.blob(hand, (0.03 * h, 0.03 * h), skin)

    def _leg(self, cycle: float) -> list[Point]:
        gait, pace = self.gait, self.pace
        thigh = gait.swing * pace * math.sin(cycle) + 0.5 * gait.knee_rest
        bend = gait.knee_rest + gait.knee * pace * max(0.0, math.cos(cycle))
        knee = self._along(self.hip, thigh, 0.25)
        ankle = self._along(knee, thigh - bend, 0.23)
        return [self.hip, knee, ankle, self._along(ankle, thigh - 0.6 * bend + 1.4, 0.06)]

    def _arm(self, cycle: float) -> list[Point]:
        gait = self.gait
        upper = gait.arm_rest + gait.arms * self.pace * math.sin(cycle)
        shoulder = self._along(self.neck, gait.lean, 0.03)
        elbow = self._along(shoulder, upper, 0.17)
        return [shoulder, elbow, self._along(elbow, upper + gait.elbow * (0.4 + 0.6 * self.pace), 0.15)]

    @staticmethod
    def _along(start: Point, angle: float, length: float) -> Point:
        """The point so far from `start`, at an angle measured from straight down towards the front."""
        return start[0] + length * math.sin(angle), start[1] - length * math.cos(angle)

    def _stand(self, tilt: float, bounce: float) -> None:
        """Turn the body forwards by `tilt` and put its lowest joint on the ground."""
        cosine, sine = math.cos(tilt), math.sin(tilt)

        def turned(joint: Point) -> Point:
            return joint[0] * cosine + joint[1] * sine, joint[1] * cosine - joint[0] * sine

        limbs = [[turned(joint) for joint in limb] for limb in (*self.legs, *self.arms)]
        neck, head, hip = turned(self.neck), turned(self.head), turned(self.hip)
        ground = min(joint[1] for joint in [*(joint for limb in limbs for joint in limb), (head[0], head[1] - 0.05)])

        def raised(joint: Point) -> Point:
            return joint[0], joint[1] - ground + bounce + 0.025

        limbs = [[raised(joint) for joint in limb] for limb in limbs]
        self.legs, self.arms = limbs[:2], limbs[2:]
        self.neck, self.head, self.hip = raised(neck), raised(head), raised(hip)


def _no_prop(pen: Pen, foot: Point, h: float, facing: float, cycle: float, look: Look) -> None:
    pass


def _umbrella(pen: Pen, foot: Point, h: float, facing: float, cycle: float, look: Look) -> None:
    x, y = foot[0] + 0.06 * h * facing, foot[1] - (1.0 + 0.01 * math.sin(2 * cycle)) * h
    pen.limb((x, y - 0.24 * h), (x, foot[1] - 0.55 * h), 0.025 * h, (70, 66, 66))
    ribs = [(x + 0.32 * h * math.cos(angle), y - 0.22 * h * math.sin(angle)) for angle in np.linspace(0, math.pi, 7)]
    for number, (left, right) in enumerate(itertools.pairwise(ribs)):
        pen.polygon([left, right, (x, y - 0.03 * h)], look.accent if number % 2 else darker(look.accent, 0.8))


def _trolley(pen: Pen, foot: Point, h: float, facing: float, cycle: float, look: Look) -> None:
    x, y, side = foot[0] - 0.36 * h * (facing or 1), foot[1], facing or 1.0
    pen.limb((x + 0.05 * h * side, y - 0.4 * h), (foot[0] - 0.12 * h * side, y - 0.5 * h), 0.03 * h, (60, 60, 66))
    pen.polygon(
        [
            (x - 0.11 * h, y - 0.42 * h),
            (x + 0.11 * h, y - 0.42 * h),
            (x + 0.11 * h, y - 0.05 * h),
            (x - 0.11 * h, y - 0.05 * h),
        ],
        look.accent,
    )
    pen.limb((x - 0.09 * h, y - 0.24 * h), (x + 0.09 * h, y - 0.24 * h), 0.03 * h, darker(look.accent))
    pen.blob((x, y - 0.035 * h), (0.04 * h, 0.04 * h), (40, 40, 44))


def _backpack(pen: Pen, foot: Point, h: float, facing: float, cycle: float, look: Look) -> None:
    x, y = foot[0] - 0.11 * h * facing, foot[1] - (0.69 + 0.01 * math.sin(2 * cycle)) * h
    pen.blob((x, y), (0.075 * h, 0.13 * h), look.accent)


def _dog(pen: Pen, foot: Point, h: float, facing: float, cycle: float, look: Look) -> None:
    side = facing or 1.0
    x, y = foot[0] + 0.55 * h * side, foot[1] + 0.02 * h
    for number, offset in enumerate((-0.13, -0.1, 0.1, 0.13)):
        step = 0.06 * h * math.sin(2.2 * cycle + (0, math.pi, math.pi, 0)[number])
        pen.limb(
            (x + offset * h * side, y - 0.16 * h), (x + offset * h * side + step, y), 0.04 * h, darker(look.accent)
        )
    pen.limb((x - 0.12 * h * side, y - 0.2 * h), (x + 0.12 * h * side, y - 0.21 * h), 0.13 * h, look.accent)
    pen.limb((x + 0.15 * h * side, y - 0.27 * h), (x + 0.24 * h * side, y - 0.28 * h), 0.09 * h, look.accent)
    wag = 0.05 * h * math.sin(3 * cycle)
    pen.limb((x - 0.17 * h * side, y - 0.22 * h), (x - 0.25 * h * side, y - 0.31 * h + wag), 0.035 * h, look.accent)
    pen.limb((x + 0.12 * h * side, y - 0.26 * h), (foot[0] + 0.12 * h * side, y - 0.5 * h), 0.015 * h, (60, 50, 50))


PROPS = {"": _no_prop, "umbrella": _umbrella, "trolley": _trolley, "backpack": _backpack, "dog": _dog}


@dataclass(frozen=True, kw_only=True)
class Vehicle:
    """An electric cart: open with a roof, or a closed van."""

    track: Track
    paint: Colour
    closed: bool
    size: float = 1.0

    def depth(self, t: int) -> float:
        i = self.track.index(t)
        return -1.0 if i is None else float(self.track.y[i])

    def draw(self, pen: Pen, t: int) -> None:
        i = self.track.index(t)
        if i is None:
            return
        x, y, h = float(self.track.x[i]), float(self.track.y[i]), float(self.track.h[i]) * self.size
        side = 1.0 if self.track.facing >= 0 else -1.0
        shake = 0.006 * math.sin(9 * float(self.track.distance[i]))

        def at(forward: float, up: float) -> Point:
            return x + forward * h * side, y - (up + shake) * h

        pen.shade((x, y), (0.8 * h, 0.1 * h))
        (self._van if self.closed else self._open)(pen, at, h)
        for forward in (-0.44, 0.44):
            wheel(pen, (x + forward * h * side, y - 0.15 * h), 0.15 * h, side * float(self.track.distance[i]) / 0.15)

    def _open(self, pen: Pen, at: Place, h: float) -> None:
        for forward in (-0.5, 0.05, 0.42):
            pen.limb(at(forward, 0.4), at(forward - 0.04, 1.05), 0.035 * h, (225, 225, 225))
        pen.limb(at(-0.15, 0.5), at(-0.12, 0.78), 0.15 * h, (70, 84, 120))
        pen.blob(at(-0.1, 0.93), (0.07 * h, 0.08 * h), (214, 170, 140))
        pen.limb(at(-0.1, 0.7), at(0.2, 0.62), 0.06 * h, (70, 84, 120))
        pen.polygon(
            [at(-0.7, 0.2), at(-0.7, 0.52), at(0.1, 0.5), at(0.4, 0.6), at(0.68, 0.45), at(0.7, 0.2)], self.paint
        )
        pen.limb(at(-0.66, 0.24), at(0.66, 0.24), 0.05 * h, darker(self.paint))
        pen.limb(at(-0.6, 1.08), at(0.45, 1.08), 0.07 * h, (238, 236, 226))

    def _van(self, pen: Pen, at: Place, h: float) -> None:
        pen.polygon(
            [at(-0.75, 0.18), at(-0.75, 1.08), at(0.35, 1.08), at(0.58, 0.66), at(0.75, 0.56), at(0.75, 0.18)],
            self.paint,
        )
        pen.polygon([at(0.08, 0.66), at(0.08, 0.98), at(0.32, 0.98), at(0.5, 0.66)], (96, 122, 140))
        pen.limb(at(-0.7, 0.62), at(0.02, 0.62), 0.09 * h, (238, 236, 226))
        pen.limb(at(-0.72, 0.22), at(0.72, 0.22), 0.06 * h, darker(self.paint))


def wheel(pen: Pen, centre: Point, radius: float, angle: float, tyre: Colour = (38, 38, 42)) -> None:
    """A wheel with spokes, turned by an angle in radians."""
    pen.blob(centre, (radius, radius), tyre)
    pen.blob(centre, (0.62 * radius, 0.62 * radius), (176, 178, 182))
    for spoke in (angle, angle + math.pi / 2):
        dx, dy = 0.55 * radius * math.cos(spoke), 0.55 * radius * math.sin(spoke)
        pen.limb((centre[0] - dx, centre[1] - dy), (centre[0] + dx, centre[1] + dy), 0.2 * radius, (112, 114, 120))


@dataclass(frozen=True, kw_only=True)
class Cyclist:
    """Somebody on a bicycle."""

    track: Track
    look: Look

    def depth(self, t: int) -> float:
        i = self.track.index(t)
        return -1.0 if i is None else float(self.track.y[i])

    def draw(self, pen: Pen, t: int) -> None:
        i = self.track.index(t)
        if i is None:
            return
        x, y, h, look = float(self.track.x[i]), float(self.track.y[i]), float(self.track.h[i]), self.look
        side = 1.0 if self.track.facing >= 0 else -1.0
        turn = float(self.track.distance[i])

        def at(forward: float, up: float) -> Point:
            return x + forward * h * side, y - up * h

        pen.shade((x, y), (0.5 * h, 0.06 * h))
        for forward in (-0.31, 0.31):
            wheel(pen, at(forward, 0.2), 0.2 * h, side * turn / 0.2, (52, 52, 58))
        crank, saddle, bar = at(-0.04, 0.22), at(-0.14, 0.52), at(0.24, 0.6)
        for start, end in ((at(-0.31, 0.2), crank), (crank, saddle), (crank, bar), (saddle, bar), (bar, at(0.31, 0.2))):
            pen.limb(start, end, 0.035 * h, look.accent)
        for number, shade in ((0, 0.72), (1, 1.0)):
            angle = 2.2 * turn + number * math.pi
            foot = at(-0.04 + 0.09 * math.cos(angle), 0.2 - 0.09 * math.sin(angle))
            knee = at(0.1 + 0.05 * math.cos(angle), 0.46 - 0.06 * math.sin(angle))
            pen.limb(saddle, knee, 0.09 * h, darker(look.trousers, shade))
            pen.limb(knee, foot, 0.07 * h, darker(look.trousers, shade))
        pen.limb(at(-0.13, 0.6), at(0.04, 0.88), 0.15 * h, look.top)
        pen.limb(at(0.05, 0.86), at(0.24, 0.64), 0.06 * h, darker(look.top, 0.85))
        pen.blob(at(0.1, 1.02), (0.07 * h, 0.08 * h), look.skin)
        pen.limb(at(0.05, 1.07), at(0.12, 1.09), 0.06 * h, look.hair)


def visible_share(extent: Sequence[float], width: int, height: int) -> float:
    """How much of a box x1, y1, x2, y2 lies in the frame, in [0, 1]."""
    x1, y1, x2, y2 = extent
    inside = max(0.0, min(x2, width) - max(x1, 0)) * max(0.0, min(y2, height) - max(y1, 0))
    return inside / max(1e-6, (x2 - x1) * (y2 - y1))

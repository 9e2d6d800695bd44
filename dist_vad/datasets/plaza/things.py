"""What else moves in `plaza`: flags and columns that always do, and things that nobody expected."""

import itertools
import math
from dataclasses import dataclass

import numpy as np

from dist_vad.datasets.plaza.actors import Track, darker
from dist_vad.datasets.plaza.canvas import Colour, Pen, Point


@dataclass(frozen=True, kw_only=True)
class Flag:
    """A striped flag in the wind. Its pole belongs to the background."""

    corner: Point
    """Upper end of the edge at the pole."""
    size: Point
    colours: tuple[Colour, ...]
    phase: float

    def depth(self, t: int) -> float:
        return 0.0

    def draw(self, pen: Pen, t: int) -> None:
        (left, top), (width, height), strips = self.corner, self.size, 8
        wind = gust(t, self.phase)
        edge = [
            (
                left + width * part / strips * (0.9 + 0.06 * wind * math.cos(0.33 * t + self.phase)),
                top + 0.25 * height * (part / strips) * (wind * math.sin(1.1 * part - 0.55 * t + self.phase) + 0.6),
            )
            for part in range(strips + 1)
        ]
        band = height / len(self.colours)
        for row, colour in enumerate(self.colours):
            for part, ((x1, y1), (x2, y2)) in enumerate(itertools.pairwise(edge)):
                fold = darker(colour, 1.0 + 0.22 * math.sin(1.1 * part - 0.55 * t + self.phase + 1.2))
                low, high = row * band, (row + 1) * band
                pen.polygon([(x1, y1 + low), (x2, y2 + low), (x2, y2 + high), (x1, y1 + high)], fold)


@dataclass(frozen=True, kw_only=True)
class Column:
    """A rotating column with slanting stripes, as before a barber's."""

    left: float
    top: float
    width: float
    height: float
    colours: tuple[Colour, ...]
    phase: float

    def depth(self, t: int) -> float:
        return 0.0

    def draw(self, pen: Pen, t: int) -> None:
        right, bottom, band = self.left + self.width, self.top + self.height, 0.55 * self.width
        turn = (0.8 + 0.15 * math.sin(self.phase)) * t + self.phase
        for number in range(-3, math.ceil(self.height / band) + 4):
            y = self.top + number * band + turn % (len(self.colours) * band)
            stripe = [
                (self.left, y),
                (right, y - 0.6 * self.width),
                (right, y + band - 0.6 * self.width),
                (self.left, y + band),
            ]
            clipped = [(x, min(max(v, self.top), bottom)) for x, v in stripe]
            pen.polygon(clipped, self.colours[number % len(self.colours)])
        for x, width in ((self.left + 0.5, 1.0), (right - 0.5, 1.0)):
            pen.limb((x, self.top), (x, bottom), width, (150, 150, 156))


def gust(t: int, phase: float) -> float:
    """Strength of the wind at frame t, about 0.3..1.3."""
    return 0.8 + 0.3 * math.sin(0.045 * t + phase) + 0.2 * math.sin(0.11 * t + 2 * phase)


@dataclass(frozen=True, kw_only=True)
class Smoke:
    """Clouds that rise from a place on the ground, grow and fade."""

    source: Point
    h: float
    first: int
    """The first frame with smoke."""
    duration: int
    """Frames over which new clouds rise."""
    wind: float
    """Sideways drift, pixels per frame."""
    colour: Colour
    phase: float
    life: int = 20
    """Frames after which a cloud has gone."""

    def depth(self, t: int) -> float:
        return self.source[1]

    def draw(self, pen: Pen, t: int) -> None:
        for birth in range(self.first, self.first + self.duration):
            age = (t - birth) / self.life
            if 0 < age < 1:
                # The golden angle strews the clouds evenly, whatever their number.
                strew = math.sin(2.4 * birth + self.phase)
                x = self.source[0] + (0.14 * strew + 0.1 * math.sin(4 * age + birth)) * self.h
                x += self.wind * self.life * age**1.4
                y = self.source[1] - self.h * (0.1 + 1.1 * age**0.8)
                # Billows of several tones: smoke has texture, and it boils. The last ones shrink until they are gone.
                tone = darker(self.colour, (0.5, 1.5, 0.8, 1.9)[birth % 4])
                radius = self.h * (0.07 + 0.15 * age) * min(1.0, 3 * (1 - age))
                pen.puff((x, y), 1.5 * radius, tone, 0.5)
                pen.blob((x, y), (radius, 0.85 * radius), tone)


@dataclass(frozen=True, kw_only=True)
class Ball:
    """A big beach ball that rolls and bounces."""

    track: Track
    size: float
    """Radius, in units of h."""
    colours: tuple[Colour, ...]
    phase: float

    def depth(self, t: int) -> float:
        i = self.track.index(t)
        return -1.0 if i is None else float(self.track.y[i])

    def draw(self, pen: Pen, t: int) -> None:
        i = self.track.index(t)
        if i is None:
            return
        x, y, h = float(self.track.x[i]), float(self.track.y[i]), float(self.track.h[i])
        radius, way = self.size * h, float(self.track.distance[i])
        pen.shade((x, y), (1.1 * radius, 0.3 * radius))
        y -= radius + 0.3 * h * abs(math.sin(1.9 * way + self.phase))
        pen.blob((x, y), (radius, radius), (246, 242, 232))
        turn = math.copysign(way / self.size, self.track.facing)
        for sector in range(6):
            angles = turn + (sector + np.linspace(0, 1, 5)) * math.pi / 3
            rim = [(x + radius * math.cos(angle), y + radius * math.sin(angle)) for angle in angles]
            pen.polygon([(x, y), *rim], self.colours[sector % len(self.colours)])
        pen.blob((x, y), (0.16 * radius, 0.16 * radius), (246, 242, 232))


@dataclass(frozen=True, kw_only=True)
class Drone:
    """A flying machine with four rotors that hovers as high as people's chests."""

    track: Track
    size: float
    """From the middle to a rotor, in units of h."""
    phase: float

    def depth(self, t: int) -> float:
        i = self.track.index(t)
        return -1.0 if i is None else float(self.track.y[i])

    def draw(self, pen: Pen, t: int) -> None:
        i = self.track.index(t)
        if i is None:
            return
        x, y, arm = float(self.track.x[i]), float(self.track.y[i]), self.size * float(self.track.h[i])
        pen.shade((x, y), (1.1 * arm, 0.2 * arm))
        y -= (0.75 + 0.06 * math.sin(0.21 * t + self.phase)) * float(self.track.h[i])
        tilt = 0.14 * self.track.facing + 0.07 * math.sin(0.17 * t + self.phase)
        cosine, sine = math.cos(tilt), math.sin(tilt)

        def at(forward: float, up: float) -> Point:
            return x + arm * (forward * cosine + up * sine), y + arm * (forward * sine - up * cosine)

        pen.limb(at(-0.42, -0.5), at(0.42, -0.5), 0.1 * arm, (60, 60, 66))
        for forward in (-0.3, 0.3):
            pen.limb(at(forward, -0.5), at(0.6 * forward, -0.1), 0.1 * arm, (60, 60, 66))
        for forward, up in ((-0.72, 0.32), (0.72, 0.32), (-1.0, 0.05), (1.0, 0.05)):
            pen.limb(at(0, 0), at(forward, up), 0.16 * arm, (52, 54, 60))
            blade = 0.2 + 0.28 * abs(math.sin(1.7 * t + 9 * forward))  # rotors seem to flicker
            pen.blob(at(forward, up + 0.2), (blade * arm, 0.07 * arm), (30, 30, 34), math.degrees(tilt))
        pen.blob(at(0, 0), (0.46 * arm, 0.3 * arm), (240, 150, 20), math.degrees(tilt))
        pen.blob(at(0, 0.05), (0.2 * arm, 0.14 * arm), (40, 44, 54))
        lamp = (255, 40, 40) if t // 3 % 2 else (110, 20, 20)
        pen.blob(at(0.0, -0.26), (0.11 * arm, 0.11 * arm), lamp)


@dataclass(frozen=True, kw_only=True)
class Fire:
    """Flickering flames on the ground."""

    source: Point
    h: float
    phase: float

    def depth(self, t: int) -> float:
        return self.source[1]

    def draw(self, pen: Pen, t: int) -> None:
        for reach, colour in ((1.0, (206, 60, 20)), (0.72, (246, 140, 30)), (0.42, (255, 226, 120))):
            for tongue in range(5):
                flicker = math.sin(1.1 * t + 2.4 * tongue + self.phase) + math.sin(0.67 * t + 5.1 * tongue)
                x = self.source[0] + (tongue - 2) * 0.13 * self.h * reach
                tall = self.h * reach * (0.66 + 0.16 * flicker - 0.1 * abs(tongue - 2))
                tip = (x + 0.08 * self.h * math.sin(0.8 * t + tongue), self.source[1] - tall)
                wide = 0.16 * self.h * reach
                waist = self.source[1] - 0.3 * tall
                pen.polygon(
                    [
                        (x - wide, waist),
                        tip,
                        (x + wide, waist),
                        (x + 0.7 * wide, self.source[1]),
                        (x - 0.7 * wide, self.source[1]),
                    ],
                    colour,
                )


@dataclass(frozen=True, kw_only=True)
class SpinningBox:
    """A checkered box that spins in the air."""

    centre: Point
    radius: float
    colours: tuple[Colour, Colour]
    phase: float

    def depth(self, t: int) -> float:
        return self.centre[1]

    def draw(self, pen: Pen, t: int) -> None:
        angle, squeeze = 0.2 * t + self.phase, 0.55 + 0.45 * abs(math.cos(0.13 * t + self.phase))
        y = self.centre[1] + 0.12 * self.radius * math.sin(0.3 * t)

        def at(u: float, v: float) -> Point:
            dx, dy = self.radius * u * squeeze, self.radius * v
            return (
                self.centre[0] + dx * math.cos(angle) - dy * math.sin(angle),
                y + dx * math.sin(angle) + dy * math.cos(angle),
            )

        for row in range(3):
            for column in range(3):
                u, v = 2 * column / 3 - 1, 2 * row / 3 - 1
                corners = [at(u, v), at(u + 2 / 3, v), at(u + 2 / 3, v + 2 / 3), at(u, v + 2 / 3)]
                pen.polygon(corners, self.colours[(row + column) % 2])

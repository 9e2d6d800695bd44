"""What the actors of `plaza` are drawn with: a canvas, its measuring twin, and dice."""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

import cv2
import numpy as np

from dist_vad.base.counters import bits, uniform

Point = tuple[float, float]
Place = Callable[..., Point]
"""From a point of a figure to where it is drawn."""
"""x, y in pixels of the frame; whole numbers lie on the edges between pixels."""
Colour = tuple[int, int, int]
"""Red, green, blue, 0..255."""
Choice = TypeVar("Choice")

SHARPNESS = 2
"""The canvas has so many pixels per pixel of the frame in each direction; shrinking it smooths every edge."""
_SHIFT = 4  # OpenCV's coordinates are whole numbers of 1/16 pixel


class Dice:
    """A row of random draws that depends on its key alone, the same on every machine."""

    def __init__(self, *key: int | str) -> None:
        self.key = bits("plaza", *key)
        self.draws = 0

    def between(self, low: float, high: float) -> float:
        """A number in [low, high)."""
        self.draws += 1
        return low + float(uniform(self.key, self.draws)) * (high - low)

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return self.between(0, 1) < probability

    def pick(self, choices: Sequence[Choice]) -> Choice:
        """One of the choices, each as likely as the others."""
        return choices[int(self.between(0, len(choices)))]


class Pen(Protocol):
    """What an actor needs in order to draw itself. All lengths are in pixels of the frame."""

    def limb(self, start: Point, end: Point, width: float, colour: Colour) -> None:
        """A thick line with round ends."""
        ...

    def blob(self, centre: Point, radii: Point, colour: Colour, angle: float = 0.0) -> None:
        """A filled ellipse, turned clockwise by an angle in degrees."""
        ...

    def polygon(self, points: Sequence[Point], colour: Colour) -> None:
        """A filled polygon."""
        ...

    def shade(self, centre: Point, radii: Point) -> None:
        """A soft shadow on the ground; it does not count as part of the actor."""
        ...

    def puff(self, centre: Point, radius: float, colour: Colour, strength: float) -> None:
        """A round cloud, of this opacity (0..1) in its middle and fading outwards."""
        ...


class Canvas:
    """Draws on an image SHARPNESS times as large as the frame, whose corner lies at `origin` of the world."""

    def __init__(self, image: np.ndarray, origin: Point = (0.0, 0.0)) -> None:
        """`image`: RGB, uint8 [SHARPNESS * H, SHARPNESS * W, 3]; drawn upon in place."""
        self.image = image
        self.origin = origin

    def limb(self, start: Point, end: Point, width: float, colour: Colour) -> None:
        thickness = max(1, round(width * SHARPNESS))
        cv2.line(self.image, self._fixed(start), self._fixed(end), colour, thickness, cv2.LINE_AA, _SHIFT)

    def blob(self, centre: Point, radii: Point, colour: Colour, angle: float = 0.0) -> None:
        unit = SHARPNESS << _SHIFT
        axes = (round(radii[0] * unit), round(radii[1] * unit))
        cv2.ellipse(self.image, self._fixed(centre), axes, angle, 0, 360, colour, -1, cv2.LINE_AA, _SHIFT)

    def polygon(self, points: Sequence[Point], colour: Colour) -> None:
        corners = np.array([self._fixed(point) for point in points], np.int32)
        cv2.fillPoly(self.image, [corners], colour, cv2.LINE_AA, _SHIFT)

    def shade(self, centre: Point, radii: Point) -> None:
        self._blend(centre, radii, (20, 22, 40), 0.24)

    def puff(self, centre: Point, radius: float, colour: Colour, strength: float) -> None:
        self._blend(centre, (radius, radius), colour, strength)

    def _fixed(self, point: Point) -> tuple[int, int]:
        # Half a canvas pixel off: OpenCV's whole numbers are the middles of pixels.
        x, y = (point[0] - self.origin[0]) * SHARPNESS - 0.5, (point[1] - self.origin[1]) * SHARPNESS - 0.5
        return round(x * (1 << _SHIFT)), round(y * (1 << _SHIFT))

    def _blend(self, centre: Point, radii: Point, colour: Colour, strength: float) -> None:
        """Mix a colour in, with the opacity of a soft disc."""
        middle = [(value - origin) * SHARPNESS for value, origin in zip(centre, self.origin)]
        left, top = (round(value - radius * SHARPNESS) for value, radius in zip(middle, radii))
        width, height = (max(2, round(2 * radius * SHARPNESS)) for radius in radii)
        x1, y1 = max(0, left), max(0, top)
        x2, y2 = min(self.image.shape[1], left + width), min(self.image.shape[0], top + height)
        if x1 >= x2 or y1 >= y2:
            return
        disc = cv2.resize(_DISC, (width, height), interpolation=cv2.INTER_LINEAR)
        opacity = disc[y1 - top : y2 - top, x1 - left : x2 - left, None] * np.float32(strength)
        region = self.image[y1:y2, x1:x2]
        region[:] = region + opacity * (np.array(colour, np.float32) - region) + np.float32(0.5)


class Outline:
    """Measures what a canvas would draw: the smallest box around it."""

    FAINT = 0.15
    """Clouds of less opacity are not seen."""

    def __init__(self) -> None:
        self.corners: list[Point] = []

    def limb(self, start: Point, end: Point, width: float, colour: Colour) -> None:
        for x, y in (start, end):
            self.corners += [(x - width / 2, y - width / 2), (x + width / 2, y + width / 2)]

    def blob(self, centre: Point, radii: Point, colour: Colour, angle: float = 0.0) -> None:
        cosine, sine = np.cos(np.radians(angle)), np.sin(np.radians(angle))
        x, y = np.hypot(radii[0] * cosine, radii[1] * sine), np.hypot(radii[0] * sine, radii[1] * cosine)
        self.corners += [(centre[0] - x, centre[1] - y), (centre[0] + x, centre[1] + y)]

    def polygon(self, points: Sequence[Point], colour: Colour) -> None:
        self.corners += points

    def shade(self, centre: Point, radii: Point) -> None:
        pass

    def puff(self, centre: Point, radius: float, colour: Colour, strength: float) -> None:
        if strength > self.FAINT:
            self.blob(centre, (0.7 * radius, 0.7 * radius), colour)

    def box(self) -> list[float] | None:
        """x1, y1, x2, y2; None if nothing was drawn."""
        if not self.corners:
            return None
        corners = np.array(self.corners, float)
        return [*corners.min(axis=0).tolist(), *corners.max(axis=0).tolist()]


def _soft_disc(size: int) -> np.ndarray:
    """Opacity of a disc that is full in the middle and fades to nothing at its rim: float32 [size, size]."""
    y, x = np.mgrid[:size, :size].astype(np.float32)
    distance = np.hypot(x - (size - 1) / 2, y - (size - 1) / 2) / (size / 2)
    return np.clip(1 - distance**2, 0, 1).astype(np.float32) ** np.float32(1.5)


_DISC = _soft_disc(48)

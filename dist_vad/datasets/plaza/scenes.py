"""Where `plaza` takes place: what each camera sees while nobody is there, and who may come along.

Backgrounds are painted with the canvas's own means and a grain of texture; they never change with the seed, as a
camera's place does not change from one day to the next.
"""

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from dist_vad.base.counters import uniform
from dist_vad.datasets.plaza.actors import Actor
from dist_vad.datasets.plaza.canvas import SHARPNESS, Canvas, Colour, Dice, Point
from dist_vad.datasets.plaza.things import Column, Flag

WIDTH, HEIGHT = 192, 144
CLOSE_UP = 96
"""Width and height of the virtual camera's frames."""
CLOSE_UP_WORLD = 288
"""Width of the scenery past which the virtual camera is led."""

STONE: Colour = (176, 170, 160)


@dataclass(frozen=True, kw_only=True)
class Lane:
    """A strip of ground along which people or vehicles pass."""

    far: float
    near: float
    """Pixels from the top between which their feet are."""
    gap: float
    """Mean frames between one group and the next."""
    casting: str = "people"
    """Who passes: `people` or `traffic`."""


@dataclass(frozen=True, kw_only=True)
class Scene:
    """One camera."""

    name: str
    paint: Callable[[Canvas], None]
    lanes: tuple[Lane, ...]
    stage: Lane
    """Where the anomalies are."""
    motion: Callable[[Dice], list[Actor]]
    """What always moves here."""
    vehicles: bool = False
    """Whether vehicles and bicycles are normal here."""


def grown_up(y: float) -> float:
    """Height in pixels of a grown-up whose feet are y pixels below the top: the perspective of all real scenes."""
    return 26.5 + 0.4 * (y - 60)


@functools.cache
def background(name: str) -> np.ndarray:
    """A scene's background: RGB, uint8 [SHARPNESS * H, SHARPNESS * W, 3]. Not to be written to."""
    if name in SCENES:
        paint, width, height = SCENES[name].paint, WIDTH, HEIGHT
    else:
        paint, width, height = VIRTUAL_SCENES[name].paint, CLOSE_UP_WORLD, CLOSE_UP
    image = np.zeros((SHARPNESS * height, SHARPNESS * width, 3), np.uint8)
    paint(Canvas(image))
    image = _grained(image, name)
    image.flags.writeable = False
    return image


def _grained(image: np.ndarray, name: str) -> np.ndarray:
    """Add the fine unevenness of real surfaces, at two sizes."""
    height, width = image.shape[:2]
    grain = np.zeros((height, width), np.float32)
    for size, strength in ((2, 7.0), (9, 8.0)):
        rows, columns = -(-height // size), -(-width // size)
        values = uniform("grain", name, size, np.arange(rows * columns)).reshape(rows, columns).astype(np.float32)
        grain += strength * cv2.resize(values - 0.5, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.clip(image + grain[..., None], 0, 255).round().astype(np.uint8)


def _rectangle(canvas: Canvas, x1: float, y1: float, x2: float, y2: float, colour: Colour) -> None:
    canvas.polygon([(x1, y1), (x2, y1), (x2, y2), (x1, y2)], colour)


def _gradient(canvas: Canvas, top: float, bottom: float, above: Colour, below: Colour, width: int = WIDTH) -> None:
    """Fill whole rows with colours between two."""
    for row in range(round(top), round(bottom)):
        part = (row - top) / max(1.0, bottom - top)
        red, green, blue = (round(a + (b - a) * part) for a, b in zip(above, below))
        _rectangle(canvas, 0, row, width, row + 1, (red, green, blue))


def _paving(canvas: Canvas, top: float, bottom: float, colour: Colour, tilt: float, width: int = WIDTH) -> None:
    """Joints of paving stones, wider apart the nearer they are."""
    step, y = 3.2, top + 2.0
    while y < bottom:
        canvas.limb((0, y), (width, y), 0.5, colour)
        y, step = y + step, step * 1.16
    middle = width * tilt
    for number in range(-24, 25):
        canvas.limb((middle + 7 * number, top), (middle + 24 * number, bottom), 0.5, colour)


def _window(canvas: Canvas, x: float, y: float, width: float, height: float, glass: Colour) -> None:
    _rectangle(canvas, x - 0.8, y - 0.8, x + width + 0.8, y + height + 0.8, (232, 228, 218))
    _rectangle(canvas, x, y, x + width, y + height, glass)
    canvas.limb((x + width / 2, y), (x + width / 2, y + height), 0.6, (232, 228, 218))


def _tree(canvas: Canvas, x: float, foot: float, size: float, leaf: Colour) -> None:
    canvas.limb((x, foot), (x, foot - 0.9 * size), 0.13 * size, (104, 80, 60))
    red, green, blue = leaf
    for dx, dy, radius, tone in (
        (-0.32, 1.0, 0.36, -16),
        (0.32, 1.02, 0.36, -10),
        (0, 1.3, 0.42, 0),
        (-0.1, 1.08, 0.34, 10),
    ):
        canvas.blob(
            (x + dx * size, foot - dy * size), (radius * size, radius * size), (red + tone, green + tone, blue + tone)
        )


def _pole(canvas: Canvas, x: float, top: float, foot: float) -> None:
    canvas.limb((x, top), (x, foot), 1.6, (206, 206, 210))
    canvas.blob((x, top), (1.6, 1.6), (222, 190, 90))


def _square(canvas: Canvas) -> None:
    """A town square: house fronts, pale paving, trees and the long shadow of a house."""
    _gradient(canvas, 0, 12, (158, 196, 226), (206, 222, 232))
    fronts: list[tuple[float, float, float, Colour]] = [
        (0, 52, 8, (206, 160, 128)),
        (52, 104, 3, (222, 204, 166)),
        (104, 148, 7, (188, 196, 190)),
        (148, 192, 4, (216, 178, 150)),
    ]
    for left, right, top, colour in fronts:
        _rectangle(canvas, left, top, right, 50, colour)
        canvas.limb((left, top), (right, top), 2.4, (150, 92, 74))
        for row in (13, 27):
            for number in range(int((right - left - 6) // 12)):
                _window(canvas, left + 7 + 12 * number, row, 5.5, 8, (98, 118, 138))
        _rectangle(canvas, (left + right) / 2 - 4, 40, (left + right) / 2 + 3, 50, (104, 76, 62))
    _gradient(canvas, 50, HEIGHT, (196, 190, 178), (214, 208, 196))
    _paving(canvas, 50, HEIGHT, (184, 176, 164), 0.45)
    canvas.polygon([(0, 112), (0, 66), (34, 56), (66, 56), (30, 112)], (188, 182, 174))
    for x in (64, 126):
        _tree(canvas, x, 54, 19, (92, 134, 78))
    _pole(canvas, 154, 4, 54)


def _mall(canvas: Canvas) -> None:
    """A shopping arcade: lit shop fronts, signs, a shining tiled floor."""
    _gradient(canvas, 0, 10, (226, 222, 214), (238, 234, 226))
    signs: list[tuple[Colour, Colour]] = [
        ((68, 120, 128), (196, 224, 220)),
        ((176, 84, 74), (240, 224, 196)),
        ((92, 98, 152), (212, 214, 236)),
        ((186, 142, 62), (244, 232, 204)),
    ]
    for number, (sign, glass) in enumerate(signs):
        left = 48 * number
        _rectangle(canvas, left, 8, left + 48, 52, (222, 216, 206))
        _rectangle(canvas, left + 4, 10, left + 44, 17, sign)
        canvas.limb((left + 11, 13.5), (left + 37, 13.5), 1.6, (244, 240, 232))
        _rectangle(canvas, left + 5, 20, left + 43, 50, glass)
        for shelf in (28, 37, 46):
            canvas.limb((left + 8, shelf), (left + 24, shelf), 1.4, (sign[0], sign[1], sign[2]))
            canvas.blob((left + 12 + shelf % 9, shelf - 3), (2.4, 2.4), (220, 196, 150))
        _rectangle(canvas, left + 28, 22, left + 40, 50, (176, 190, 192))
        _rectangle(canvas, left - 1.5, 6, left + 2.5, 53, (200, 192, 180))
    _gradient(canvas, 52, HEIGHT, (216, 206, 190), (230, 222, 208))
    _paving(canvas, 52, HEIGHT, (198, 186, 168), 0.55)
    for number in range(4):
        canvas.polygon(
            [(48 * number + 8, 53), (48 * number + 40, 53), (64 * number, 74), (64 * number - 36, 74)], (232, 226, 214)
        )
    _paving(canvas, 53, 74, (206, 196, 180), 0.55)
    for x in (12, 182):
        canvas.blob((x, 50), (7, 9), (86, 132, 88))
        _rectangle(canvas, x - 4, 52, x + 4, 60, (158, 106, 80))


def _road(canvas: Canvas) -> None:
    """A street: gardens and houses, a pavement, the carriageway, a nearer pavement."""
    _gradient(canvas, 0, 14, (170, 200, 224), (210, 222, 228))
    roofs: list[tuple[float, Colour, Colour]] = [
        (4, (226, 214, 190), (150, 80, 68)),
        (74, (204, 212, 214), (96, 98, 112)),
        (142, (230, 200, 176), (136, 90, 66)),
    ]
    _rectangle(canvas, 0, 14, WIDTH, 42, (148, 172, 132))
    for x in range(-4, WIDTH, 11):  # a hedge behind the gardens
        canvas.blob((x, 24 + x % 3), (9, 9), (112 + x % 4 * 4, 144, 96))
    for left, wall, roof in roofs:
        _rectangle(canvas, left, 18, left + 44, 42, wall)
        canvas.polygon([(left - 4, 19), (left + 10, 4), (left + 34, 4), (left + 48, 19)], roof)
        for x in (left + 6, left + 31):
            _window(canvas, x, 24, 7, 8, (104, 124, 140))
        _rectangle(canvas, left + 18, 28, left + 26, 42, (120, 88, 70))
    _gradient(canvas, 40, 54, (124, 158, 96), (138, 170, 104))
    for x in range(0, WIDTH, 6):
        canvas.limb((x, 44), (x, 50), 1.3, (232, 226, 212))
    canvas.limb((0, 46), (WIDTH, 46), 1.0, (232, 226, 212))
    _gradient(canvas, 54, 71, STONE, (190, 184, 174))
    _gradient(canvas, 71, 73, (216, 212, 204), (206, 202, 194))
    _gradient(canvas, 73, 112, (128, 128, 132), (144, 144, 148))
    for x in range(-6, WIDTH, 30):
        canvas.polygon([(x, 91), (x + 15, 91), (x + 14, 93), (x - 2, 93)], (226, 224, 214))
    _gradient(canvas, 112, 115, (216, 212, 204), (204, 200, 192))
    _gradient(canvas, 115, HEIGHT, (208, 202, 192), (222, 216, 206))
    _paving(canvas, 115, HEIGHT, (192, 186, 176), 0.5)
    _pole(canvas, 59, 8, 54)
    canvas.limb((132, 30), (132, 52), 1.4, (196, 190, 180))
    _tree(canvas, 190, 54, 21, (106, 146, 80))


def _flags(dice: Dice) -> list[Actor]:
    colours: tuple[Colour, ...] = ((198, 60, 56), (240, 236, 226), (52, 84, 150))
    return [Flag(corner=(155, 5), size=(27, 17), colours=colours, phase=dice.between(0, 6.3))]


def _columns(dice: Dice) -> list[Actor]:
    colours: tuple[Colour, ...] = ((196, 62, 60), (240, 236, 228), (70, 92, 160))
    return [Column(left=91, top=16, width=11, height=15, colours=colours, phase=dice.between(0, 6.3))]


def _gable_flag(dice: Dice) -> list[Actor]:
    cloth: tuple[Colour, ...] = ((240, 236, 226), (46, 128, 98))
    return [Flag(corner=(60, 9), size=(22, 13), colours=cloth, phase=dice.between(0, 6.3))]


SCENES = {
    scene.name: scene
    for scene in (
        Scene(
            name="square",
            paint=_square,
            lanes=(Lane(far=58, near=63, gap=420), Lane(far=72, near=80, gap=420), Lane(far=149, near=158, gap=85)),
            stage=Lane(far=71, near=77, gap=0),
            motion=_flags,
        ),
        Scene(
            name="mall",
            paint=_mall,
            lanes=(Lane(far=59, near=64, gap=420), Lane(far=72, near=80, gap=420), Lane(far=149, near=158, gap=85)),
            stage=Lane(far=71, near=77, gap=0),
            motion=_columns,
        ),
        Scene(
            name="road",
            paint=_road,
            lanes=(
                Lane(far=60, near=68, gap=260),
                Lane(far=80, near=105, gap=100, casting="traffic"),
                Lane(far=149, near=158, gap=85),
            ),
            stage=Lane(far=71, near=79, gap=0),
            motion=_gable_flag,
            vehicles=True,
        ),
    )
}


@dataclass(frozen=True, kw_only=True)
class VirtualScene:
    """Scenery of the virtual camera: as wide as CLOSE_UP_WORLD, as high as CLOSE_UP."""

    name: str
    paint: Callable[[Canvas], None]
    vehicles: bool = False


def _yard(canvas: Canvas) -> None:
    _gradient(canvas, 0, 50, (190, 198, 206), (214, 216, 214), CLOSE_UP_WORLD)
    for number in range(12):
        _rectangle(canvas, 24 * number, 22, 24 * number + 23, 62, (176, 128 + number % 3 * 8, 104))
    _gradient(canvas, 62, CLOSE_UP, (170, 182, 150), (186, 196, 160), CLOSE_UP_WORLD)


def _hall(canvas: Canvas) -> None:
    _gradient(canvas, 0, 64, (206, 210, 220), (224, 224, 228), CLOSE_UP_WORLD)
    for number in range(8):
        _window(canvas, 36 * number + 8, 12, 20, 34, (148, 172, 190))
    _gradient(canvas, 64, CLOSE_UP, (190, 178, 164), (206, 196, 182), CLOSE_UP_WORLD)
    _paving(canvas, 64, CLOSE_UP, (176, 164, 150), 0.5, CLOSE_UP_WORLD)


def _street(canvas: Canvas) -> None:
    _gradient(canvas, 0, 60, (214, 204, 188), (204, 192, 174), CLOSE_UP_WORLD)
    for number in range(7):
        _rectangle(canvas, 42 * number + 6, 14, 42 * number + 34, 60, (150 + 12 * (number % 3), 168, 176))
        canvas.limb((42 * number + 4, 12), (42 * number + 36, 12), 5, (120, 96 + 24 * (number % 2), 108))
    _gradient(canvas, 60, CLOSE_UP, (132, 132, 138), (150, 150, 154), CLOSE_UP_WORLD)
    canvas.limb((0, 62), (CLOSE_UP_WORLD, 62), 3, (212, 208, 200))


VIRTUAL_SCENES = {
    scene.name: scene
    for scene in (
        VirtualScene(name="yard", paint=_yard),
        VirtualScene(name="hall", paint=_hall),
        VirtualScene(name="street", paint=_street, vehicles=True),
    )
}


def illumination(t: int, phase: float) -> float:
    """Brightness of frame t as a factor: clouds pass."""
    return 1.0 + 0.018 * math.sin(0.021 * t + phase)


@functools.cache
def sensor_noise(width: int, height: int) -> np.ndarray:
    """A sheet of noise larger than the frame, int8 [H + 32, W + 32, 3], of standard deviation about 2."""
    shape = (height + 32, width + 32, 3)
    numbers = np.arange(math.prod(shape))
    # Three uniform draws together are nearly normal.
    total = sum(uniform("sensor noise", part, numbers) for part in range(3)) - 1.5
    return np.round(4.0 * np.asarray(total)).astype(np.int8).reshape(shape)


def noisy(image: np.ndarray, gain: float, noise: np.ndarray, corner: Point) -> np.ndarray:
    """A frame as the sensor gives it: lit by `gain`, with the part of the noise sheet that begins at `corner`."""
    height, width = image.shape[:2]
    x, y = int(corner[0]), int(corner[1])
    lit = cv2.convertScaleAbs(image, alpha=gain)
    return cv2.add(lit, noise[y : y + height, x : x + width], dtype=cv2.CV_8U)

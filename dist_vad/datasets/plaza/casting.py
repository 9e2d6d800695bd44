"""Who comes along in `plaza`, when, and how: normal crowds, anomalies, and the virtual camera's short plays."""

import math
from collections.abc import Callable

import numpy as np

from dist_vad.datasets.plaza.actors import CRAWL, RUN, WALK, Actor, Cyclist, Gait, Look, Person, Track, Vehicle
from dist_vad.datasets.plaza.canvas import Colour, Dice
from dist_vad.datasets.plaza.scenes import CLOSE_UP, WIDTH, Lane, Scene, grown_up
from dist_vad.datasets.plaza.things import Ball, Drone, Fire, Smoke, SpinningBox

MARGIN = 26.0
"""How far beyond the edge of the frame people begin and end their way, pixels."""
REACH = 52.0
"""Farther than this from the edge, pixels, nobody can be seen any more."""
FORESHORTENING = 0.45
"""A step towards the camera moves feet in the frame by this share of what a step sideways does."""

CLOTHES: tuple[Colour, ...] = (
    (176, 54, 52), (52, 84, 140), (60, 112, 84), (58, 58, 66), (122, 78, 128), (206, 132, 48),
    (88, 60, 48), (40, 44, 62), (198, 88, 116), (70, 124, 146), (96, 96, 58),
)  # fmt: skip
TROUSERS: tuple[Colour, ...] = ((52, 58, 84), (48, 46, 50), (98, 78, 60), (84, 92, 104), (66, 72, 56))
HAIRS: tuple[Colour, ...] = ((48, 36, 30), (92, 62, 40), (150, 110, 62), (118, 116, 116), (30, 28, 30))
SKINS: tuple[Colour, ...] = ((226, 180, 150), (198, 146, 112), (142, 98, 72), (236, 196, 170))
PAINTS: tuple[Colour, ...] = ((190, 62, 56), (52, 98, 150), (58, 124, 92), (222, 170, 60), (110, 76, 128))
STRIPES: tuple[tuple[Colour, ...], ...] = (
    ((226, 62, 66), (40, 132, 190)),
    ((232, 108, 30), (120, 92, 200)),
    ((214, 60, 120), (60, 148, 60), (40, 124, 204)),
)


def look(dice: Dice, prop: str | None = None, children: float = 0.14) -> Look:
    """Somebody's appearance. `prop`: what they carry, drawn if not given; `children`: how often it is a child."""
    props = ("", "", "", "", "umbrella", "trolley", "dog", "backpack", "backpack")
    child = dice.chance(children)
    carried = dice.pick(props) if prop is None else prop
    return Look(
        top=dice.pick(CLOTHES),
        trousers=dice.pick(TROUSERS),
        hair=dice.pick(HAIRS),
        skin=dice.pick(SKINS),
        size=dice.between(0.66, 0.8) if child else dice.between(0.93, 1.08),
        prop="" if child else carried,
        accent=dice.pick(CLOTHES),
    )


def track(
    frames: int,
    *,
    entry: int,
    start: tuple[float, float],
    heading: float,
    speed: float,
    pause: tuple[int, int] = (0, 0),
) -> Track:
    """The way of something that enters at frame `entry` (before 0: it has been on its way) and crosses the scene.

    `heading` in radians: 0 right, pi left, pi / 2 towards the camera. `speed` in grown-up heights per frame.
    `pause`: first and last frame of a stop, counted from the entry.
    """
    x, y = start
    distance = 0.0
    rows, first = [], 0
    for t in range(entry, frames):
        age = t - entry
        # It takes 6 frames to come to a halt and to set off again.
        pace = 1.0 if pause[0] == pause[1] else float(np.clip(max(pause[0] - age, age - pause[1]) / 6, 0, 1))
        h = max(12.0, grown_up(y))
        if t >= 0 and -REACH < x < WIDTH + REACH:
            first = t - len(rows)
            rows.append((x, y, h, distance, pace))
        elif rows:
            break
        x += speed * pace * h * math.cos(heading)
        y += speed * pace * h * math.sin(heading) * FORESHORTENING
        distance += speed * pace
    columns = np.array(rows, float).reshape(-1, 5).T
    names = ("x", "y", "h", "distance", "pace")
    return Track(first=first, facing=math.cos(heading), **dict(zip(names, columns)))


def level_track(
    frames: int, start: tuple[float, float], h: float, speed: float, facing: float, pace: np.ndarray | None = None
) -> Track:
    """A way straight to one side, from frame 0 on, on which a grown-up is always h pixels high.

    `speed` in grown-up heights per frame; `pace`: for each frame, the share of it at which things go.
    """
    steps = np.ones(frames) if pace is None else pace
    distance = np.concatenate([[0.0], np.cumsum(speed * steps)[:-1]])
    x, y = start
    return Track(
        first=0, x=x + distance * h * math.copysign(1, facing), y=np.full(frames, y), h=np.full(frames, h),
        distance=distance, pace=steps, facing=facing,
    )  # fmt: skip


def crossing(dice: Dice, lane: Lane, margin: float = MARGIN) -> tuple[tuple[float, float], float]:
    """Where on the lane a way across the frame begins, and its heading."""
    rightwards = dice.chance(0.5)
    start = (-margin if rightwards else WIDTH + margin, dice.between(lane.far, lane.near))
    return start, 0.0 if rightwards else math.pi


def crowd(scene: Scene, dice: Dice, frames: int) -> list[Actor]:
    """The normal life of a scene: the same process for every split, in full swing at frame 0."""
    actors = scene.motion(dice)
    for lane in scene.lanes:
        cast = CASTS[lane.casting]
        # Long enough ago for the slowest, so that the process has forgotten its beginning.
        t = -330.0 - dice.between(0, lane.gap)
        while t < frames:
            actors += cast(dice, lane, round(t), frames)
            t += lane.gap * dice.between(0.85, 1.15)
    return actors


def people(dice: Dice, lane: Lane, entry: int, frames: int) -> list[Actor]:
    """One walker, or a few side by side."""
    start, heading = crossing(dice, lane)
    if dice.chance(0.15):  # some cut across
        heading += dice.between(-0.5, 0.5)
    heading += dice.between(-0.06, 0.06)
    speed = dice.between(0.024, 0.044)
    stop = round(dice.between(20, 140))
    pause = (stop, stop + round(dice.between(18, 34))) if dice.chance(0.22) else (0, 0)
    side = -1.0 if math.cos(heading) > 0 else 1.0
    group = []
    for member in range(dice.pick((1, 1, 1, 1, 2, 2))):
        behind = side * member * dice.between(0.26, 0.42) * grown_up(start[1])
        place = (start[0] + behind, start[1] + dice.between(-2, 2) * (member > 0))
        way = track(frames, entry=entry, start=place, heading=heading, speed=speed, pause=pause)
        group.append(
            Person(track=way, look=look(dice, "" if member else None), gait=stroll(dice), phase=dice.between(0, 6.3))
        )
    return group


def stroll(dice: Dice) -> Gait:
    """Everybody walks a little differently."""
    return Gait(
        stride=dice.between(0.76, 0.94),
        swing=dice.between(0.36, 0.48),
        knee=dice.between(0.6, 0.85),
        lean=dice.between(0.0, 0.09),
        arms=dice.between(0.2, 0.5),
        elbow=dice.between(0.15, 0.4),
    )


def traffic(dice: Dice, lane: Lane, entry: int, frames: int) -> list[Actor]:
    """A vehicle or a cyclist; people drive on the right."""
    start, heading = crossing(dice, lane, MARGIN + 24)
    middle = (lane.far + lane.near) / 2
    half = (middle + 2, lane.near) if heading == 0.0 else (lane.far, middle - 4)
    start = (start[0], dice.between(*half))
    if dice.chance(0.35):
        way = track(frames, entry=entry, start=start, heading=heading, speed=dice.between(0.06, 0.085))
        return [Cyclist(track=way, look=look(dice, ""))]
    return [vehicle(dice, track(frames, entry=entry, start=start, heading=heading, speed=cart_speed(dice)))]


CASTS: dict[str, Callable[[Dice, Lane, int, int], list[Actor]]] = {"people": people, "traffic": traffic}


def cart_speed(dice: Dice) -> float:
    """Speed of a cart in grown-up heights per frame: on the road, and where it should not be."""
    return dice.between(0.045, 0.064)


def vehicle(dice: Dice, way: Track) -> Vehicle:
    """A cart or a van."""
    return Vehicle(track=way, paint=dice.pick(PAINTS), closed=dice.chance(0.4), size=dice.between(0.92, 1.06))


# Anomalies of the test split. Each is built for a slot: it is seen from about frame `start` for about `length` frames.
# What takes longer to cross comes in earlier or leaves later than the video shows.


def _passing(dice: Dice, scene: Scene, frames: int, start: int, length: int, speed: float, width: float) -> Track:
    """Cross the stage within the slot; a slot at the video's beginning or end cuts off what is too long for it.

    `speed` in grown-up heights per frame; `width`: half the thing's own, pixels, or a little more.
    """
    place, heading = crossing(dice, scene.stage, width)
    step = speed * grown_up(place[1])
    duration = round(WIDTH / step)
    if duration > 0.5 * frames:
        start = 0 if start < frames / 4 else frames - length
    entry = start + length - duration if start < frames - (start + length) else start
    # It begins out of sight; its middle reaches the edge of the frame when the slot begins.
    return track(frames, entry=entry - round(width / step), start=place, heading=heading, speed=speed)


def runner(dice: Dice, scene: Scene, frames: int, start: int, length: int) -> Actor:
    """Somebody runs."""
    way = _passing(dice, scene, frames, start, length, dice.between(0.105, 0.125), 16)
    # Runners wear and carry what walkers do: it is the gait that is unlike theirs.
    return Person(
        track=way, look=look(dice, dice.pick(("", "", "backpack")), children=0), gait=RUN, phase=dice.between(0, 6.3)
    )


def cart(dice: Dice, scene: Scene, frames: int, start: int, length: int) -> Actor:
    """A vehicle where only people walk."""
    return vehicle(dice, _passing(dice, scene, frames, start, length, cart_speed(dice), 30))


def smoke(dice: Dice, scene: Scene, frames: int, start: int, length: int) -> Actor:
    """Something smoulders on the ground."""
    place = (dice.between(40, WIDTH - 40), dice.between(scene.stage.far, scene.stage.near))
    duration = max(10, length - 20)
    tone = dice.pick(((86, 84, 86), (104, 100, 96), (70, 70, 76)))
    drift = dice.between(-0.5, 0.5)
    h = grown_up(place[1])
    return Smoke(source=place, h=h, first=start, duration=duration, wind=drift, colour=tone, phase=dice.between(0, 6.3))


def ball(dice: Dice, scene: Scene, frames: int, start: int, length: int) -> Actor:
    """A big striped ball rolls and bounces along."""
    way = _passing(dice, scene, frames, start, length, dice.between(0.085, 0.11), 12)
    return Ball(track=way, size=dice.between(0.24, 0.3), colours=dice.pick(STRIPES), phase=dice.between(0, 6.3))


def drone(dice: Dice, scene: Scene, frames: int, start: int, length: int) -> Actor:
    """A drone hovers along."""
    way = _passing(dice, scene, frames, start, length, dice.between(0.075, 0.1), 20)
    return Drone(track=way, size=dice.between(0.42, 0.5), phase=dice.between(0, 6.3))


ANOMALIES: dict[str, tuple[str, Callable[[Dice, Scene, int, int, int], Actor]]] = {
    "runner": ("scene_independent", runner),
    "smoke": ("scene_independent", smoke),
    "cart": ("scene_dependent", cart),
    "ball": ("unseen", ball),
    "drone": ("unseen", drone),
}


# The virtual camera is led past its scenery at the height of people; there a grown-up is CLOSE_UP * 0.72 high.

VIRTUAL_GROUND = 88.0


def _close_track(frames: int, x: float, speed: float, facing: float, pace: np.ndarray | None = None) -> Track:
    """A way of constant size before the virtual camera; `speed` in grown-up heights per frame."""
    return level_track(frames, (x, VIRTUAL_GROUND), 0.72 * CLOSE_UP, speed, facing, pace)


def _close_person(dice: Dice, way: Track, gait: Gait, **movement: np.ndarray) -> Person:
    return Person(track=way, look=look(dice, ""), gait=gait, phase=dice.between(0, 6.3), **movement)


def passers_by(dice: Dice, frames: int, vehicles: bool) -> list[Actor]:
    """Normal virtual life: walkers, some standing a while; a cart or a cyclist where that is normal."""
    facing = dice.pick((-1.0, 1.0))
    if vehicles and dice.chance(0.5):
        way = _close_track(frames, 144, cart_speed(dice) * 0.7, facing)
        return [vehicle(dice, way) if dice.chance(0.6) else Cyclist(track=way, look=look(dice, ""))]
    speed = dice.between(0.024, 0.044)
    pace = np.ones(frames)
    if dice.chance(0.3):
        stop = dice.between(0.2, 0.6) * frames
        pace = np.clip(np.abs(np.arange(frames) - stop - 10) / 6 - 1, 0, 1)
    people: list[Actor] = []
    for member in range(dice.pick((1, 1, 2))):
        way = _close_track(frames, 144 - facing * member * dice.between(20, 30), speed, facing, pace)
        carried = None if member == 0 else ""
        people.append(Person(track=way, look=look(dice, carried), gait=stroll(dice), phase=dice.between(0, 6.3)))
    return people


def fall(dice: Dice, frames: int) -> list[Actor]:
    """Somebody falls, from the first frame on, and stays on the ground."""
    t, facing = np.arange(frames), dice.pick((-1.0, 1.0))
    down = np.clip((t + 3) / dice.between(11, 17), 0, 1)
    way = _close_track(frames, 144 - 20 * facing, 0.03, facing, np.clip(1 - 2 * down, 0, 1))
    return [_close_person(dice, way, WALK, tilt=1.5 * down**2)]


def crawl(dice: Dice, frames: int) -> list[Actor]:
    """Somebody goes on all fours."""
    return [_close_person(dice, _close_track(frames, 144, dice.between(0.012, 0.02), dice.pick((-1.0, 1.0))), CRAWL)]


def jump(dice: Dice, frames: int) -> list[Actor]:
    """Somebody jumps up and down with raised arms."""
    height = 0.16 * np.abs(np.sin(dice.between(0.2, 0.26) * np.arange(frames)))
    gait = Gait(swing=0.12, knee=0.3, arms=0.5, arm_rest=2.0, stride=0.3)
    return [_close_person(dice, _close_track(frames, 144, 0.012, dice.pick((-0.4, 0.4))), gait, lift=height)]


def fight(dice: Dice, frames: int) -> list[Actor]:
    """Two people go for each other."""
    pair: list[Actor] = []
    for facing in (1.0, -1.0):
        gait = Gait(stride=0.11, swing=0.3, knee=0.4, lean=0.25, arms=1.1, arm_rest=1.3, elbow=0.9, bounce=0.02)
        way = _close_track(frames, 144 - 17 * facing, 0.009, facing)
        sway = 5 * np.sin(0.3 * np.arange(frames) + dice.between(0, 6.3))
        way = Track(**{**vars(way), "x": 144 - 16 * facing + sway})
        pair.append(_close_person(dice, way, gait))
    return pair


def fire(dice: Dice, frames: int) -> list[Actor]:
    """Flames leap up."""
    return [
        Fire(source=(144 + dice.between(-8, 8), VIRTUAL_GROUND), h=dice.between(56, 76), phase=dice.between(0, 6.3))
    ]


def spinning_box(dice: Dice, frames: int) -> list[Actor]:
    """A checkered box spins in the air."""
    centre = (144 + dice.between(-6, 6), 50 + dice.between(-4, 4))
    colours = (dice.pick(PAINTS), (244, 240, 228))
    return [SpinningBox(centre=centre, radius=dice.between(20, 28), colours=colours, phase=dice.between(0, 6.3))]


def steam(dice: Dice, frames: int) -> list[Actor]:
    """Steam pours out of a grating."""
    tone = dice.pick(((84, 84, 88), (120, 118, 116), (176, 174, 170)))
    place, h = (144 + dice.between(-8, 8), VIRTUAL_GROUND), dice.between(56, 76)
    wind, phase = dice.between(-0.6, 0.6), dice.between(0, 6.3)
    return [Smoke(source=place, h=h, first=-24, duration=frames + 24, wind=wind, colour=tone, phase=phase)]


def sprint(dice: Dice, frames: int) -> list[Actor]:
    """Somebody sprints, and the camera keeps up."""
    way = _close_track(frames, 144, dice.between(0.1, 0.13), dice.pick((-1.0, 1.0)))
    return [_close_person(dice, way, RUN)]


VIRTUAL_ANOMALIES: dict[str, Callable[[Dice, int], list[Actor]]] = {
    "fall": fall,
    "crawl": crawl,
    "jump": jump,
    "fight": fight,
    "fire": fire,
    "spinning_box": spinning_box,
    "steam": steam,
    "sprint": sprint,
}

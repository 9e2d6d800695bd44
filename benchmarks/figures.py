"""Figures drawn into held-out video: which scores tell those who do something unusual from those who walk?

python benchmarks/figures.py STATE [STATE ...] [--places 80] [--out FILE.json] [--picture FILE.jpg]

STATE is the folder of a state beside its run and shard sets; several are of runs on the same shards. The synthetic
anomalies that weigh scores (dist_vad/scoring/synthetic_anomalies.py) are real objects that were changed, and a score
may find them because something was changed at all. Here normal and anomalous objects are made in the same way: actors
of the generated data set are painted into held-out normal video, where an object was seen and as high and as fast as it
was. Walkers are normal; the kinds of KINDS are not. An AUC compares the two within a scene; what is shown is its mean
over scenes. No label is read, and no test video.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from sklearn.metrics import roc_auc_score

from dist_vad.base.errors import InputError, entry_point
from dist_vad.base.files import write_json
from dist_vad.base.progress import progress_bar
from dist_vad.data.manifest import VideoInfo
from dist_vad.data.shardset import ShardSet
from dist_vad.datasets import open_dataset
from dist_vad.datasets.plaza.actors import box
from dist_vad.datasets.plaza.canvas import Dice
from dist_vad.datasets.plaza.figures import DRAWN, KINDS, WALKER, Place, painted
from dist_vad.inference.detector import Detector, run_settings
from dist_vad.scoring.combined import COMBINED
from dist_vad.scoring.geometry import SPEED, box_features, features_of
from dist_vad.scoring.normal_video import NormalVideo
from dist_vad.scoring.object_scores import FUSED, calibrated_name
from dist_vad.scoring.velocity import flow_features
from dist_vad.settings.data import DataSettings
from dist_vad.video.cubes import cut_window
from dist_vad.video.detectors.base import Boxes

BATCH = 256
TRIES = 40
"""Places that are tried for each that is wanted."""
BESIDE = 2.5
"""How far from where an object stood a figure may stand, to either side, in heights of the object."""
FREE = 0.15
"""Most of a figure's place that the box of a real object may cover."""
LEAST = 5
"""Figures whose boxes are narrower or lower than this, pixels, are left out, as small objects are."""
TREMBLE = 0.03
"""About the deviation of a detector's boxes, in sizes of the object."""


@dataclass(frozen=True)
class Spot:
    """Where and when a figure is painted."""

    scene: str
    video: str
    frame: int
    """In the middle of the cube."""
    place: Place


@dataclass(frozen=True)
class Figure:
    """A figure that was painted and cut as an object is."""

    spot: Spot
    kind: str
    clip: np.ndarray
    """uint8 [T, S, S, 3], RGB."""
    features: np.ndarray
    """Of its box, float64 [5]."""
    picture: np.ndarray
    """uint8 [H, W, 3]: the frame with it."""


@dataclass(frozen=True)
class Objects:
    """All objects of held-out video, [N] each."""

    scene: np.ndarray
    video: np.ndarray
    frame: np.ndarray
    box: np.ndarray
    """float64 [N, 4]: x1, y1, x2, y2 in pixels."""
    speed: np.ndarray
    """Pixels a frame."""

    @classmethod
    def of(cls, val: ShardSet) -> "Objects":
        indexes = [*val.indexes(range(len(val.manifest.shards)))]
        video = np.repeat([shard.video for shard in val.manifest.shards], [len(index) for index in indexes])
        frame, box = (np.concatenate([index[key] for index in indexes]) for key in ("frame", "box"))
        scene = val.scenes(np.arange(len(val)))
        return cls(scene, video, frame, box.astype(np.float64), features_of(val)[:, SPEED])


@entry_point
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("states", type=Path, nargs="+", metavar="STATE")
    parser.add_argument("--places", type=int, default=80, help="in each scene, as far as it has room for them")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--picture", type=Path, help="JPEG or PNG of one figure of each kind and scene")
    options = parser.parse_args()
    if options.picture and not (options.picture.parent.is_dir() and cv2.haveImageWriter(str(options.picture))):
        raise InputError(f"--picture is {options.picture}; expected a .jpg or .png in a folder that is there")
    detectors = [Detector.load(state, "cpu") for state in options.states]
    settings = run_settings(detectors[0].state)
    val = NormalVideo(settings).val
    figures = [*_figures(settings.data, val, _spots(val, options.places))]
    if not figures:
        raise InputError("the held-out video has no place for a figure: every object fills the picture")
    rows = [row for detector in detectors for row in _rows(detector, figures)]
    print(_table(rows))
    if options.picture:
        cv2.imwrite(str(options.picture), _picture(figures)[..., ::-1])
    if options.out:
        write_json(options.out, {"figures": len(figures), "rows": rows})
    print(json.dumps({"figures": len(figures), "scenes": len({figure.spot.scene for figure in figures})}))


def _spots(val: ShardSet, most: int) -> dict[str, list[Spot]]:
    """Video -> where figures are painted in it, `most` in each scene, or as many as it has room for."""
    objects = Objects.of(val)
    found: dict[str, list[Spot]] = {}
    for scene in np.unique(objects.scene):
        own = np.flatnonzero(objects.scene == scene)
        for spot in islice(_tried(objects, own, val.manifest.videos, TRIES * most), most):
            found.setdefault(spot.video, []).append(spot)
    return found


def _tried(objects: Objects, own: np.ndarray, videos: Sequence[VideoInfo], tries: int) -> Iterator[Spot]:
    """Spots of one scene, whose objects are `own`: as far down the picture as somebody stood, in another frame, where
    there is room."""
    draw, width = np.random.default_rng(0), {video.name: video.width for video in videos}
    size = objects.box[own, 2:] - objects.box[own, :2]
    standing = own[size[:, 1] > 1.5 * size[:, 0]]
    for row in draw.choice(standing, tries) if len(standing) else ():
        in_video = own[objects.video[own] == objects.video[row]]
        frame = int(draw.choice(objects.frame[in_video]))
        x1, y1, x2, foot = objects.box[row]
        height, x = foot - y1, (x1 + x2) / 2 + (foot - y1) * draw.uniform(-BESIDE, BESIDE)
        area = np.array([x - 0.45 * height, y1, x + 0.45 * height, foot])
        name = str(objects.video[row])
        if _has_room(area, objects.box[in_video[objects.frame[in_video] == frame]], width[name]):
            place = Place(float(x), float(foot), float(height), float(objects.speed[row] / height))
            yield Spot(str(objects.scene[row]), name, frame, place)


def _has_room(area: np.ndarray, others: np.ndarray, width: int) -> bool:
    """Whether an area x1, y1, x2, y2 lies in the picture, and boxes [n, 4] hardly cover it."""
    low, high = np.maximum(others[:, :2], area[:2]), np.minimum(others[:, 2:], area[2:])
    covered = np.prod(np.clip(high - low, 0, None), axis=1) / np.prod(area[2:] - area[:2])
    return area[0] >= 0 and area[1] >= 0 and area[2] <= width and bool((covered < FREE).all())


def _figures(settings: DataSettings, val: ShardSet, spots: dict[str, list[Spot]]) -> Iterator[Figure]:
    """A figure of every kind at every place."""
    videos = {video.name: video for video in open_dataset(settings) if video.split == "train"}
    with progress_bar(total=sum(map(len, spots.values())), desc="paint figures", unit=" places") as bar:
        for name, own in spots.items():
            reach = settings.clip_length // 2
            wanted = {spot.frame + offset for spot in own for offset in range(-reach, reach + 1)}
            frames = {number: frame for number, frame in enumerate(videos[name].open()) if number in wanted}
            for number, spot in enumerate(own):
                window = [frames[spot.frame + offset] for offset in range(-reach, reach + 1)]
                dice = Dice("figures", name, number)
                drawn = [_figure(settings, spot, kind, window, dice) for kind in DRAWN]
                yield from (figure for figure in drawn if figure)
                bar.update()


def _figure(settings: DataSettings, spot: Spot, kind: str, window: list[np.ndarray], dice: Dice) -> Figure | None:
    """None where the detector would not see it: too small, or out of the picture."""
    actor, middle = DRAWN[kind](dice, spot.place, len(window)), len(window) // 2
    height, width = window[0].shape[:2]
    outlines = np.array([box(actor, t) for t in range(len(window))])
    outlines = np.clip(outlines, 0, [width, height, width, height])
    size = np.tile(outlines[middle, 2:] - outlines[middle, :2], 2)
    seen = outlines + TREMBLE * size * np.array([[dice.between(-1.7, 1.7) for _ in range(4)] for _ in window])
    if (seen[middle, 2:] - seen[middle, :2]).min() < LEAST:
        return None
    frames = [painted(frame, actor, t) for t, frame in enumerate(window)]
    found = Boxes(np.array([[*seen[middle], 1.0]], np.float32), [kind])
    (sample,) = cut_window(frames, found, spot.frame, size=settings.cube_size, context=settings.context)
    centres = (seen[[0, -1], :2] + seen[[0, -1], 2:]) / 2
    speed = np.linalg.norm(centres[1] - centres[0]) / (len(window) - 1)
    features = box_features(seen[[middle]], np.array([speed]))[0]
    return Figure(spot, kind.split()[0], sample.clip, features, frames[middle])


def _rows(detector: Detector, figures: list[Figure]) -> list[dict[str, Any]]:
    """A row for each score of a state: its AUC by kind, the mean over scenes."""
    scenes = np.array([figure.spot.scene for figure in figures])
    kinds = np.array([figure.kind for figure in figures])
    rows = []
    for name, values in _scores(detector, figures, scenes).items():
        auc = {kind: _auc(values, kinds, scenes, kind) for kind in KINDS}
        rows.append({"state": detector.state.name, "score": name, "mean": float(np.mean([*auc.values()])), **auc})
    return rows


def _scores(detector: Detector, figures: list[Figure], scenes: np.ndarray) -> dict[str, np.ndarray]:
    """The calibrated anomaly scores by score, float64 [N]."""
    combined = detector.calibration.combined
    assert combined, "a state of cubes"
    boxes, parts = np.stack([figure.features for figure in figures]), []
    for start in progress_bar(range(0, len(figures), BATCH), desc=f"score by {detector.state.name}", unit=" batches"):
        own = slice(start, start + BATCH)
        clips = np.stack([figure.clip for figure in figures[own]])
        features = np.stack([detector.scenes[scene] for scene in scenes[own]])
        scores = detector.scores(clips, features, scenes[own], boxes[own])
        heads = {task: scores[calibrated_name(task)] for task in detector.calibration.normal}
        unlearned = combined.unlearned(flow_features(clips), boxes[own], scenes[own])
        parts.append({**heads, **unlearned, FUSED: scores[FUSED], COMBINED: scores[COMBINED]})
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _auc(values: np.ndarray, kinds: np.ndarray, scenes: np.ndarray, kind: str) -> float:
    found = []
    for scene in np.unique(scenes):
        rows = (scenes == scene) & np.isin(kinds, [WALKER, kind])
        if len(np.unique(kinds[rows])) == 2:
            found.append(roc_auc_score(kinds[rows] == kind, values[rows]))
    return float(np.mean(found))


def _table(rows: list[dict[str, Any]]) -> str:
    columns = ["mean", *KINDS]
    lines = [f"{'state':28}{'score':26}" + "".join(f"{column:>10}" for column in columns)]
    for row in rows:
        lines.append(f"{row['state']:28}{row['score']:26}" + "".join(f"{row[column]:10.3f}" for column in columns))
    return "\n".join(lines)


def _picture(figures: list[Figure], size: int = 96) -> np.ndarray:
    """One figure of each kind, a row a scene: uint8 [H, W, 3]."""
    first: dict[str, dict[str, Figure]] = {}
    for figure in figures:
        first.setdefault(figure.spot.scene, {}).setdefault(figure.kind, figure)
    empty = np.full((size, size, 3), 255, np.uint8)
    rows = [[_shown(own[kind], size) if kind in own else empty for kind in (WALKER, *KINDS)] for own in first.values()]
    return np.vstack([np.hstack(row) for row in rows])


def _shown(figure: Figure, size: int) -> np.ndarray:
    """A figure and what lies around it, uint8 [size, size, 3]."""
    place = figure.spot.place
    reach = round(0.8 * place.height)
    framed = np.pad(figure.picture, [(2 * reach,) * 2, (2 * reach,) * 2, (0, 0)], mode="edge")
    x, y = round(place.x) + 2 * reach, round(place.y - 0.5 * place.height) + 2 * reach
    return cv2.resize(framed[y - reach : y + reach, x - reach : x + reach], (size, size), interpolation=cv2.INTER_AREA)


if __name__ == "__main__":
    main()

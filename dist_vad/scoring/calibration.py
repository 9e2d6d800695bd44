"""From cubes to object scores, by way of calibration on normal video."""

import functools
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dist_vad.data.shardset import ShardSet, evenly_spaced
from dist_vad.scoring.fusion import trust
from dist_vad.scoring.geometry import Geometry, features_of
from dist_vad.scoring.scorer import Scorer
from dist_vad.scoring.synthetic_anomalies import Plant, plants
from dist_vad.scoring.synthetic_auc import frame_auc, held_out
from dist_vad.scoring.tail_calibration import Rarity
from dist_vad.tasks import TASKS, Measured

SCORING_VERSION = 4
PLANTED = 512
"""About so many held-out normal cubes have anomalies planted on them: all of the frames that are chosen."""

NORMAL = "normal"
"""What stands beside the kinds of planted anomalies: the objects as they are."""


@dataclass(frozen=True)
class Calibration:
    """What is normal, and how far each head can be trusted: learned from normal video alone."""

    memory: dict[str, Measured]
    """Task -> measurements of normal training cubes."""
    rarities: dict[str, Rarity]
    weights: dict[str, float]
    """Task -> its weight in `fused`; together 1. Learned from planted anomalies (dist_vad/scoring/fusion.py)."""
    floors: dict[str, float]
    """What a frame without objects gets, by score: 0 where the task's paper says so (eq. 9), else the smallest score
    of the normal training cubes."""
    geometry_share: float = 0.0
    """Share of `rarity_geometry` in `fused_geometry`, learned likewise; the rest is `fused`."""
    trial: dict[str, dict[str, float]] = field(default_factory=dict)
    """Score -> kind of planted anomaly -> frame-level AUC on held-out normal video
    (dist_vad/scoring/synthetic_auc.py): the figure to choose a model by, since it needs no test video."""

    def scores(self, measured: dict[str, Measured], scene: str, neighbours: int) -> dict[str, np.ndarray]:
        """For cubes of one scene, float64 [B] each: the score by task, `rarity_TASK`, `fused` (their weighted sum)."""
        raw = self._raw(measured, neighbours)
        rare = {name: self.rarities[name](value, scene) for name, value in _evidence(measured, raw).items()}
        renamed = {rarity_name(name): value for name, value in rare.items()}
        return {**raw, **renamed, "fused": fuse(self.weights, rare)}

    def rare(self, measured: dict[str, Measured], scenes: np.ndarray, neighbours: int) -> dict[str, np.ndarray]:
        """Rarities by task of cubes of several scenes, named one by one: float64 [B] each."""
        evidence = _evidence(measured, self._raw(measured, neighbours))
        return {name: self.rarities[name].each(value, scenes) for name, value in evidence.items()}

    def _raw(self, measured: dict[str, Measured], neighbours: int) -> dict[str, np.ndarray]:
        return {name: TASKS[name].score(some, self._known[name], neighbours) for name, some in measured.items()}

    @functools.cached_property
    def _known(self) -> dict[str, Any]:
        return {name: TASKS[name].remember(normal) for name, normal in self.memory.items()}


def _evidence(measured: dict[str, Measured], raw: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: TASKS[name].evidence(some, raw[name]) for name, some in measured.items()}


def rarity_name(task: str) -> str:
    """The column that says how rare a task's score is among normal cubes."""
    return f"rarity_{task}"


def calibrate(scorer: Scorer, train: ShardSet, val: ShardSet, geometry: Geometry | None = None) -> Calibration:
    """Calibrate a scorer on normal training cubes, weigh its heads on held-out normal ones; the same for every rank.

    All of them are the memory for scoring. For rarity each half of the videos is scored with the other half as memory,
    since a cube's own video would be its nearest neighbour.

    Args:
        geometry: what boxes of normal training video are like; without it, geometry has no share.
    """
    settings = scorer.settings
    ids = evenly_spaced(len(train), settings.calibration)
    memory, scenes, fold = scorer.measure(train, ids), train.scenes(ids), train.folds(ids)
    raw = {name: _cross_evidence(name, some, fold, settings.neighbours) for name, some in memory.items()}
    rarities = {name: Rarity.of(value, scenes) for name, value in raw.items()}
    places = next(iter(memory.values())).scenes
    features = np.stack([places[scenes == name][0] for name in np.unique(scenes)])

    chosen = held_out(val, PLANTED)
    rare = _tried(scorer, Calibration(memory, rarities, {}, {}), val, chosen.ids, features, geometry)
    weights, share = _weigh(rare, list(raw)), 0.0
    for some in rare.values():
        some["fused"] = fuse(weights, some)
    if geometry:
        share = _weigh(rare, ["fused", "geometry"])["geometry"]
        for some in rare.values():
            some["fused_geometry"] = (1 - share) * some["fused"] + share * some["geometry"]
    normal = rare.pop(NORMAL)
    trial = {
        name: {kind: frame_auc(value, some[name], chosen.frames) for kind, some in rare.items()}
        for name, value in normal.items()
    }
    fused = fuse(weights, {name: rarities[name].each(value, scenes) for name, value in raw.items()})
    empty = {name: TASKS[name].empty_score for name in raw}
    floors = {name: float(raw[name].min()) if value is None else value for name, value in empty.items()}
    return Calibration(memory, rarities, weights, {**floors, "fused": float(fused.min())}, share, trial)


def fuse(weights: dict[str, float], rarities: dict[str, np.ndarray]) -> np.ndarray:
    """The weighted sum of the rarities of several tasks: float64 [B]."""
    return np.sum([weight * rarities[name] for name, weight in weights.items()], axis=0)


def _tried(
    scorer: Scorer,
    calibration: Calibration,
    val: ShardSet,
    ids: np.ndarray,
    features: np.ndarray,
    geometry: Geometry | None,
) -> dict[str, dict[str, np.ndarray]]:
    """NORMAL and every kind of planted anomaly -> task, and `geometry` where there is one -> rarities [N] of held-out
    objects. `features`: f_scene of every scene."""
    scenes, boxes = val.scenes(ids), features_of(val)[ids] if geometry else np.zeros((0, 5))
    kinds: dict[str, Plant | None] = {NORMAL: None, **plants(features)}
    found = {}
    for kind, plant in kinds.items():
        changed = (lambda batch, plant=plant: plant.change(batch, features)) if plant else None
        rare = calibration.rare(scorer.measure(val, ids, changed), scenes, scorer.settings.neighbours)
        if geometry:
            rare["geometry"] = geometry.rare(plant.boxes(boxes, ids) if plant else boxes, scenes)
        found[kind] = rare
    return found


def _weigh(rare: dict[str, dict[str, np.ndarray]], names: list[str]) -> dict[str, float]:
    """Weights of some scores in their sum, from rarities by kind of planted anomaly."""
    columns = {kind: np.column_stack([some[name] for name in names]) for kind, some in rare.items()}
    weights = trust(columns.pop(NORMAL), [*columns.values()])
    return dict(zip(names, weights.tolist()))


def _cross_evidence(task: str, measured: Measured, fold: np.ndarray, neighbours: int) -> np.ndarray:
    """Evidence of each cube with the cubes of the other fold as memory: float64 [N]."""
    scores = np.zeros(len(fold))
    halves = [Measured(*(part[fold == number] for part in measured)) for number in (0, 1)]
    for number, half in enumerate(halves):
        score = TASKS[task].score(half, TASKS[task].remember(halves[1 - number]), neighbours)
        scores[fold == number] = TASKS[task].evidence(half, score)
    return scores

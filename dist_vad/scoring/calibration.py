"""From cubes to object scores, by way of calibration on normal video."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from dist_vad.base.spacing import evenly_spaced
from dist_vad.data.shardset import ShardSet
from dist_vad.scoring.fusion import fusion_weights
from dist_vad.scoring.geometry import Geometry, features_of
from dist_vad.scoring.measuring import Change, Outputs, measure
from dist_vad.scoring.scorer import Scorer
from dist_vad.scoring.synthetic_anomalies import SyntheticAnomaly, synthetic_anomalies
from dist_vad.scoring.synthetic_auc import frame_auc, held_out
from dist_vad.scoring.tail_calibration import TailCalibration
from dist_vad.tasks import TASKS, HeadOutput

SCORING_VERSION = 4
SYNTHETIC_OBJECTS = 512
"""Of about so many held-out normal cubes synthetic anomalies are made: of all in the frames that are chosen."""

NORMAL = "normal"
"""What stands beside the kinds of synthetic anomalies: the objects as they are."""


@dataclass(frozen=True)
class Calibration:
    """What is normal, and how far each head can be trusted: learned from normal video alone.

    Of a state, with shard sets of training and of held-out normal video:

        scorer = Scorer.build(settings, state.load(), state.tasks, scene_size=train.manifest.scene_size, device=device)
        calibration = calibrate(scorer, train, val)
        outputs = scorer.measure(test, np.arange(16))
        calibration.scores(outputs, "square", settings.score.neighbours)["fused"]
    """

    normal: dict[str, HeadOutput]
    """Task -> the head's output for normal training cubes, from which its memory bank is made."""
    tails: dict[str, TailCalibration]
    """Task -> from its fusion input to a calibrated anomaly score."""
    weights: dict[str, float]
    """Task -> its weight in `fused`; together 1. Learned from synthetic anomalies (dist_vad/scoring/fusion.py)."""
    scores_without_objects: dict[str, float]
    """What a frame without objects gets, by score: 0 where the task's paper says so (eq. 9), else the smallest score
    of the normal training cubes."""
    geometry_share: float = 0.0
    """Share of `rarity_geometry` in `fused_geometry`, learned from synthetic anomalies too; the rest is `fused`."""
    synthetic_auc: dict[str, dict[str, float]] = field(default_factory=dict)
    """Score -> kind of synthetic anomaly -> frame-level AUC on held-out normal video
    (dist_vad/scoring/synthetic_auc.py): the figure to choose a model by, since it needs no test video."""
    geometry: Geometry | None = None
    """What boxes of normal training video are like; None where geometry has no share."""

    def scores(self, outputs: dict[str, HeadOutput], scene: str, neighbours: int) -> dict[str, np.ndarray]:
        """For cubes of one scene, float64 [B] each: the score by task, `rarity_TASK`, `fused` (their weighted sum)."""
        raw = self._raw(outputs, neighbours)
        calibrated = {name: self.tails[name](value, scene) for name, value in _fusion_inputs(outputs, raw).items()}
        columns = {calibrated_name(name): value for name, value in calibrated.items()}
        return {**raw, **columns, "fused": fuse(self.weights, calibrated)}

    def anomaly_scores(
        self, outputs: dict[str, HeadOutput], scenes: np.ndarray, neighbours: int
    ) -> dict[str, np.ndarray]:
        """Calibrated anomaly scores by task of cubes of several scenes, named one by one: float64 [B]."""
        inputs = _fusion_inputs(outputs, self._raw(outputs, neighbours))
        return {name: self.tails[name].each(value, scenes) for name, value in inputs.items()}

    def _raw(self, outputs: dict[str, HeadOutput], neighbours: int) -> dict[str, np.ndarray]:
        return {name: TASKS[name].score(own, self._memory_banks[name], neighbours) for name, own in outputs.items()}

    @functools.cached_property
    def _memory_banks(self) -> dict[str, Any]:
        return {name: TASKS[name].memory_bank(normal) for name, normal in self.normal.items()}


def _fusion_inputs(outputs: dict[str, HeadOutput], raw: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: TASKS[name].fusion_input(own, raw[name]) for name, own in outputs.items()}


def calibrated_name(task: str) -> str:
    """The column of a task's calibrated anomaly scores."""
    return f"rarity_{task}"


def calibrate(scorer: Scorer, train: ShardSet, val: ShardSet, geometry: Geometry | None = None) -> Calibration:
    """The calibration of one scorer, as of `calibrate_all`."""
    return calibrate_all([scorer], train, val, geometry)[0]


def calibrate_all(
    scorers: Sequence[Scorer], train: ShardSet, val: ShardSet, geometry: Geometry | None = None
) -> list[Calibration]:
    """Calibrate scorers on normal training cubes, weigh their heads on held-out normal ones; each cube is read once.

    All training cubes make the memory bank for scoring. To calibrate, each half of the videos is scored with a memory
    bank of the other half, since a cube's own video would be its nearest neighbour.

    Args:
        scorers: one or more, of the same settings.
        geometry: what boxes of normal training video are like; without it, geometry has no share.
    """
    settings = scorers[0].settings
    ids, chosen = evenly_spaced(len(train), settings.calibration), held_out(val, SYNTHETIC_OBJECTS)
    normal = [forms[""] for forms in measure(scorers, train, ids, settings.batch)]
    normal_scenes, fold = train.scenes(ids), train.folds(ids)
    features = _scene_features(next(iter(normal[0].values())).scenes, normal_scenes)
    kinds = {NORMAL: None, **synthetic_anomalies(features)}
    forms = measure(
        scorers, val, chosen.ids, settings.batch, {name: _change(kind, features) for name, kind in kinds.items()}
    )
    boxes = _geometry_by_kind(geometry, kinds, val, chosen.ids) if geometry else {}
    scenes = val.scenes(chosen.ids)
    calibrations = [
        _calibration(own, normal_scenes, fold, by_kind, scenes, boxes, chosen.frames, settings.neighbours)
        for own, by_kind in zip(normal, forms)
    ]
    return [replace(calibration, geometry=geometry) for calibration in calibrations]


def _calibration(
    normal: Outputs,
    normal_scenes: np.ndarray,
    fold: np.ndarray,
    held_out_by_kind: dict[str, Outputs],
    scenes: np.ndarray,
    boxes: dict[str, np.ndarray],
    frames: np.ndarray,
    neighbours: int,
) -> Calibration:
    """The calibration of one network.

    Args:
        normal: its outputs for training cubes.
        normal_scenes, fold: names of their scenes, and the half of the videos to which they belong: [N] each.
        held_out_by_kind: NORMAL and every kind of synthetic anomaly -> its outputs for held-out cubes.
        scenes, frames: of those: names of their scenes, numbers of their frames: [n] each.
        boxes: kind -> calibrated anomaly scores of their boxes [n]; empty where geometry has no share.
    """
    inputs = {name: _cross_fusion_input(name, own, fold, neighbours) for name, own in normal.items()}
    tails = {name: TailCalibration.of(value, normal_scenes) for name, value in inputs.items()}
    unweighted, by_kind = Calibration(normal, tails, {}, {}), {}
    for kind, outputs in held_out_by_kind.items():
        by_kind[kind] = unweighted.anomaly_scores(outputs, scenes, neighbours)
        by_kind[kind] |= {"geometry": boxes[kind]} if boxes else {}
    weights, share = _weigh(by_kind, list(inputs)), 0.0
    for scores in by_kind.values():
        scores["fused"] = fuse(weights, scores)
    if boxes:
        share = _weigh(by_kind, ["fused", "geometry"])["geometry"]
        for scores in by_kind.values():
            scores["fused_geometry"] = (1 - share) * scores["fused"] + share * scores["geometry"]
    fused = fuse(weights, {name: tails[name].each(value, normal_scenes) for name, value in inputs.items()})
    without_objects = {**_scores_without_objects(inputs), "fused": float(fused.min())}
    return Calibration(normal, tails, weights, without_objects, share, _aucs(by_kind, frames))


def fuse(weights: dict[str, float], calibrated: dict[str, np.ndarray]) -> np.ndarray:
    """The weighted sum of the calibrated anomaly scores of several tasks: float64 [B]."""
    return np.sum([weight * calibrated[name] for name, weight in weights.items()], axis=0)


def _scene_features(features: np.ndarray, scenes: np.ndarray) -> np.ndarray:
    """f_scene of every scene, in the order of names, from those of cubes [N, D_B] and the names of their scenes [N]."""
    return np.stack([features[scenes == name][0] for name in np.unique(scenes)])


def _change(kind: SyntheticAnomaly | None, features: np.ndarray) -> Change | None:
    """What makes a kind of synthetic anomaly of a batch. `features`: f_scene of every scene."""
    return None if kind is None else lambda batch: kind.change(batch, features)


def _geometry_by_kind(
    geometry: Geometry, kinds: dict[str, SyntheticAnomaly | None], val: ShardSet, ids: np.ndarray
) -> dict[str, np.ndarray]:
    """NORMAL and every kind of synthetic anomaly -> calibrated anomaly scores of the boxes of held-out objects [N]."""
    scenes, boxes = val.scenes(ids), features_of(val)[ids]
    changed = {name: boxes if kind is None else kind.boxes(boxes, ids) for name, kind in kinds.items()}
    return {name: geometry.anomaly_scores(own, scenes) for name, own in changed.items()}


def _aucs(by_kind: dict[str, dict[str, np.ndarray]], frames: np.ndarray) -> dict[str, dict[str, float]]:
    """Score -> kind of synthetic anomaly -> frame-level AUC, from the frame of each object [N]."""
    kinds = {name: scores for name, scores in by_kind.items() if name != NORMAL}
    return {
        name: {kind: frame_auc(normal, scores[name], frames) for kind, scores in kinds.items()}
        for name, normal in by_kind[NORMAL].items()
    }


def _scores_without_objects(inputs: dict[str, np.ndarray]) -> dict[str, float]:
    """What a frame without objects gets by each task, from the fusion inputs of normal training cubes."""
    given = {name: TASKS[name].score_without_objects for name in inputs}
    return {name: float(inputs[name].min()) if value is None else value for name, value in given.items()}


def _weigh(by_kind: dict[str, dict[str, np.ndarray]], names: list[str]) -> dict[str, float]:
    """Weights of several scores in their sum, from their values by kind of synthetic anomaly."""
    columns = {kind: np.column_stack([scores[name] for name in names]) for kind, scores in by_kind.items()}
    weights = fusion_weights(columns.pop(NORMAL), [*columns.values()])
    return dict(zip(names, weights.tolist()))


def _cross_fusion_input(task: str, outputs: HeadOutput, fold: np.ndarray, neighbours: int) -> np.ndarray:
    """Fusion input of each cube with the cubes of the other fold as memory bank: float64 [N]."""
    inputs = np.zeros(len(fold))
    halves = [HeadOutput(*(part[fold == number] for part in outputs)) for number in (0, 1)]
    for number, half in enumerate(halves):
        score = TASKS[task].score(half, TASKS[task].memory_bank(halves[1 - number]), neighbours)
        inputs[fold == number] = TASKS[task].fusion_input(half, score)
    return inputs

"""From cubes to object scores, by way of calibration on normal video."""

import functools
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from dist_vad.base.spacing import evenly_spaced
from dist_vad.data.shardset import ShardSet
from dist_vad.scoring.fusion import fusion_weights
from dist_vad.scoring.geometry import Geometry, features_of
from dist_vad.scoring.scorer import Scorer
from dist_vad.scoring.synthetic_anomalies import SyntheticAnomaly, synthetic_anomalies
from dist_vad.scoring.synthetic_auc import frame_auc, held_out
from dist_vad.scoring.tail_calibration import TailCalibration
from dist_vad.settings.run import Settings
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


def calibrated_scorer(
    settings: Settings,
    tensors: dict[str, torch.Tensor],
    tasks: list[str],
    train: ShardSet,
    val: ShardSet,
    device: torch.device,
    geometry: Geometry | None = None,
) -> tuple[Scorer, Calibration]:
    """The scorer of a state's weights, as of `Scorer.build`, and its calibration, as of `calibrate`."""
    scorer = Scorer.build(settings, tensors, tasks, scene_size=train.manifest.scene_size, device=device)
    return scorer, calibrate(scorer, train, val, geometry)


def calibrate(scorer: Scorer, train: ShardSet, val: ShardSet, geometry: Geometry | None = None) -> Calibration:
    """Calibrate a scorer on normal training cubes, weigh its heads on held-out normal ones; the same for every rank.

    All of them make the memory bank for scoring. To calibrate, each half of the videos is scored with a memory bank of
    the other half, since a cube's own video would be its nearest neighbour.

    Args:
        geometry: what boxes of normal training video are like; without it, geometry has no share.
    """
    settings = scorer.settings
    ids = evenly_spaced(len(train), settings.calibration)
    normal, scenes, fold = scorer.measure(train, ids), train.scenes(ids), train.folds(ids)
    inputs = {name: _cross_fusion_input(name, own, fold, settings.neighbours) for name, own in normal.items()}
    tails = {name: TailCalibration.of(value, scenes) for name, value in inputs.items()}
    features = _scene_features(next(iter(normal.values())).scenes, scenes)

    chosen = held_out(val, SYNTHETIC_OBJECTS)
    by_kind = _scores_by_kind(scorer, Calibration(normal, tails, {}, {}), val, chosen.ids, features, geometry)
    weights, share = _weigh(by_kind, list(inputs)), 0.0
    for scores in by_kind.values():
        scores["fused"] = fuse(weights, scores)
    if geometry:
        share = _weigh(by_kind, ["fused", "geometry"])["geometry"]
        for scores in by_kind.values():
            scores["fused_geometry"] = (1 - share) * scores["fused"] + share * scores["geometry"]
    synthetic_auc = _aucs(by_kind, chosen.frames)
    fused = fuse(weights, {name: tails[name].each(value, scenes) for name, value in inputs.items()})
    without_objects = {**_scores_without_objects(inputs), "fused": float(fused.min())}
    return Calibration(normal, tails, weights, without_objects, share, synthetic_auc)


def fuse(weights: dict[str, float], calibrated: dict[str, np.ndarray]) -> np.ndarray:
    """The weighted sum of the calibrated anomaly scores of several tasks: float64 [B]."""
    return np.sum([weight * calibrated[name] for name, weight in weights.items()], axis=0)


def _scene_features(features: np.ndarray, scenes: np.ndarray) -> np.ndarray:
    """f_scene of every scene, in the order of names, from those of cubes [N, D_B] and the names of their scenes [N]."""
    return np.stack([features[scenes == name][0] for name in np.unique(scenes)])


def _scores_by_kind(
    scorer: Scorer,
    calibration: Calibration,
    val: ShardSet,
    ids: np.ndarray,
    features: np.ndarray,
    geometry: Geometry | None,
) -> dict[str, dict[str, np.ndarray]]:
    """NORMAL and every kind of synthetic anomaly -> task, and `geometry` where there is one -> calibrated anomaly
    scores [N] of held-out objects. `features`: f_scene of every scene."""
    scenes, boxes = val.scenes(ids), features_of(val)[ids] if geometry else np.zeros((0, 5))
    kinds: dict[str, SyntheticAnomaly | None] = {NORMAL: None, **synthetic_anomalies(features)}
    by_kind = {}
    for name, kind in kinds.items():
        change = (lambda batch, kind=kind: kind.change(batch, features)) if kind else None
        outputs = scorer.measure(val, ids, change)
        scores = calibration.anomaly_scores(outputs, scenes, scorer.settings.neighbours)
        if geometry:
            scores["geometry"] = geometry.anomaly_scores(kind.boxes(boxes, ids) if kind else boxes, scenes)
        by_kind[name] = scores
    return by_kind


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

"""From cubes to object scores, by way of calibration on normal video."""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from dist_vad.data.shardset import ShardSet
from dist_vad.scoring.fusion import fusion_weights
from dist_vad.scoring.geometry import Geometry, features_of
from dist_vad.scoring.measuring import Change, Outputs, measure
from dist_vad.scoring.object_scores import columns, fuse, fusion_inputs, raw_scores, scene_scores
from dist_vad.scoring.scorer import Scorer
from dist_vad.scoring.synthetic_anomalies import SyntheticAnomaly, synthetic_anomalies
from dist_vad.scoring.synthetic_auc import NORMAL, HeldOutScenes, held_out
from dist_vad.scoring.tail_calibration import TailCalibration
from dist_vad.scoring.velocity import VELOCITY, OpticalFlow, Velocity, WithVelocity
from dist_vad.tasks import TASKS, HeadOutput

SCORING_VERSION = 6
SYNTHETIC_OBJECTS = 1024
"""Of about so many held-out normal cubes synthetic anomalies are made: of all in the frames that are chosen."""
UNLEARNED = (VELOCITY, "geometry")
"""What enters `combined` beside the heads."""


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
    """Task -> its weight in `fused`; together 1. From synthetic anomalies (dist_vad/scoring/fusion.py)."""
    scores_without_objects: dict[str, float]
    """What a frame without objects gets, by score: 0 where the task's paper says so (eq. 9), else the smallest score
    of the normal training cubes."""
    shares: dict[str, float] = field(default_factory=dict)
    """Weights of the tasks and of UNLEARNED in `combined`, in the same way; empty where there is no geometry."""
    synthetic_auc: dict[str, dict[str, float]] = field(default_factory=dict)
    """Score -> kind of synthetic anomaly -> frame-level AUC on held-out normal video
    (dist_vad/scoring/synthetic_auc.py): the figure to choose a model by, since it needs no test video."""
    geometry: Geometry | None = None
    """What boxes of normal training video are like; None for whole frames."""
    velocity: Velocity | None = None
    """How objects of normal training video move; None for whole frames."""

    def combined(
        self, calibrated: Mapping[str, np.ndarray], flow: np.ndarray, boxes: np.ndarray, scene: str
    ) -> np.ndarray:
        """What the heads, velocity and geometry say together of objects of one scene: float64 [B].

        Args:
            calibrated: by task, calibrated anomaly scores [B].
            flow: features of their motion, [B, 10]. boxes: those of their boxes, [B, 5].
        """
        assert self.geometry and self.velocity, "whole frames have no geometry"
        scenes = np.full(len(boxes), scene)
        motion, place = self.velocity.anomaly_scores(flow, scenes), self.geometry.anomaly_scores(boxes, scenes)
        return fuse(self.shares, {**calibrated, **dict(zip(UNLEARNED, (motion, place)))})

    def scores(
        self, outputs: dict[str, HeadOutput], scenes: str | np.ndarray, neighbours: int
    ) -> dict[str, np.ndarray]:
        """For cubes of one scene, or of several, named one by one (str [B]), float64 [B] each: the score by task,
        `rarity_TASK`, `fused` (those together)."""
        raw, inputs = self._raw(outputs, neighbours)
        return columns(raw, scene_scores(inputs, self.tails, scenes), self.weights)

    def anomaly_scores(
        self, outputs: dict[str, HeadOutput], scenes: np.ndarray, neighbours: int
    ) -> dict[str, np.ndarray]:
        """Calibrated anomaly scores by task of cubes of several scenes, named one by one: float64 [B]."""
        return scene_scores(self._raw(outputs, neighbours)[1], self.tails, scenes)

    def _raw(
        self, outputs: dict[str, HeadOutput], neighbours: int
    ) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Scores and fusion inputs by task; what is no task's output is left aside."""
        own = {name: outputs[name] for name in self.normal}
        raw = raw_scores(TASKS, own, self._memory_banks, neighbours)
        return raw, fusion_inputs(TASKS, own, raw)

    @functools.cached_property
    def _memory_banks(self) -> dict[str, Any]:
        return {name: TASKS[name].memory_bank(normal) for name, normal in self.normal.items()}


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
        geometry: what boxes of normal training video are like; None for whole frames, which have no `combined`.
    """
    settings = scorers[0].settings
    ids, chosen = train.spread(settings.calibration), held_out(val, SYNTHETIC_OBJECTS)
    flow = OpticalFlow()
    measures = [WithVelocity(scorer, flow) for scorer in scorers] if geometry else scorers
    normal = [forms[""] for forms in measure(measures, train, ids, settings.batch)]
    training = Origin(train.scenes(ids), train.folds(ids))
    features = _scene_features(next(iter(normal[0].values())).scenes, training.scenes)
    kinds = {NORMAL: None, **synthetic_anomalies(features)}
    changes = {name: _change(kind, features) for name, kind in kinds.items()}
    forms = measure(measures, val, chosen.ids, settings.batch, changes)
    held = HeldOutScenes.of(val.scenes(chosen.ids), chosen.frames)
    velocity = Velocity.of(normal[0][VELOCITY], training.scenes, training.folds) if geometry else None
    unlearned = _unlearned(geometry, velocity, kinds, val, chosen.ids, forms[0]) if geometry and velocity else {}
    calibrations = [
        _calibration(
            {task: own[task] for task in scorer.tasks}, training, by_kind, held, unlearned, settings.neighbours
        )
        for scorer, own, by_kind in zip(scorers, normal, forms)
    ]
    return [replace(calibration, geometry=geometry, velocity=velocity) for calibration in calibrations]


@dataclass(frozen=True)
class Origin:
    """Where normal training cubes come from."""

    scenes: np.ndarray
    """Names of their scenes [N]."""
    folds: np.ndarray
    """The half of the videos to which each belongs, 0 or 1 [N]."""


def _calibration(
    normal: Outputs,
    training: Origin,
    held_out_by_kind: dict[str, Outputs],
    held: HeldOutScenes,
    unlearned: dict[str, dict[str, np.ndarray]],
    neighbours: int,
) -> Calibration:
    """The calibration of one network.

    Args:
        normal: its outputs for training cubes.
        held_out_by_kind: NORMAL and every kind of synthetic anomaly -> its outputs for held-out cubes.
        unlearned: kind -> `velocity` and `geometry` -> calibrated anomaly scores of held-out objects [n]; empty for
            whole frames.
    """
    inputs = {name: _cross_fusion_input(name, own, training.folds, neighbours) for name, own in normal.items()}
    tails = {name: TailCalibration.of(value, training.scenes) for name, value in inputs.items()}
    plain = Calibration(normal, tails, {}, {})
    by_kind = {
        kind: {**plain.anomaly_scores(outputs, held.scenes, neighbours), **unlearned.get(kind, {})}
        for kind, outputs in held_out_by_kind.items()
    }
    weights, of_fused = weigh(by_kind, list(inputs), held)
    auc = {name: held.auc(by_kind, name, half=1) for name in inputs} | {"fused": of_fused}
    shares: dict[str, float] = {}
    if unlearned:
        shares, of_combined = weigh(by_kind, [*inputs, *UNLEARNED], held)
        auc |= {name: held.auc(by_kind, name, half=1) for name in UNLEARNED} | {"combined": of_combined}
    normal_scores = {name: tails[name].each(value, training.scenes) for name, value in inputs.items()}
    without_objects = {**_scores_without_objects(inputs), "fused": float(fuse(weights, normal_scores).min())}
    return Calibration(normal, tails, weights, without_objects, shares, auc)


def weigh(
    by_kind: dict[str, dict[str, np.ndarray]], names: list[str], held: HeldOutScenes
) -> tuple[dict[str, float], dict[str, float]]:
    """(weights of several scores in their norm, AUC of that norm by kind of synthetic anomaly).

    Weights come from the first half of the held-out video. The AUC is that on the second half, for each kind with
    weights for which that kind was left out: so neither flatters itself.
    """
    first = {name: held.auc(by_kind, name, half=0) for name in names}
    auc = {}
    for kind in first[names[0]]:
        others = {name: {k: v for k, v in own.items() if k != kind} or own for name, own in first.items()}
        weights = fusion_weights({name: float(np.mean([*own.values()])) for name, own in others.items()})
        fused = {each: {"fused": fuse(weights, by_kind[each])} for each in (NORMAL, kind)}
        auc |= held.auc(fused, "fused", half=1)
    return fusion_weights({name: float(np.mean([*own.values()])) for name, own in first.items()}), auc


def _scene_features(features: np.ndarray, scenes: np.ndarray) -> np.ndarray:
    """f_scene of every scene, in the order of names, from those of cubes [N, D_B] and the names of their scenes [N]."""
    return np.stack([features[scenes == name][0] for name in np.unique(scenes)])


def _change(kind: SyntheticAnomaly | None, features: np.ndarray) -> Change | None:
    """What makes a kind of synthetic anomaly of a batch. `features`: f_scene of every scene."""
    return None if kind is None else lambda batch: kind.change(batch, features)


def _unlearned(
    geometry: Geometry,
    velocity: Velocity,
    kinds: dict[str, SyntheticAnomaly | None],
    val: ShardSet,
    ids: np.ndarray,
    forms: dict[str, Outputs],
) -> dict[str, dict[str, np.ndarray]]:
    """NORMAL and every kind of synthetic anomaly -> `velocity`, `geometry` -> calibrated anomaly scores [n]."""
    scenes, boxes = val.scenes(ids), features_of(val, ids)
    return {
        name: {
            VELOCITY: velocity.anomaly_scores(forms[name][VELOCITY].values.astype(np.float64), scenes),
            "geometry": geometry.anomaly_scores(kind.boxes(boxes, ids) if kind else boxes, scenes),
        }
        for name, kind in kinds.items()
    }


def _scores_without_objects(inputs: dict[str, np.ndarray]) -> dict[str, float]:
    """What a frame without objects gets by each task, from the fusion inputs of normal training cubes."""
    given = {name: TASKS[name].score_without_objects for name in inputs}
    return {name: float(inputs[name].min()) if value is None else value for name, value in given.items()}


def _cross_fusion_input(task: str, outputs: HeadOutput, fold: np.ndarray, neighbours: int) -> np.ndarray:
    """Fusion input of each cube with the cubes of the other fold as memory bank: float64 [N]."""
    inputs = np.zeros(len(fold))
    halves = [HeadOutput(*(part[fold == number] for part in outputs)) for number in (0, 1)]
    for number, half in enumerate(halves):
        score = TASKS[task].score(half, TASKS[task].memory_bank(halves[1 - number]), neighbours)
        inputs[fold == number] = TASKS[task].fusion_input(half, score)
    return inputs

"""Calibration of networks on normal training video, and of the weights of their heads on held-out normal video."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dist_vad.data.shardset import ShardSet
from dist_vad.scoring.calibration import Calibration
from dist_vad.scoring.combined import COMBINED, UNLEARNED, Combined
from dist_vad.scoring.fusion import fusion_weights
from dist_vad.scoring.geometry import Geometry, features_of, places
from dist_vad.scoring.measuring import Change, Outputs, measure
from dist_vad.scoring.object_scores import FUSED, fuse, scene_scores
from dist_vad.scoring.scorer import Scorer
from dist_vad.scoring.synthetic_anomalies import SyntheticAnomaly, synthetic_anomalies
from dist_vad.scoring.synthetic_auc import NORMAL, Aucs, HeldOutScenes, held_out
from dist_vad.scoring.tail_calibration import TailCalibration
from dist_vad.scoring.velocity import VELOCITY, OpticalFlow, Velocity, WithVelocity
from dist_vad.tasks import TASKS, HeadOutput


def calibrate(scorer: Scorer, train: ShardSet, val: ShardSet, geometry: Geometry | None = None) -> Calibration:
    """The calibration of one scorer, as of `calibrate_all`."""
    return calibrate_all([scorer], train, val, geometry)[0]


def calibrate_all(
    scorers: Sequence[Scorer], train: ShardSet, val: ShardSet, geometry: Geometry | None = None
) -> list[Calibration]:
    """Calibrate scorers on normal training cubes, weigh their heads on held-out normal ones; each cube is read once.

    All training cubes make the memory bank for scoring. To calibrate, each half of the videos is scored with a memory
    bank of the other half, since a cube's own video would be its nearest neighbour. The first half of the held-out
    frames then checks how unusual normal objects of new video are called; weights come from it too.

    Args:
        scorers: one or more, of the same settings.
        geometry: what boxes of normal training video are like; None for whole frames, which have no `combined`.
    """
    settings = scorers[0].settings
    ids, chosen = train.spread(settings.calibration), held_out(val, settings.synthetic)
    flow = OpticalFlow()
    measures = [WithVelocity(scorer, flow) for scorer in scorers] if geometry else scorers
    normal = [forms[""] for forms in measure(measures, train, ids, settings.batch)]
    training = Origin(train.scenes(ids), train.folds(ids), places(features_of(train, ids)) if geometry else None)
    features = _scene_features(next(iter(normal[0].values())).scenes, training.scenes)
    kinds = {NORMAL: None, **synthetic_anomalies(features)}
    changes = {name: _change(kind, features) for name, kind in kinds.items()}
    forms = measure(measures, val, chosen.ids, settings.batch, changes)
    held = HeldOutScenes.of(val.scenes(chosen.ids), chosen.frames)
    boxes, unlearned = dict.fromkeys(kinds), None
    if training.places is not None and geometry:
        as_they_are = features_of(val, chosen.ids)
        boxes = {name: kind.boxes(as_they_are, chosen.ids) if kind else as_they_are for name, kind in kinds.items()}
        velocity = Velocity.of(normal[0][VELOCITY], training.scenes, training.folds, training.places)
        unlearned = Unlearned.of(geometry, velocity, boxes, forms[0], held)
    return [
        _calibration({t: own[t] for t in scorer.tasks}, training, by_kind, boxes, held, unlearned, settings.neighbours)
        for scorer, own, by_kind in zip(scorers, normal, forms)
    ]


@dataclass(frozen=True)
class Origin:
    """Where normal training cubes come from."""

    scenes: np.ndarray
    """Names of their scenes [N]."""
    folds: np.ndarray
    """The half of the videos to which each belongs, 0 or 1 [N]."""
    places: np.ndarray | None
    """Where they stand and how large they are, float64 [N, 3]; None for whole frames."""

    def calibration_of(self, scores: np.ndarray) -> TailCalibration:
        """The calibration of a score, from those of the cubes [N]."""
        return TailCalibration.of(scores, self.scenes, self.places, self.folds)


@dataclass(frozen=True)
class Unlearned:
    """What enters `combined` beside the heads, the same for every network."""

    geometry: Geometry
    velocity: Velocity
    by_kind: dict[str, dict[str, np.ndarray]]
    """NORMAL and every kind of synthetic anomaly -> `velocity`, `geometry` -> calibrated anomaly scores of held-out
    objects [n]."""
    halves: tuple[Aucs, Aucs]
    """Their AUCs on the first and on the second half of the held-out video."""

    @classmethod
    def of(
        cls,
        geometry: Geometry,
        velocity: Velocity,
        boxes: dict[str, np.ndarray],
        forms: dict[str, Outputs],
        held: HeldOutScenes,
    ) -> "Unlearned":
        """From held-out objects by kind of anomaly: the features of their boxes [n, 5], and what is said of them."""
        first, normal = held.first, boxes[NORMAL]
        where, flow = places(normal), forms[NORMAL][VELOCITY].values.astype(np.float64)
        geometry = geometry.checked(normal[first], held.scenes[first], where[first])
        velocity = velocity.checked(flow[first], held.scenes[first], where[first])
        joined = Combined({}, geometry, velocity)
        by_kind = {
            name: joined.unlearned(forms[name][VELOCITY].values, own, held.scenes) for name, own in boxes.items()
        }
        return cls(geometry, velocity, by_kind, (held.aucs(by_kind, UNLEARNED, 0), held.aucs(by_kind, UNLEARNED, 1)))


def _calibration(
    normal: Outputs,
    training: Origin,
    held_out_by_kind: dict[str, Outputs],
    boxes: Mapping[str, np.ndarray | None],
    held: HeldOutScenes,
    unlearned: Unlearned | None,
    neighbours: int,
) -> Calibration:
    """The calibration of one network.

    Args:
        normal: its outputs for training cubes.
        held_out_by_kind: NORMAL and every kind of synthetic anomaly -> its outputs for held-out cubes.
        boxes: by kind, the features of their boxes; None for whole frames.
        unlearned: None for whole frames.
    """
    inputs = {name: _cross_fusion_input(name, own, training.folds, neighbours) for name, own in normal.items()}
    tails = {name: training.calibration_of(value) for name, value in inputs.items()}
    plain, where = Calibration(TASKS, normal, tails, {}, {}), {kind: _places(own) for kind, own in boxes.items()}
    of_kind = {kind: plain.fusion_inputs(outputs, neighbours) for kind, outputs in held_out_by_kind.items()}
    tails = {name: _checked(tail, of_kind[NORMAL][name], held, where[NORMAL]) for name, tail in tails.items()}
    by_kind = {kind: scene_scores(own, tails, held.scenes, where[kind]) for kind, own in of_kind.items()}
    first, second = (held.aucs(by_kind, inputs, half) for half in (0, 1))
    weights, of_fused = weigh(by_kind, first, held)
    auc = {**second, FUSED: of_fused}
    combined = None
    if unlearned:
        by_kind = {kind: {**own, **unlearned.by_kind[kind]} for kind, own in by_kind.items()}
        shares, of_combined = weigh(by_kind, {**first, **unlearned.halves[0]}, held)
        combined = Combined(shares, unlearned.geometry, unlearned.velocity)
        auc |= {**unlearned.halves[1], COMBINED: of_combined}
    normal_scores = {name: tails[name].each(value, training.scenes, training.places) for name, value in inputs.items()}
    least = {**_scores_without_objects(inputs), FUSED: float(fuse(weights, normal_scores).min())}
    return Calibration(TASKS, normal, tails, weights, least, auc, combined)


def weigh(
    by_kind: dict[str, dict[str, np.ndarray]], first: Aucs, held: HeldOutScenes
) -> tuple[dict[str, float], dict[str, float]]:
    """(weights of several scores in their norm, AUC of that norm by kind of synthetic anomaly).

    Weights come from `first`, the AUCs of these scores on the first half of the held-out video. The AUC is that on the
    second half, for each kind with weights for which that kind was left out: so neither flatters itself.
    """
    auc = {}
    for kind in next(iter(first.values())):
        others = {name: {k: v for k, v in own.items() if k != kind} or own for name, own in first.items()}
        weights = fusion_weights({name: float(np.mean([*own.values()])) for name, own in others.items()})
        fused = {each: {FUSED: fuse(weights, by_kind[each])} for each in (NORMAL, kind)}
        auc |= held.aucs(fused, [FUSED], half=1)[FUSED]
    return fusion_weights({name: float(np.mean([*own.values()])) for name, own in first.items()}), auc


def _checked(
    tail: TailCalibration, normal: np.ndarray, held: HeldOutScenes, where: np.ndarray | None
) -> TailCalibration:
    """A calibration checked by the scores of normal held-out objects, those of the first half."""
    return tail.checked(normal[held.first], held.scenes[held.first], None if where is None else where[held.first])


def _places(boxes: np.ndarray | None) -> np.ndarray | None:
    return None if boxes is None else places(boxes)


def _scene_features(features: np.ndarray, scenes: np.ndarray) -> np.ndarray:
    """f_scene of every scene, in the order of names, from those of cubes [N, D_B] and the names of their scenes [N]."""
    return np.stack([features[scenes == name][0] for name in np.unique(scenes)])


def _change(kind: SyntheticAnomaly | None, features: np.ndarray) -> Change | None:
    """What makes a kind of synthetic anomaly of a batch. `features`: f_scene of every scene."""
    return None if kind is None else lambda batch: kind.change(batch, features)


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

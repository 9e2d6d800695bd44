"""`geometry`: is a box as large and as fast as is normal at its place? It looks at no pixel and needs no network."""

import functools
from dataclasses import dataclass

import numpy as np
from scipy.spatial import KDTree

from dist_vad.base.boxes import links
from dist_vad.base.groups import rows_by
from dist_vad.data.shardset import ShardSet
from dist_vad.scoring.tail_calibration import TailCalibration

WIDTH, SPEED = 2, 4
"""Columns of the features."""
NEIGHBOURS = 30
"""Normal boxes with which a box is compared; few would make every rare place an anomaly."""
PLACE = 0.1
"""Weight of the two coordinates of the place. With more, whoever walks where nobody walked in a few training videos is
an anomaly; chosen with dist_vad/scoring/synthetic_anomalies.py (docs/EXPERIMENTS.md)."""


@dataclass(frozen=True)
class Geometry:
    """Boxes of normal training video; the score is how far a box lies from its nearest ones.

    A box is described by where it stands (middle of its lower edge), the logarithms of its width and height, and its
    speed, each standardised, the place weighted by PLACE; the score is the mean distance to the NEIGHBOURS nearest
    boxes of normal training video of the same scene (of all scenes where this one has none).
    """

    normal: dict[str, np.ndarray]
    """Scene -> standardised features of its boxes, float64 [N, 5]."""
    mean: np.ndarray
    deviation: np.ndarray
    calibration: TailCalibration

    @classmethod
    def of(cls, train: ShardSet) -> "Geometry":
        """From all boxes of a training set. To calibrate, each half of the videos is compared with the other half."""
        ids = np.arange(len(train))
        features, scenes, folds = features_of(train), train.scenes(ids), train.folds(ids)
        mean, deviation = features.mean(axis=0), np.maximum(features.std(axis=0), 1e-6)
        deviation[:2] /= PLACE
        standard = (features - mean) / deviation
        rows_of = rows_by(scenes)
        scores = np.zeros(len(ids))
        of_other_fold = functools.cache(lambda fold: KDTree(standard[folds != fold]))  # for scenes with one fold alone
        for rows in rows_of.values():
            for fold in (0, 1):
                own, others = rows[folds[rows] == fold], rows[folds[rows] != fold]
                if len(own):
                    bank = KDTree(standard[others]) if len(others) else of_other_fold(fold)
                    scores[own] = _distances(bank, standard[own])
        normal = {str(name): standard[rows] for name, rows in rows_of.items()}
        return cls(normal, mean, deviation, TailCalibration.of(scores, scenes))

    def anomaly_scores(self, features: np.ndarray, scenes: np.ndarray) -> np.ndarray:
        """Calibrated anomaly scores of boxes of several scenes, named one by one: float64 [B]."""
        calibrated = np.zeros(len(features))
        for name, rows in rows_by(scenes).items():
            calibrated[rows] = self.calibration(self.scores(features[rows], str(name)), str(name))
        return calibrated

    def scores(self, features: np.ndarray, scene: str) -> np.ndarray:
        """Distance to the nearest normal boxes, float64 [B], for features [B, 5] of one scene."""
        bank = self.normal.get(scene)
        bank = np.concatenate([*self.normal.values()]) if bank is None else bank
        return _distances(KDTree(bank), (features - self.mean) / self.deviation)


def features_of(shards: ShardSet) -> np.ndarray:
    """x and y of the middle of the lower edge (pixels), log width, log height, speed (pixels a frame) of every box of
    a set, float64 [N, 5], in the order of its samples."""
    manifest = shards.manifest
    parts: dict[str, list[np.ndarray]] = {}
    for number, shard in enumerate(manifest.shards):
        parts.setdefault(shard.video, []).append(shards.index(number))
    features = []
    for video in parts.values():
        rows = np.concatenate(video)
        box = rows["box"].astype(np.float64)
        size = np.log(np.maximum(box[:, 2:] - box[:, :2], 1.0))
        speed = speeds(rows["frame"], box, manifest.stride, manifest.clip_length // 2)
        features.append(np.column_stack([(box[:, 0] + box[:, 2]) / 2, box[:, 3], size, speed]))
    return np.concatenate(features)


def speeds(frames: np.ndarray, boxes: np.ndarray, stride: int, reach: int) -> np.ndarray:
    """Speed of every box of one video in pixels a frame, float64 [N]; nan-free: what is not seen again has the median.

    The box is followed from sampled frame to sampled frame, as far as it is found, up to `reach` frames to each side,
    or one sampled frame where that is more: a longer way averages out the trembling of boxes.

    Args:
        frames: of each box, ascending [N].
        boxes: x1, y1, x2, y2 in pixels [N, 4].
    """
    later, earlier = links(frames, boxes, stride)
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    first = last = np.arange(len(frames))
    for _ in range(max(1, reach // stride)):
        first = np.where(earlier[first] >= 0, earlier[first], first)
        last = np.where(later[last] >= 0, later[last], last)
    time = frames[last] - frames[first]
    way = np.linalg.norm(centres[last] - centres[first], axis=1)
    known = time > 0
    speed = way / np.maximum(time, 1)
    speed[~known] = np.median(speed[known]) if known.any() else 0.0
    return speed


def _distances(bank: KDTree, features: np.ndarray) -> np.ndarray:
    """Mean distance of features [B, 5] to their nearest ones in a memory bank of N: float64 [B]."""
    count = min(NEIGHBOURS, bank.n)
    distance, _ = bank.query(features, k=count)
    return distance.reshape(len(features), count).mean(axis=1)

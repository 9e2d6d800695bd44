"""Normal objects as points in the space of a few features; an object is as unusual as it is far from them."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from scipy.spatial import KDTree

from dist_vad.base.groups import rows_by
from dist_vad.base.spacing import balanced
from dist_vad.scoring.tail_calibration import TailCalibration

MOST = 200_000
"""Normal objects that are kept, of all scenes together."""


@dataclass(frozen=True)
class Neighbours:
    """Features of objects of normal training video, scene by scene.

    The score of an object is the mean distance of its features, each standardised, to the nearest ones of normal
    training video of the same scene (of all scenes where this one has none).
    """

    normal: dict[str, np.ndarray]
    """Scene -> standardised features of its objects, float64 [N, M]."""
    mean: np.ndarray
    deviation: np.ndarray
    calibration: TailCalibration
    nearest: int
    """Normal objects with which one is compared."""

    @classmethod
    def fit(
        cls,
        features: np.ndarray,
        scenes: np.ndarray,
        folds: np.ndarray,
        nearest: int,
        places: np.ndarray,
        weights: np.ndarray | None = None,
    ) -> Self:
        """From features of normal training objects. To calibrate, each half of the videos is compared with the other.

        Args:
            features: float64 [N, M].
            scenes, folds: the name of each object's scene, and the half (0 or 1) to which its video belongs: [N] each.
            places: where each stands and how large it is (dist_vad/scoring/geometry.py), float64 [N, 3].
            weights: of the features in the distance, [M]; without them 1.
        """
        kept = balanced(scenes, MOST)
        features, scenes, folds, places = features[kept], scenes[kept], folds[kept], places[kept]
        mean, deviation = features.mean(axis=0), np.maximum(features.std(axis=0), 1e-6)
        deviation = deviation if weights is None else deviation / weights
        standard = (features - mean) / deviation
        rows_of = rows_by(scenes)
        scores = np.zeros(len(features))
        of_other_fold = functools.cache(lambda fold: KDTree(standard[folds != fold]))  # for scenes with one fold alone
        for rows in rows_of.values():
            for fold in (0, 1):
                own, others = rows[folds[rows] == fold], rows[folds[rows] != fold]
                if len(own):
                    bank = KDTree(standard[others]) if len(others) else of_other_fold(fold)
                    scores[own] = _distances(bank, standard[own], nearest)
        normal = {str(name): standard[rows] for name, rows in rows_of.items()}
        return cls(normal, mean, deviation, TailCalibration.of(scores, scenes, places, folds), nearest)

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, np.ndarray], facts: dict[str, Any]) -> Self:
        """From what `arrays` and `facts` gave."""
        features = np.split(arrays["features"], np.cumsum([*facts["scenes"].values()])[:-1])
        normal = dict(zip(facts["scenes"], features))
        calibration = TailCalibration.of_facts(facts["calibration"], arrays)
        return cls(normal, arrays["mean"], arrays["deviation"], calibration, facts["nearest"])

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """What is kept of them in a file of arrays."""
        features = np.concatenate([*self.normal.values()])
        return {"features": features, "mean": self.mean, "deviation": self.deviation, **self.calibration.arrays}

    @property
    def facts(self) -> dict[str, Any]:
        """What is kept beside the arrays, as JSON has it."""
        return {
            "scenes": {scene: len(features) for scene, features in self.normal.items()},
            "calibration": self.calibration.facts,
            "nearest": self.nearest,
        }

    def anomaly_scores(self, features: np.ndarray, scenes: np.ndarray, places: np.ndarray) -> np.ndarray:
        """Calibrated anomaly scores of objects of several scenes, named one by one, with their places [B, 3]: float64
        [B]."""
        return self.calibration.each(self._scores_of_each(features, scenes), scenes, places)

    def checked(self, features: np.ndarray, scenes: np.ndarray, places: np.ndarray) -> Self:
        """The same, with its calibration checked by normal objects of held-out video (`TailCalibration.checked`)."""
        distances = self._scores_of_each(features, scenes)
        return replace(self, calibration=self.calibration.checked(distances, scenes, places))

    def scores(self, features: np.ndarray, scene: str) -> np.ndarray:
        """Distance to the nearest normal objects, float64 [B], for features [B, M] of one scene."""
        return _distances(self._tree(scene), (features - self.mean) / self.deviation, self.nearest)

    def _scores_of_each(self, features: np.ndarray, scenes: np.ndarray) -> np.ndarray:
        """`scores` of objects of several scenes, named one by one: float64 [B]."""
        distances = np.zeros(len(features))
        for name, rows in rows_by(scenes).items():
            distances[rows] = self.scores(features[rows], str(name))
        return distances

    def _tree(self, scene: str) -> KDTree:
        name = scene if scene in self.normal else ""
        if name not in self._trees:
            self._trees[name] = KDTree(self.normal[name] if name else np.concatenate([*self.normal.values()]))
        return self._trees[name]

    @functools.cached_property
    def _trees(self) -> dict[str, KDTree]:
        return {}


def _distances(bank: KDTree, features: np.ndarray, nearest: int) -> np.ndarray:
    """Mean distance of features [B, M] to their nearest ones in a memory bank of N: float64 [B]."""
    count = min(nearest, bank.n)
    distance, _ = bank.query(features, k=count)
    return distance.reshape(len(features), count).mean(axis=1)

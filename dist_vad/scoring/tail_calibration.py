"""Calibrated anomaly scores: how improbable a score is among normal objects, which makes several heads comparable."""

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np

from dist_vad.base.groups import rows_by

SHRINKAGE = 10
"""A scene of n normal cubes takes its mean and deviation to a part of (SHRINKAGE / (SHRINKAGE + n))^2 from those of all
scenes together: of 10 cubes to a quarter, of 50 to a thirty-sixth, of 1000 not to speak of."""
TAIL = 0.05
"""Share of the normal scores, the highest ones, beyond which the tail is extrapolated."""


@dataclass(frozen=True)
class TailCalibration:
    """From scores to calibrated anomaly scores: -log10 of the tail probability among normal objects.

    The tail probability is the share of normal objects whose score is as high or higher; so 2 means one in a hundred.

    Scores are first standardised, in each scene by its own mean and deviation (SHRINKAGE). Up to the highest
    twentieth of the normal scores the share is counted; beyond, it decays exponentially with their mean excess over the
    threshold t (peaks over threshold, a generalised Pareto tail of shape 0): P(z) = TAIL exp(-(z - t) / excess).

    >>> calibration = TailCalibration.of(np.linspace(0, 1, 1000), np.full(1000, "square"))
    >>> calibration(np.array([0.0, 0.9]), "square").round(2).tolist()
    [0.0, 1.0]
    """

    by_scene: dict[str, tuple[float, float]]
    """Scene -> mean and deviation of its normal scores."""
    overall: tuple[float, float]
    """Mean and deviation of all of them, for a scene without its own."""
    levels: tuple[float, ...]
    """Standardised normal scores up to t, ascending."""
    excess: float
    """By how much those above t exceed it in the mean."""

    @classmethod
    def of(cls, scores: np.ndarray, scenes: np.ndarray) -> "TailCalibration":
        """From scores of normal cubes [N] and the names of their scenes [N]."""
        chosen = {str(name): scores[rows] for name, rows in rows_by(scenes).items()}
        moments = {name: _shrunk(own, scores) for name, own in chosen.items()}
        fresh = cls(moments, _moments(scores), (), 1.0)
        standard = np.sort(np.concatenate([fresh._standard(own, name) for name, own in chosen.items()]))
        below = max(1, len(standard) - max(1, round(TAIL * len(standard))))
        threshold = standard[below - 1]
        excess = float(np.mean(standard[below:] - threshold)) if below < len(standard) else 1.0
        return cls(moments, _moments(scores), tuple(standard[:below].tolist()), max(excess, 1e-6))

    @classmethod
    def of_facts(cls, facts: dict[str, Any]) -> "TailCalibration":
        """From what JSON made of its fields."""
        moments = {name: tuple(pair) for name, pair in facts["by_scene"].items()}
        return cls(moments, tuple(facts["overall"]), tuple(facts["levels"]), facts["excess"])

    def __call__(self, scores: np.ndarray, scene: str) -> np.ndarray:
        """Calibrated anomaly scores of cubes of one scene: float64 [N], 0 or more, rising with the score."""
        standard, (levels, counted) = self._standard(scores, scene), self._curve
        beyond = np.maximum(standard - levels[-1], 0) / self.excess
        return np.interp(standard, levels, counted) + beyond * np.log10(np.e)

    def each(self, scores: np.ndarray, scenes: np.ndarray) -> np.ndarray:
        """Calibrated anomaly scores of cubes of several scenes, named one by one: float64 [N]."""
        calibrated = np.zeros(len(scores))
        for name, rows in rows_by(scenes).items():
            calibrated[rows] = self(scores[rows], str(name))
        return calibrated

    @property
    def normal(self) -> int:
        """How many normal scores it was made of, to within one."""
        return round(len(self.levels) / (1 - TAIL))

    @property
    def supported(self) -> float:
        """The highest calibrated anomaly score that so many normal scores can show: one of them all scores as high.
        Higher ones are extrapolated."""
        return float(np.log10(max(self.normal, 1)))

    def shown(self, calibrated: float) -> str:
        """A calibrated anomaly score as people are told it: `> N (extrapolated)` beyond what is supported.

        >>> calibration = TailCalibration.of(np.linspace(0, 1, 1000), np.full(1000, "square"))
        >>> calibration.shown(1.5), calibration.shown(7.2)
        ('1.50', '> 3.0 (extrapolated)')
        """
        if calibrated > self.supported:
            return f"> {self.supported:.1f} (extrapolated)"
        return f"{calibrated:.2f}"

    @functools.cached_property
    def _curve(self) -> tuple[np.ndarray, np.ndarray]:
        """The levels, and the calibrated anomaly score at each: float64 [L] both."""
        levels = np.array(self.levels)
        share = 1 - (1 - TAIL) * np.arange(len(levels)) / max(len(levels) - 1, 1)
        return levels, -np.log10(share)

    def _standard(self, scores: np.ndarray, scene: str) -> np.ndarray:
        mean, deviation = self.by_scene.get(scene, self.overall)
        return (scores - mean) / deviation


def _shrunk(own: np.ndarray, every: np.ndarray) -> tuple[float, float]:
    """Mean and deviation of a scene's scores, the arithmetic and the geometric mean with those of all scenes."""
    lent = (SHRINKAGE / (SHRINKAGE + len(own))) ** 2
    (mean, deviation), (mean_of_all, deviation_of_all) = _moments(own), _moments(every)
    return (1 - lent) * mean + lent * mean_of_all, deviation ** (1 - lent) * deviation_of_all**lent


def _moments(scores: np.ndarray) -> tuple[float, float]:
    return float(scores.mean()), float(max(scores.std(), 1e-12))

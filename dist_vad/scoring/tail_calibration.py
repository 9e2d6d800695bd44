"""Calibrated anomaly scores: how improbable a score is among normal objects, which makes several heads comparable."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np

from dist_vad.base.groups import rows_by
from dist_vad.scoring.local_moments import LocalMoments

SHRINKAGE = 10
"""A scene of n normal cubes takes its mean and deviation to a part of (SHRINKAGE / (SHRINKAGE + n))^2 from those of all
scenes together: of 10 cubes to a quarter, of 50 to a thirty-sixth, of 1000 not to speak of."""
LENT = 20
"""Objects as they should be that are added to those by which a scene's scores are checked."""
TAIL = 0.05
"""Share of the normal scores, the highest ones, beyond which the tail is extrapolated."""


@dataclass(frozen=True)
class TailCalibration:
    """From scores to calibrated anomaly scores: -log10 of the tail probability among normal objects.

    The tail probability is the share of normal objects whose score is as high or higher; so 2 means one in a hundred.

    Scores are first standardised, in each scene by its own mean and deviation (SHRINKAGE); where the places of objects
    are known, by mean and deviation around each (dist_vad/scoring/local_moments.py). Up to the highest
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
    local: LocalMoments | None = field(default=None, compare=False)
    """What is normal around each place; None where normal objects have none."""
    whole: Self | None = field(default=None, compare=False)
    """The calibration without places, for objects whose place or scene is not known; None where that is this one."""
    scale: dict[str, float] = field(default_factory=dict)
    """Scene -> factor of its calibrated anomaly scores (`checked`)."""
    scale_elsewhere: float = 1.0
    """That factor in every other scene."""

    @classmethod
    def of(
        cls, scores: np.ndarray, scenes: np.ndarray, places: np.ndarray | None = None, folds: np.ndarray | None = None
    ) -> Self:
        """From scores of normal cubes [N] and the names of their scenes [N].

        Args:
            places: where they stand and how large they are, float64 [N, 3].
            folds: with places, the half (0 or 1) to which the video of each belongs, [N]: each half is standardised by
                the other, since an object's own video has its likest neighbours.
        """
        moments = {str(name): _shrunk(scores[rows], scores) for name, rows in rows_by(scenes).items()}
        local = None if places is None else LocalMoments.of(scores, places, scenes)
        whole = None if places is None else cls.of(scores, scenes)
        overall = _moments(scores)
        fresh = cls(moments, overall, (), 1.0, local)
        if places is None:
            standard = fresh._standard_of_each(scores, scenes, None)
        else:
            assert folds is not None, "places come with folds"
            standard = fresh._cross_standard(scores, scenes, places, folds)
        standard.sort()
        below = max(1, len(standard) - max(1, round(TAIL * len(standard))))
        threshold = standard[below - 1]
        excess = float(np.mean(standard[below:] - threshold)) if below < len(standard) else 1.0
        return cls(moments, overall, tuple(standard[:below].tolist()), max(excess, 1e-6), local, whole)

    @classmethod
    def of_facts(cls, facts: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Self:
        """From what `facts` and `arrays` gave."""
        moments = {name: tuple(pair) for name, pair in facts["by_scene"].items()}
        local = LocalMoments.of_arrays(arrays, facts["local"]) if facts["local"] else None
        overall, levels = tuple(facts["overall"]), tuple(facts["levels"])
        whole = cls.of_facts(facts["whole"], {}) if facts["whole"] else None
        return cls(moments, overall, levels, facts["excess"], local, whole, facts["scale"], facts["scale_elsewhere"])

    @property
    def facts(self) -> dict[str, Any]:
        """What is kept of it as JSON has it."""
        return {
            "by_scene": self.by_scene,
            "overall": self.overall,
            "levels": self.levels,
            "excess": self.excess,
            "local": self.local.facts if self.local else None,
            "whole": self.whole.facts if self.whole else None,
            "scale": self.scale,
            "scale_elsewhere": self.scale_elsewhere,
        }

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """What is kept of it in a file of arrays."""
        return self.local.arrays if self.local else {}

    def checked(self, scores: np.ndarray, scenes: np.ndarray, places: np.ndarray | None = None) -> Self:
        """The same, with its scores brought to the measure of normal objects that had no part in it.

        A network knows the video that it was trained on, so it finds new video more unusual than it should, and one
        head more so than another. The calibrated anomaly scores of normal objects have a mean of log10 e; in each scene
        they are multiplied by what gives those of n new objects and LENT imagined ones that mean. A scene without new
        objects takes the factor that does so for all of them, judged as if nothing were known of their scenes.

        Args:
            scores, scenes, places: of normal objects of held-out video, as `of` takes them.
        """
        fresh = replace(self, scale={}, scale_elsewhere=1.0)
        calibrated, whole = fresh.each(scores, scenes, places), self.whole or self
        scale = {str(name): _scale(calibrated[rows]) for name, rows in rows_by(scenes).items()}
        elsewhere = whole._calibrated(whole._standard(scores, None, None))
        return replace(self, scale=scale, scale_elsewhere=_scale(elsewhere))

    def __call__(self, scores: np.ndarray, scene: str, places: np.ndarray | None = None) -> np.ndarray:
        """Calibrated anomaly scores of cubes of one scene: float64 [N], 0 or more, rising with the score.

        Args:
            places: of the objects, float64 [N, 3]; without them, and in a scene that no normal video shows, they are
                judged by the scene, or all scenes, as a whole.
        """
        scale = self.scale.get(scene, self.scale_elsewhere)
        if self.whole and self.local and (places is None or scene not in self.local.normal):
            return scale * self.whole(scores, scene)
        return scale * self._calibrated(self._standard(scores, scene, places))

    def each(self, scores: np.ndarray, scenes: np.ndarray, places: np.ndarray | None = None) -> np.ndarray:
        """Calibrated anomaly scores of cubes of several scenes, named one by one: float64 [N]."""
        calibrated = np.zeros(len(scores))
        for name, rows in rows_by(scenes).items():
            calibrated[rows] = self(scores[rows], str(name), None if places is None else places[rows])
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

    def _calibrated(self, standard: np.ndarray) -> np.ndarray:
        """Calibrated anomaly scores of standardised scores, not yet multiplied by a factor: float64 [N]."""
        levels, counted = self._curve
        beyond = np.maximum(standard - levels[-1], 0) / self.excess
        return np.interp(standard, levels, counted) + beyond * np.log10(np.e)

    def _standard(self, scores: np.ndarray, scene: str | None, places: np.ndarray | None) -> np.ndarray:
        mean, deviation = self.overall if scene is None else self.by_scene.get(scene, self.overall)
        if self.local is not None and scene is not None and places is not None:
            mean, deviation = self.local(places, scene, (mean, deviation))
        return (scores - mean) / deviation

    def _standard_of_each(self, scores: np.ndarray, scenes: np.ndarray, places: np.ndarray | None) -> np.ndarray:
        standard = np.zeros(len(scores))
        for name, rows in rows_by(scenes).items():
            standard[rows] = self._standard(scores[rows], str(name), None if places is None else places[rows])
        return standard

    def _cross_standard(
        self, scores: np.ndarray, scenes: np.ndarray, places: np.ndarray, folds: np.ndarray
    ) -> np.ndarray:
        """Standardised scores of normal objects, those of each half of the videos by the other half; where a scene has
        one half alone, by that one."""
        standard, missing = np.zeros(len(scores)), np.ones(len(scores), bool)
        for fold in (0, 1):
            others = folds != fold
            own = np.flatnonzero(~others & np.isin(scenes, scenes[others]))
            local = LocalMoments.of(scores[others], places[others], scenes[others])
            by_others = replace(self, local=local)
            standard[own] = by_others._standard_of_each(scores[own], scenes[own], places[own])
            missing[own] = False
        standard[missing] = self._standard_of_each(scores[missing], scenes[missing], places[missing])
        return standard


def _shrunk(own: np.ndarray, every: np.ndarray) -> tuple[float, float]:
    """Mean and deviation of a scene's scores, the arithmetic and the geometric mean with those of all scenes."""
    lent = (SHRINKAGE / (SHRINKAGE + len(own))) ** 2
    (mean, deviation), (mean_of_all, deviation_of_all) = _moments(own), _moments(every)
    return (1 - lent) * mean + lent * mean_of_all, deviation ** (1 - lent) * deviation_of_all**lent


def _scale(calibrated: np.ndarray) -> float:
    """What brings calibrated anomaly scores of new normal objects [n], and LENT imagined ones, to a mean of log10 e."""
    mean = np.log10(np.e)
    return float((len(calibrated) + LENT) * mean / (calibrated.sum() + LENT * mean))


def _moments(scores: np.ndarray) -> tuple[float, float]:
    return float(scores.mean()), float(max(scores.std(), 1e-12))

"""How rare a score is among normal cubes: what makes the scores of several heads comparable."""

from dataclasses import dataclass

import numpy as np

SCENE_MINIMUM = 50
"""Normal cubes that a scene must have for a mean and a deviation of its own."""
TAIL = 0.05
"""Share of the normal scores, the highest ones, from which rarity beyond them is extrapolated."""


@dataclass(frozen=True)
class Rarity:
    """-log10 of the share of normal cubes whose score is as high or higher: 2 = one normal cube in a hundred.

    Scores are first standardised, in each scene by itself where there is enough normal video of it. Up to the highest
    twentieth of the normal scores the share is counted; beyond, it decays exponentially with their mean excess over the
    threshold t (peaks over threshold, a generalised Pareto tail of shape 0): P(z) = TAIL exp(-(z - t) / excess).
    """

    by_scene: dict[str, tuple[float, float]]
    """Mean and deviation of normal scores."""
    overall: tuple[float, float]
    levels: tuple[float, ...]
    """Standardised normal scores up to t, ascending."""
    excess: float

    @classmethod
    def of(cls, scores: np.ndarray, scenes: np.ndarray) -> "Rarity":
        """From scores of normal cubes [N] and the names of their scenes [N]."""
        chosen = {str(name): scores[scenes == name] for name in np.unique(scenes)}
        moments = {name: _moments(some) for name, some in chosen.items() if len(some) >= SCENE_MINIMUM}
        fresh = cls(moments, _moments(scores), (), 1.0)
        standard = np.sort(np.concatenate([fresh._standard(some, name) for name, some in chosen.items()]))
        below = max(1, len(standard) - max(1, round(TAIL * len(standard))))
        threshold = standard[below - 1]
        excess = float(np.mean(standard[below:] - threshold)) if below < len(standard) else 1.0
        return cls(moments, _moments(scores), tuple(standard[:below].tolist()), max(excess, 1e-6))

    def __call__(self, scores: np.ndarray, scene: str) -> np.ndarray:
        """Rarity of the scores of cubes of one scene: float64 [N], 0 or more, rising with the score."""
        standard, levels = self._standard(scores, scene), np.array(self.levels)
        share = 1 - (1 - TAIL) * np.arange(len(levels)) / max(len(levels) - 1, 1)
        beyond = np.maximum(standard - levels[-1], 0) / self.excess
        return np.interp(standard, levels, -np.log10(share)) + beyond * np.log10(np.e)

    def each(self, scores: np.ndarray, scenes: np.ndarray) -> np.ndarray:
        """The same for cubes of several scenes, named one by one."""
        rarity = np.zeros(len(scores))
        for name in np.unique(scenes):
            rarity[scenes == name] = self(scores[scenes == name], str(name))
        return rarity

    def _standard(self, scores: np.ndarray, scene: str) -> np.ndarray:
        mean, deviation = self.by_scene.get(scene, self.overall)
        return (scores - mean) / deviation


def _moments(scores: np.ndarray) -> tuple[float, float]:
    return float(scores.mean()), float(max(scores.std(), 1e-12))

"""Which scores are usual at a place, for objects of a size: the far are judged by the far, and who is cut by the border
by others whom it cuts."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.spatial import KDTree

from dist_vad.base.groups import rows_by

NEAREST = 100
"""Most normal objects by whose scores one is judged; chosen by synthetic anomalies (docs/EXPERIMENTS.md, 18)."""
PART = 5
"""They are a fifth of the scene's at most: of few objects, many are no longer near (docs/EXPERIMENTS.md, 19)."""
SHRINKAGE = 10
"""n of them count n / (n + SHRINKAGE), the scene as a whole the rest."""
PORTION = 4096
"""Objects that are looked up at once: each brings NEAREST scores into memory."""


def nearest(normal: int) -> int:
    """By how many of a scene's normal objects another is judged.

    >>> [nearest(objects) for objects in (3, 200, 10_000)]
    [1, 40, 100]
    """
    return max(1, min(NEAREST, normal // PART))


@dataclass(frozen=True)
class LocalMoments:
    """Scores of normal objects and where they stood, scene by scene.

    A place is where an object stands and how large it is, three numbers (dist_vad/scoring/geometry.py: `places`). What
    a network says of an object depends on both: the small are blurred, the large are cut by the border of the picture.
    """

    normal: Mapping[str, tuple[np.ndarray, np.ndarray]]
    """Scene -> places of its normal objects, float32 [N, 3], and their scores, float64 [N]."""

    @classmethod
    def of(cls, scores: np.ndarray, places: np.ndarray, scenes: np.ndarray) -> Self:
        """From scores [N] of normal objects, their places [N, 3], and the names of their scenes [N]."""
        places = places.astype(np.float32)
        return cls({str(name): (places[rows], scores[rows]) for name, rows in rows_by(scenes).items()})

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, np.ndarray], facts: Mapping[str, int]) -> Self:
        """From what `arrays` and `facts` gave."""
        ends = np.cumsum([*facts.values()])[:-1]
        parts = zip(np.split(arrays["places"], ends), np.split(arrays["scores"], ends))
        return cls(dict(zip(facts, parts, strict=True)))

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """What is kept of them in a file of arrays."""
        places, scores = zip(*self.normal.values())
        return {"places": np.concatenate(places), "scores": np.concatenate(scores)}

    @property
    def facts(self) -> dict[str, int]:
        """What is kept beside the arrays, as JSON has it: scene -> its normal objects."""
        return {scene: len(scores) for scene, (_, scores) in self.normal.items()}

    def __call__(self, places: np.ndarray, scene: str, of_scene: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
        """Mean and deviation of normal scores around places of one scene: float64 [B] each.

        Those of the `nearest` normal objects, each coordinate measured in deviations of the scene's; drawn to those of
        the whole scene, `of_scene`, by SHRINKAGE. A scene without normal objects has `of_scene` alone.
        """
        mean, deviation = of_scene
        means, variances = np.full(len(places), mean), np.full(len(places), deviation**2)
        if scene in self.normal:
            for start in range(0, len(places), PORTION):
                rows = slice(start, start + PORTION)
                near = self._nearest(places[rows].astype(np.float32), scene)
                share = near.shape[1] / (near.shape[1] + SHRINKAGE)
                means[rows] = share * near.mean(axis=1) + (1 - share) * mean
                variances[rows] = share * near.var(axis=1) + (1 - share) * deviation**2
        return means, np.sqrt(variances)

    def _nearest(self, places: np.ndarray, scene: str) -> np.ndarray:
        """Scores of the normal objects around places [B, 3] of a scene: float64 [B, `nearest`]."""
        tree, scale = self._tree(scene)
        count = nearest(tree.n)
        found = tree.query(places / scale, k=count)[1]
        return self.normal[scene][1][found.reshape(len(places), count)]

    def _tree(self, scene: str) -> tuple[KDTree, np.ndarray]:
        """The places of a scene's normal objects, and the deviations in which they are measured."""
        if scene not in self._trees:
            places = self.normal[scene][0]
            scale = np.maximum(places.std(axis=0, dtype=np.float64), 1e-6)
            self._trees[scene] = KDTree(places / scale), scale
        return self._trees[scene]

    @functools.cached_property
    def _trees(self) -> dict[str, tuple[KDTree, np.ndarray]]:
        return {}

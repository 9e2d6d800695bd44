"""`combined`: what the heads say of objects, joined with how they move and with what their boxes are like."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from dist_vad.scoring.geometry import GEOMETRY, Geometry, places
from dist_vad.scoring.object_scores import calibrated_name, fuse
from dist_vad.scoring.velocity import VELOCITY, Velocity

COMBINED = "combined"
UNLEARNED = (VELOCITY, GEOMETRY)
"""What enters it beside the heads."""
WITHOUT_OBJECTS = 0.0
"""What a frame without objects gets: nothing in it is unusual."""


@dataclass(frozen=True)
class Combined:
    """Joins the calibrated anomaly scores of heads, velocity and geometry, each with a weight.

    Objects of a scene that no training video shows are compared with those of all scenes, as everywhere.
    """

    shares: dict[str, float]
    """Weights of the tasks and of UNLEARNED; together 1. From synthetic anomalies (dist_vad/scoring/fusion.py)."""
    geometry: Geometry
    """What boxes of normal training video are like."""
    velocity: Velocity
    """How objects of normal training video move."""

    def __call__(
        self, scores: Mapping[str, np.ndarray], flow: np.ndarray, boxes: np.ndarray, scenes: str | np.ndarray
    ) -> np.ndarray:
        """What all of them say together of objects: float64 [B].

        Args:
            scores: the columns of `Calibration.scores` [B]; the calibrated ones of the tasks count.
            flow: features of their motion, [B, 10] (`flow_features`).
            boxes: features of their boxes, [B, 5] (`box_features`).
            scenes: the scene of all of them, or of each, str [B].
        """
        of_each = np.full(len(boxes), scenes) if isinstance(scenes, str) else scenes
        calibrated = {task: scores[calibrated_name(task)] for task in self.shares if task not in UNLEARNED}
        return fuse(self.shares, {**calibrated, **self.unlearned(flow, boxes, of_each)})

    def unlearned(self, flow: np.ndarray, boxes: np.ndarray, scenes: np.ndarray) -> dict[str, np.ndarray]:
        """Calibrated anomaly scores of UNLEARNED, float64 [B]; the arguments are those of the call."""
        where = places(boxes)
        return {
            VELOCITY: self.velocity.anomaly_scores(flow.astype(np.float64), scenes, where),
            GEOMETRY: self.geometry.anomaly_scores(boxes, scenes, where),
        }

"""What is normal, and from the heads' outputs for objects to their scores; in numpy alone, for exported states too."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dist_vad.base.head_scores import HeadOutput, HeadScore
from dist_vad.scoring import geometry
from dist_vad.scoring.combined import COMBINED, WITHOUT_OBJECTS, Combined
from dist_vad.scoring.object_scores import columns, fusion_inputs, raw_scores, scene_scores
from dist_vad.scoring.tail_calibration import TailCalibration
from dist_vad.scoring.velocity import VELOCITY

SCORING_VERSION = 8


@dataclass(frozen=True)
class Calibration:
    """What is normal, and how far each head can be trusted: learned from normal video alone.

    Of a state, with shard sets of training and of held-out normal video:

        scorer = Scorer.build(settings, state.load(), state.tasks, scene_size=train.manifest.scene_size, device=device)
        calibration = calibrate(scorer, train, val)
        outputs = scorer.measure(test, np.arange(16))
        calibration.scores(outputs, "square", settings.score.neighbours)["fused"]
    """

    kinds: Mapping[str, type[HeadScore]]
    """Task -> the way in which it makes its scores; of these tasks at least."""
    normal: dict[str, HeadOutput]
    """Task -> the head's output for normal training cubes, from which its memory bank is made."""
    tails: dict[str, TailCalibration]
    """Task -> from its fusion input to a calibrated anomaly score."""
    weights: dict[str, float]
    """Task -> its weight in `fused`; together 1. From synthetic anomalies (dist_vad/scoring/fusion.py)."""
    least: dict[str, float]
    """What a frame without objects gets by task and by `fused`: 0 where the task's paper says so (eq. 9), else the
    smallest score of the normal training cubes."""
    synthetic_auc: dict[str, dict[str, float]] = field(default_factory=dict)
    """Score -> kind of synthetic anomaly -> frame-level AUC on held-out normal video
    (dist_vad/scoring/synthetic_auc.py): the figure to choose a model by, since it needs no test video."""
    combined: Combined | None = None
    """What joins the heads with velocity and geometry; None for whole frames, which have neither."""

    @property
    def scores_without_objects(self) -> dict[str, float]:
        """What a frame without objects gets, by score."""
        return {**self.least, **({COMBINED: WITHOUT_OBJECTS} if self.combined else {})}

    @property
    def shares(self) -> dict[str, float]:
        """Weights of the tasks, velocity and geometry in `combined`; empty where there is none."""
        return self.combined.shares if self.combined else {}

    def scores(
        self,
        outputs: Mapping[str, HeadOutput],
        scenes: str | np.ndarray,
        neighbours: int,
        boxes: np.ndarray | None = None,
        places: np.ndarray | None = None,
    ) -> dict[str, np.ndarray]:
        """For cubes of one scene, or of several, named one by one (str [B]), float64 [B] each: the score by task,
        `rarity_TASK`, `fused` (those together) and, with their boxes, `combined`.

        Args:
            outputs: by task; with boxes VELOCITY too, as OpticalFlow gives it. Others are left aside.
            boxes: features of their boxes (dist_vad/scoring/geometry.py), float64 [B, 5]. Where there is no `combined`
                they are left aside.
            places: where the boxes stand and how large they are, float64 [B, 3] (`places` there), for who does not know
                all features yet. Without boxes and places, objects are judged by their scene as a whole.
        """
        raw, inputs = self._raw(outputs, neighbours)
        if boxes is not None:
            places = geometry.places(boxes)
        scores = columns(raw, scene_scores(inputs, self.tails, scenes, places), self.weights)
        if boxes is not None and self.combined:
            scores[COMBINED] = self.combined(scores, outputs[VELOCITY].values, boxes, scenes)
        return scores

    def fusion_inputs(self, outputs: Mapping[str, HeadOutput], neighbours: int) -> dict[str, np.ndarray]:
        """What is calibrated of cubes, by task: float64 [B]."""
        return self._raw(outputs, neighbours)[1]

    def _raw(
        self, outputs: Mapping[str, HeadOutput], neighbours: int
    ) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Scores and fusion inputs by task; what is no task's output is left aside."""
        own = {name: outputs[name] for name in self.normal}
        raw = raw_scores(self.kinds, own, self._memory_banks, neighbours)
        return raw, fusion_inputs(self.kinds, own, raw)

    @functools.cached_property
    def _memory_banks(self) -> dict[str, Any]:
        return {name: self.kinds[name].memory_bank(normal) for name, normal in self.normal.items()}

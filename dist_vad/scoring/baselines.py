"""Scores that learn nothing: what every learned score is compared with."""

from collections.abc import Mapping

import numpy as np

from dist_vad.data.shardset import Batch
from dist_vad.scoring.measuring import Outputs
from dist_vad.tasks import HeadOutput

MOTION = "motion"


class FrameDifference:
    """Raw motion of cubes: the mean absolute difference of the middle frame from the one before it."""

    def outputs(self, batches: Mapping[str, Batch]) -> dict[str, Outputs]:
        """As a network's: MOTION -> float32 [B, 1]."""
        return {name: {MOTION: HeadOutput(_motion(batch), batch.scenes.numpy())} for name, batch in batches.items()}


def _motion(batch: Batch) -> np.ndarray:
    middle = batch.clips.shape[1] // 2
    two = batch.clips.numpy()[:, middle - 1 : middle + 1].astype(np.int16)
    return np.abs(two[:, 1] - two[:, 0]).mean(axis=(1, 2, 3), dtype=np.float64)[:, None]


def baseline_scores(index: np.ndarray, motion: HeadOutput) -> dict[str, np.ndarray]:
    """Scores that learn nothing, for the objects of one shard: float64 [B] each.

    `box_width`, `box_area`: of the detector's box, in pixels. `frame_difference`: raw motion times the area of the box.

    Args:
        index: the shard's index, INDEX_DTYPE [B].
        motion: of its cubes, as FrameDifference gives it.
    """
    width, height = index["box"][:, 2] - index["box"][:, 0], index["box"][:, 3] - index["box"][:, 1]
    area = width.astype(np.float64) * height
    return {
        "box_width": width.astype(np.float64),
        "box_area": area,
        "frame_difference": motion.values[:, 0].astype(np.float64) * area,
    }

"""Synthetic anomalies made of held-out normal cubes: they tell without any test label how far to trust each score."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from dist_vad.base import counters
from dist_vad.data.shardset import Batch
from dist_vad.scoring.geometry import HEIGHT, SPEED, WIDTH
from dist_vad.tasks.synthetic.sliding import fallen, foreign, gliding
from dist_vad.tasks.synthetic.transforms import sped_up

Change = Callable[[Batch, np.ndarray], Batch]
"""Changes a batch; the second argument holds the f_scene of every scene there is, float32 [S, D_B]."""


@dataclass(frozen=True)
class SyntheticAnomaly:
    """One kind of synthetic anomaly: what it does to the pixels of a cube, and what to its box."""

    change: Change
    wider: tuple[float, float] = (1.0, 1.0)
    """The box becomes so many times as wide: lowest and highest factor, drawn uniformly for each object."""
    faster: tuple[float, float] = (1.0, 1.0)
    """It moves so many times as fast: lowest and highest factor, drawn uniformly for each object."""
    turned: bool = False
    """It becomes as wide as it was high, and as high as it was wide."""

    def boxes(self, features: np.ndarray, positions: np.ndarray) -> np.ndarray:
        """The features [B, 5] of the boxes that anomalies of this kind have, from those of the normal objects, as
        dist_vad.scoring.geometry.features_of gives them."""
        low, high = np.array([self.wider, self.faster]).T
        wider, faster = (low + (high - low) * counters.uniform("boxes", positions[:, None], np.arange(2))).T
        changed = features.copy()
        if self.turned:
            changed[:, [WIDTH, HEIGHT]] = features[:, [HEIGHT, WIDTH]]
        changed[:, WIDTH] += np.log(wider)
        changed[:, SPEED] *= faster
        return changed


def synthetic_anomalies(scenes: np.ndarray) -> dict[str, SyntheticAnomaly]:
    """The kinds by name, given the f_scene of every scene; with a single scene there is no `elsewhere`."""
    kinds = {
        "hasty": SyntheticAnomaly(_hasty, faster=(2.0, 2.0)),
        "gliding": SyntheticAnomaly(_of_clips(gliding), wider=(1.0, 1.5), faster=(1.5, 4.0)),
        "foreign": SyntheticAnomaly(_of_clips(foreign), wider=(1.0, 3.0), faster=(1.0, 3.0)),
        "fallen": SyntheticAnomaly(_of_clips(fallen), faster=(0.0, 0.0), turned=True),
        "elsewhere": SyntheticAnomaly(_elsewhere),
    }
    if len(scenes) < 2:
        del kinds["elsewhere"]
    return kinds


def _hasty(batch: Batch, scenes: np.ndarray) -> Batch:
    """Motion at twice its speed."""
    twice = torch.full((len(batch), 1), 2)
    faster = sped_up(batch.clips.permute(0, 4, 1, 2, 3), twice).permute(0, 2, 3, 4, 1)
    # In memory as stored clips lie: a network may give other bits for the same values in another order.
    return _with_clips(batch, faster.contiguous())


def _of_clips(transform: Callable[[torch.Tensor, np.ndarray], torch.Tensor]) -> Change:
    """A change of clips alone, as one of a batch."""
    return lambda batch, scenes: _with_clips(batch, transform(batch.clips, batch.positions))


def _elsewhere(batch: Batch, scenes: np.ndarray) -> Batch:
    """What happens here, in another scene."""
    own = np.abs(batch.scenes.numpy()[:, None] - scenes[None]).sum(axis=2).argmin(axis=1)
    other = (own + counters.integers(1, len(scenes), "elsewhere", batch.positions)) % len(scenes)
    return Batch(batch.clips, torch.from_numpy(scenes[other]), batch.labels, batch.positions)


def _with_clips(batch: Batch, clips: torch.Tensor) -> Batch:
    return Batch(clips, batch.scenes, batch.labels, batch.positions)

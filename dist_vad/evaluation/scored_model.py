"""What scores objects, and what is kept of how it does."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from dist_vad.scoring.measuring import Measures, Outputs
from dist_vad.scoring.object_scores import calibrated_name


@dataclass(frozen=True)
class ScoredModel:
    """Something that scores objects: a state, the untrained network, or the baselines."""

    name: str
    """Phase after which the state was made; `untrained`; `no learning`."""
    scores: tuple[str, ...]
    """Its scores, the one it is judged by last."""
    key: list
    """What decides the scores, beside the shard."""
    scores_without_objects: dict[str, float]
    """What a frame without objects gets, by score."""
    weights: dict[str, float]
    """Task -> its weight in `fused`."""
    shares: dict[str, float] = field(default_factory=dict)
    """Weights of the tasks, `velocity` and `geometry` in `combined`."""
    synthetic_auc: dict[str, dict[str, float]] = field(default_factory=dict)
    """Score -> kind of synthetic anomaly -> frame-level AUC on held-out normal video."""
    supported: dict[str, float] = field(default_factory=dict)
    """Task -> the highest calibrated score that its normal cubes can show; higher ones are extrapolated."""
    clips: "ScoredModel | None" = None
    """The model as it scores whole frames, where there are clips."""

    @property
    def columns(self) -> list[str]:
        """The columns of its score files: its scores, and the calibrated ones of its tasks."""
        return [*self.scores, *(calibrated_name(task) for task in self.weights)]


@dataclass(frozen=True)
class Scoring:
    """A model at work on a test set."""

    model: ScoredModel
    network: Measures
    """What says something of every sample."""
    scores: Callable[[int, Outputs], dict[str, np.ndarray]]
    """(number of a shard, what the network says of its samples) -> the columns of its score file, float64 each."""

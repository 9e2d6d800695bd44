"""The networks that an evaluation scores the test set by."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from dist_vad.curriculum.heads import Asked, asked
from dist_vad.curriculum.precision import with_scoring_precision
from dist_vad.curriculum.state import State, Tensors
from dist_vad.scoring.kept import CALIBRATION
from dist_vad.scoring.scorer import Scorer
from dist_vad.settings.run import Settings


@dataclass(frozen=True)
class Candidate:
    """A network, and where its calibration is kept."""

    name: str
    """Phase after which its state was made, or UNTRAINED."""
    tensors: Tensors
    """Its weights; none of an untrained network whose heads were not fitted, which draws them anew."""
    tasks: list[str]
    """The tasks whose heads it is asked by."""
    calibration: Path
    """The file that keeps its calibration: beside the weights that it belongs to."""

    @classmethod
    def of(cls, settings: Settings, each: Asked) -> "Candidate":
        """A state, or the untrained network, with the heads that were fitted on its frozen backbone."""
        path = Path(settings.run) / f"{each.name}-{CALIBRATION}"
        if each.fitted and settings.score.refit:
            path = each.path(settings).with_suffix(f".{CALIBRATION}")
        elif each.state:
            path = each.state.folder / CALIBRATION
        return cls(each.name, each.weights(settings), [*each.tasks], path)

    def scorer(self, settings: Settings, *, scene_size: int, device: torch.device) -> Scorer:
        """The network on a device, ready to calibrate and to score with."""
        chosen = with_scoring_precision(settings)
        return Scorer.build(chosen, self.tensors, self.tasks, scene_size=scene_size, device=device)


def lineage(settings: Settings, state: State, ancestors: bool = True) -> Iterator[Candidate]:
    """The untrained network, with `ancestors` every state before this one, and the state itself.

    Heads that one has not trained are those that were fitted on its frozen backbone (`score.refit`).
    """
    for each in asked(settings, state, ancestors):
        yield Candidate.of(settings, each)

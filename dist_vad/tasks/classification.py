"""`classification`: regular motion told from irregular motion, and forwards from backwards."""

from functools import cache
from itertools import combinations

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from dist_vad.base import counters
from dist_vad.base.head_scores import MeanScore
from dist_vad.model.heads import PerceptionTrunk
from dist_vad.tasks.base import DrawKey, Inputs, Task


class Classification(MeanScore, Task):
    """Perception. The two questions about motion of Georgescu et al. (CVPR 2021), as Shi et al. (ICCV 2023) ask them.

    From a cube of T frames five are shown, the middle one and two on either side (three where T < 9): half of the time
    those that follow each other, regular motion, else a drawn choice with gaps, irregular motion; and half of the
    time in reverse. H_per gives two pairs of logits. Per sample: the sum of two cross-entropies, irregular or not
    and reversed or not. Where nothing moves no one can tell, and the loss stays at chance.

    Score: of the middle frames as they are, (P(irregular) + P(reversed)) / 2, the works' own.
    """

    name = "classification"
    order = 2
    alias = "cls"
    phase = "perception"
    output = "classification"
    kind = "cube"
    shortest = 5

    def make_output(self, trunk: nn.Module) -> nn.Module:
        assert isinstance(trunk, PerceptionTrunk)
        return Questions(trunk.width)

    def draw(self, key: DrawKey, clip_length: int) -> torch.Tensor:
        """Which choice of frames (0 = regular), and whether they are reversed: int64 [B, 2]."""
        *address, positions = key.parts
        irregular, reverse = counters.integers(0, 2, *address, positions, np.arange(2)[:, None])
        choice = counters.integers(1, len(choices(clip_length)), *address, positions, 2)
        return torch.from_numpy(np.stack([irregular * choice, reverse], axis=1))

    def loss(self, backbone: nn.Module, head: nn.Module, inputs: Inputs, draws: torch.Tensor) -> torch.Tensor:
        b, c, t, h, w = inputs.clip.shape
        frames = torch.tensor(choices(t), device=inputs.clip.device)[draws[:, 0]]
        frames = torch.where(draws[:, 1:] == 1, frames.flip(1), frames)
        shown = inputs.clip.gather(2, frames[:, None, :, None, None].expand(b, c, -1, h, w))
        logits = head(self.output, backbone(shown))
        truth = torch.stack([(draws[:, 0] > 0).long(), draws[:, 1]], dim=1)
        return functional.cross_entropy(logits.transpose(1, 2), truth, reduction="none").sum(dim=1)

    def measure(self, backbone: nn.Module, head: nn.Module, inputs: Inputs) -> torch.Tensor:
        regular = list(choices(inputs.clip.shape[2])[0])
        return head(self.output, backbone(inputs.clip[:, :, regular])).softmax(dim=2)[..., 1]


class Questions(nn.Module):
    """The output layers: two pairs of logits, of (regular, irregular) and of (forwards, backwards)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(width, 4 * width), nn.SiLU(), nn.Linear(4 * width, 4))

    def forward(self, grid: torch.Tensor) -> torch.Tensor:
        """[B, width, h, w] -> [B, 2, 2]."""
        return self.layers(grid.mean(dim=(2, 3))).unflatten(1, (2, 2))


@cache
def choices(length: int) -> tuple[tuple[int, ...], ...]:
    """Which frames of a clip can be shown, ascending; the first choice is the regular one, without gaps."""
    half = length // 2
    beside = min(2, half // 2)
    regular = tuple(range(half - beside, half + beside + 1))
    before, after = combinations(range(half), beside), list(combinations(range(half + 1, length), beside))
    every = [(*left, half, *right) for left in before for right in after]
    return (regular, *(some for some in every if some != regular))

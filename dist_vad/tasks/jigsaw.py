"""`jigsaw`: pieces of a clip put back where and when they were."""

import math
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from dist_vad.base import counters
from dist_vad.base.head_scores import StandardisedScore
from dist_vad.model.heads import ComprehensionTrunk, Meaning
from dist_vad.tasks.base import DrawKey, Inputs, Task

GRID = 3
PIECES = GRID * GRID


class Jigsaw(StandardisedScore, Task):
    """Comprehension. Wang et al. (ECCV 2022): decoupled spatio-temporal jigsaw puzzles, as multi-label classification.

    Half of the samples, by draw, have the 3 x 3 pieces of their frames permuted, all frames alike; the others have
    their T frames permuted, unless nothing moves (`task.jigsaw_static`). H_com, which knows the scene, says of every
    piece which of the 9 it was, and of every frame which of the T. Per sample: the mean cross-entropy over the pieces,
    or over the frames, of the puzzle that it was given.

    Score: nothing is permuted; for both puzzles, the mean of -log p over the pieces, and over the frames, p being the
    probability of each to be where it is. Both are summed, each standardised by the normal training cubes. The work
    takes 1 - the smallest p, which a single unsure piece decides, and standardises by each test video, which looks at
    test scores; it works on 7 x 64 x 64 clips with a larger network and about 2.8 million samples.
    """

    name = "jigsaw"
    order = 4
    alias = "jig"
    phase = "comprehension"
    output = "jigsaw"
    kind = "cube"
    version = 2

    def recipe(self) -> dict[str, Any]:
        return {"static": self.settings.jigsaw_static}

    def make_output(self, trunk: nn.Module) -> nn.Module:
        assert isinstance(trunk, ComprehensionTrunk)
        return Places(trunk)

    def draw(self, key: DrawKey, clip_length: int) -> torch.Tensor:
        """1 for a puzzle in time; the permutation of the pieces; that of the frames: int64 [B, 1 + 9 + T]."""
        in_time = torch.from_numpy(counters.integers(0, 2, *key.parts))[:, None]
        return torch.cat([in_time, key.permutations(PIECES, "space"), key.permutations(clip_length, "time")], dim=1)

    def loss(self, backbone: nn.Module, head: nn.Module, inputs: Inputs, draws: torch.Tensor) -> torch.Tensor:
        in_time, pieces, frames, where, when = self._puzzle(backbone, head, inputs, draws)
        in_space = functional.cross_entropy(where.transpose(1, 2), pieces, reduction="none").mean(dim=1)
        over_time = functional.cross_entropy(when.transpose(1, 2), frames, reduction="none").mean(dim=1)
        return torch.where(in_time, over_time, in_space)

    figures_names = ("place accuracy", "time accuracy")

    def figures(
        self, backbone: nn.Module, head: nn.Module, inputs: Inputs, draws: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        """The share of pieces, and of frames, that are put where they were, of the clips in which they were moved."""
        in_time, pieces, frames, where, when = self._puzzle(backbone, head, inputs, draws)
        ordered = torch.arange(frames.shape[1], device=frames.device)
        asked = {"place accuracy": ~in_time, "time accuracy": in_time & (frames != ordered).any(dim=1)}
        right = [
            (logits.argmax(dim=2) == truth).float().mean(dim=1) for logits, truth in ((where, pieces), (when, frames))
        ]
        return {name: own.masked_fill(~some, math.nan) for (name, some), own in zip(asked.items(), right)}

    def _puzzle(
        self, backbone: nn.Module, head: nn.Module, inputs: Inputs, draws: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """Whether each clip is permuted in time, bool [B]; where its pieces, when its frames come from; the answers."""
        in_time, pieces, frames = draws.split([1, PIECES, inputs.clip.shape[2]], dim=1)
        ordered = [torch.arange(some.shape[1], device=some.device) for some in (pieces, frames)]
        still = (inputs.clip[:, :, -1] - inputs.clip[:, :, 0]).abs().amax(dim=(1, 2, 3)) <= self.settings.jigsaw_static
        pieces = torch.where(in_time == 1, ordered[0], pieces)
        frames = torch.where((in_time == 1) & ~still[:, None], frames, ordered[1])
        where, when = self._ask(backbone, head, shuffle(inputs.clip, pieces, frames), inputs.scene)
        return in_time[:, 0] == 1, pieces, frames, where, when

    def measure(self, backbone: nn.Module, head: nn.Module, inputs: Inputs) -> torch.Tensor:
        both = self._ask(backbone, head, inputs.clip, inputs.scene)
        return torch.stack([-logits.log_softmax(dim=2).diagonal(dim1=1, dim2=2).mean(dim=1) for logits in both], dim=1)

    def _ask(
        self, backbone: nn.Module, head: nn.Module, clip: torch.Tensor, scene: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits of the pieces' places [B, 9, 9] and of the frames' times [B, T, T]."""
        output = head(self.output, backbone(clip), scene)
        return output[:, : PIECES**2].unflatten(1, (PIECES, PIECES)), output[:, PIECES**2 :].unflatten(
            1, (clip.shape[2], clip.shape[2])
        )


class Places(nn.Module):
    """The output layers: where every piece was, when every frame was.

    A frame is asked for its time by what the backbone sees in each cell of a GRID x GRID grid: where an object stands
    tells when. The answer is a curve over the clip, the sum of TERMS
    cosines, so that clips of any length pass; up to T = TERMS it can be any curve.
    """

    TERMS = 9

    def __init__(self, trunk: ComprehensionTrunk) -> None:
        super().__init__()
        self.where = nn.Linear(trunk.width, PIECES**2)
        self.frame = nn.Linear(trunk.channels * GRID**2, trunk.width)
        self.event = nn.Linear(trunk.width, trunk.width)
        self.when = nn.Linear(trunk.width, self.TERMS)

    def forward(self, meaning: Meaning) -> torch.Tensor:
        """Logits [B, 81 + T^2]: of place j for piece i at 9 i + j, then of time u for frame t at 81 + T t + u."""
        vector, features = meaning
        own = features.transpose(1, 2)  # frame by frame: ONNX has no pooling of volumes to a size
        cells = functional.adaptive_avg_pool2d(own.flatten(0, 1), GRID).unflatten(0, own.shape[:2])
        frames = self.frame(cells.flatten(2)) + self.event(vector)[:, None]
        length = features.shape[2]
        middles = (torch.arange(length, device=vector.device) + 0.5) / length
        cosines = torch.cos(math.pi * torch.arange(self.TERMS, device=vector.device)[:, None] * middles)
        when = self.when(functional.silu(frames)) @ cosines.to(vector.dtype)
        return torch.cat([self.where(vector), when.flatten(1)], dim=1)


def shuffle(clip: torch.Tensor, pieces: torch.Tensor, frames: torch.Tensor) -> torch.Tensor:
    """Clips [B, 3, T, H, W] with piece pieces[:, i] at place i (row by row) and frame frames[:, t] at time t.

    Where H or W is no multiple of 3, the one or two rows or columns between the pieces stay as they are.
    """
    b, c, t, h, w = clip.shape
    clip = clip.gather(2, frames[:, None, :, None, None].expand(b, c, t, h, w))
    (row, row_within, row_starts), (column, column_within, column_starts) = (_cells(n, clip.device) for n in (h, w))
    piece = pieces.gather(1, (GRID * row[:, None] + column).flatten().expand(b, -1)).view(b, h, w)
    from_row = row_starts[piece // GRID] + row_within[:, None]
    from_column = column_starts[piece % GRID] + column_within
    size = (h // GRID, w // GRID)
    between = (row_within[:, None] >= size[0]) | (column_within >= size[1])
    here = torch.arange(h * w, device=clip.device).view(h, w)
    source = torch.where(between, here, from_row * w + from_column).view(b, 1, 1, h * w)
    return clip.flatten(3).gather(3, source.expand(b, c, t, h * w)).view(b, c, t, h, w)


def _cells(length: int, device: torch.device) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The piece of each of `length` rows, the row's number within it, and where pieces start: the last at the end."""
    starts = torch.tensor([0, (length - length // GRID) // 2, length - length // GRID], device=device)
    rows = torch.arange(length, device=device)
    cell = (rows[:, None] >= starts).sum(dim=1) - 1
    return cell, rows - starts[cell], starts

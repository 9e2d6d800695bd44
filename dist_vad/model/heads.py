"""The three heads, one for each phase: a trunk that all tasks of the phase share, and their output layers.

Trunks pool over time and space, so that clips of any length and size are comparable. Which output layers there are is
for the tasks to say.
"""

from itertools import pairwise
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.nn import functional

from dist_vad.model.backbone import norm


class Head(nn.Module):
    """A phase's head.

    Args:
        trunk: from features (and what else it needs) to what the output layers ask for.
        outputs: output layers by name.
    """

    def __init__(self, trunk: nn.Module, outputs: dict[str, nn.Module]) -> None:
        super().__init__()
        self.trunk = trunk
        self.outputs = nn.ModuleDict(outputs)

    def forward(self, output: str, features: torch.Tensor, *context: torch.Tensor, **asked: torch.Tensor) -> Any:
        """What an output layer makes of features [B, C, T, h, w].

        Args:
            output: its name.
            context: what the trunk needs beside the features: f_scene, for H_com.
            asked: what the output layer needs beside what the trunk gives it.
        """
        return self.outputs[output](self.trunk(features, *context), **asked)


class PerceptionTrunk(nn.Module):
    """H_per's trunk: pools features over time, keeps the spatial grid, and begins to decode it.

    Args:
        channels: of the backbone's features.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.width = channels // 2
        self.decode = _upsample(channels, self.width)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Features [B, C, T, h, w] -> [B, C / 2, 2 h, 2 w]."""
        return self.decode(features.mean(dim=2).contiguous(memory_format=torch.channels_last))


class FrameDecoder(nn.Module):
    """An output layer that decodes a frame from a grid.

    Args:
        channels: of the grid.
        doublings: how often the grid is enlarged to twice its height and width.
    """

    def __init__(self, channels: int, doublings: int) -> None:
        super().__init__()
        widths = [channels >> n for n in range(doublings + 1)]
        self.decode = nn.Sequential(*(_upsample(a, b) for a, b in pairwise(widths)))
        self.output = nn.Conv2d(widths[-1], 3, kernel_size=3, padding=1)

    def forward(self, grid: torch.Tensor) -> torch.Tensor:
        """[B, channels, h, w] -> a frame [B, 3, h * 2^doublings, w * 2^doublings] in [0, 1]."""
        return torch.sigmoid(self.output(self.decode(grid)))


class Meaning(NamedTuple):
    """What H_com's trunk makes of a clip in its scene."""

    vector: torch.Tensor
    """[B, width]: what happens there."""
    features: torch.Tensor
    """[B, C, T, h, w]: the backbone's, for output layers that need to know where or when."""


class ComprehensionTrunk(nn.Module):
    """H_com's trunk: embeds a clip together with the scene in which it happens.

    Features are averaged over time within the cells of a coarse grid, and so are their changes from frame to frame
    (0 for a single frame). With one average over all, a clip and the same clip without one frame look alike, and the
    task of semantic reconstruction stays at its margin far longer.

    Args:
        channels: of the backbone's features.
        scene_size: length of f_scene.
        embedding: half the length of what it gives.
    """

    GRID = 3

    def __init__(self, channels: int, scene_size: int, embedding: int) -> None:
        super().__init__()
        self.channels, self.width, self.embedding = channels, 2 * embedding, embedding
        self.layers = nn.Sequential(nn.Linear(2 * channels * self.GRID**2 + scene_size, self.width), nn.SiLU())

    def pool(self, features: torch.Tensor) -> torch.Tensor:
        """Features [B, C, T, h, w] -> [B, 2 C GRID^2], whatever T, h and w: what is where, and how it changes."""
        still = features[:, :, :1] * 0  # so that a single frame has a change, of 0
        change = torch.cat([still, features.diff(dim=2).abs()], dim=2)
        both = torch.cat([features.mean(dim=2), change.mean(dim=2)], dim=1)
        return functional.adaptive_avg_pool2d(both, self.GRID).flatten(1)

    def forward(self, features: torch.Tensor, scene: torch.Tensor) -> Meaning:
        """Features [B, C, T, h, w] and f_scene [B, D_B] -> their meaning."""
        pooled = self.pool(features)
        return Meaning(self.layers(torch.cat([pooled, scene.to(pooled.dtype)], dim=1)), features)


class Embedding(nn.Linear):
    """An output layer of H_com: the embedding of [F(clip), f_scene], [B, embedding], not normalised."""

    def __init__(self, trunk: ComprehensionTrunk) -> None:
        super().__init__(trunk.width, trunk.embedding)

    def forward(self, meaning: Meaning) -> torch.Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        return super().forward(meaning.vector)


class EventDecoder(nn.Module):
    """An output layer of H_com: decodes single frames of an event.

    An embedding alone gives a blur. So the backbone's features at a frame's time are decoded, to which H_com adds, at
    every place, what it makes of the whole event and its scene.
    """

    def __init__(self, trunk: ComprehensionTrunk) -> None:
        super().__init__()
        self.meaning = nn.Linear(trunk.width, trunk.channels)
        self.frame = FrameDecoder(trunk.channels, doublings=3)

    def forward(self, meaning: Meaning, grids: torch.Tensor) -> torch.Tensor:
        """The event's meaning, and features [B, C, N, h, w] at the times of N frames -> frames [B, 3, N, 8 h, 8 w]."""
        known = (grids + self.meaning(meaning.vector)[:, :, None, None, None]).transpose(1, 2)
        frames = self.frame(known.flatten(0, 1).contiguous(memory_format=torch.channels_last))
        return frames.unflatten(0, known.shape[:2]).transpose(1, 2)


class InferenceTrunk(nn.Module):
    """H_inf's trunk: a fully connected layer on the average over time and space.

    Args:
        channels: of the backbone's features.
        hidden: width of the layer.
    """

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.width = hidden
        self.layers = nn.Sequential(nn.Linear(channels, hidden), nn.SiLU())

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Features [B, C, T, h, w] -> [B, hidden]."""
        return self.layers(features.mean(dim=(2, 3, 4)))


class Doubling(nn.Upsample):
    """Every value of a grid shown 2 x 2 times. Compiled, torch's own would add up its gradient value by value."""

    def __init__(self) -> None:
        super().__init__(scale_factor=2, mode="nearest")

    def forward(self, grid: torch.Tensor) -> torch.Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """[B, C, h, w] -> [B, C, 2 h, 2 w]."""
        if not torch.compiler.is_compiling() or torch.compiler.is_exporting():
            return super().forward(grid)
        b, c, h, w = grid.shape
        return grid[:, :, :, None, :, None].expand(b, c, h, 2, w, 2).reshape(b, c, 2 * h, 2 * w)


def _upsample(inputs: int, outputs: int) -> nn.Sequential:
    layer = nn.Conv2d(inputs, outputs, kernel_size=3, padding=1, bias=False)
    return nn.Sequential(Doubling(), layer, norm(outputs), nn.SiLU())

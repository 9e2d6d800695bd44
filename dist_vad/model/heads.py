"""The three heads, one for each phase. Pooling over time and space makes clips of any length and size comparable."""

from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional

from dist_vad.model.backbone import norm


class PerceptionHead(nn.Module):
    """H_per: pools features over time, keeps the spatial grid, and decodes a frame from it.

    Args:
        channels: of the backbone's features.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        widths = [channels, channels // 2, channels // 4, channels // 8]
        self.decode = nn.Sequential(*(_upsample(a, b) for a, b in pairwise(widths)))
        self.output = nn.Conv2d(widths[-1], 3, kernel_size=3, padding=1)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Features [B, C, T, h, w] -> a frame [B, 3, 8 h, 8 w] in [0, 1]."""
        pooled = features.mean(dim=2).contiguous(memory_format=torch.channels_last)
        return torch.sigmoid(self.output(self.decode(pooled)))


class ComprehensionHead(nn.Module):
    """H_com: embeds a clip together with the scene in which it happens.

    Features are averaged over time within the cells of a coarse grid, and so are their changes from frame to frame
    (0 for a single frame). With one average over all, a clip and the same clip without one frame look alike, and the
    task of semantic reconstruction stays at its margin far longer.

    Args:
        channels: of the backbone's features.
        scene_size: length of f_scene.
        embedding: length of the embedding.
    """

    GRID = 3

    def __init__(self, channels: int, scene_size: int, embedding: int) -> None:
        super().__init__()
        pooled = 2 * channels * self.GRID**2
        self.layers = nn.Sequential(
            nn.Linear(pooled + scene_size, 2 * embedding), nn.SiLU(), nn.Linear(2 * embedding, embedding)
        )

    def pool(self, features: torch.Tensor) -> torch.Tensor:
        """Features [B, C, T, h, w] -> [B, 2 C GRID^2], whatever T, h and w: what is where, and how it changes."""
        still = features[:, :, :1] * 0  # so that a single frame has a change, of 0
        change = torch.cat([still, features.diff(dim=2).abs()], dim=2)
        both = torch.cat([features.mean(dim=2), change.mean(dim=2)], dim=1)
        return functional.adaptive_avg_pool2d(both, self.GRID).flatten(1)

    def forward(self, features: torch.Tensor, scene: torch.Tensor) -> torch.Tensor:
        """Features [B, C, T, h, w] and f_scene [B, D_B] -> embeddings [B, embedding], not normalised."""
        pooled = self.pool(features)
        return self.layers(torch.cat([pooled, scene.to(pooled.dtype)], dim=1))


class InferenceHead(nn.Module):
    """H_inf: tells normal from anomalous by fully connected layers.

    Args:
        channels: of the backbone's features.
        hidden: width of the hidden layer.
    """

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(channels, hidden), nn.SiLU(), nn.Linear(hidden, 2))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Features [B, C, T, h, w] -> logits [B, 2] of (normal, anomalous)."""
        return self.layers(features.mean(dim=(2, 3, 4)))


def _upsample(inputs: int, outputs: int) -> nn.Sequential:
    layer = nn.Conv2d(inputs, outputs, kernel_size=3, padding=1, bias=False)
    return nn.Sequential(nn.Upsample(scale_factor=2, mode="nearest"), layer, norm(outputs), nn.SiLU())

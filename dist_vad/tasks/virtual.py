"""`virtual`: normal and anomalous virtual frames told apart."""

from typing import Any

import torch
from torch import nn
from torch.nn import functional

from dist_vad.model.heads import InferenceTrunk
from dist_vad.tasks.base import DrawKey, Inputs, Task

CROP = 48
"""Height and width of a training crop, pixels: the size of a cube."""


class Virtual(Task):
    """Inference. Zhang et al. (ACM MM 2024): open-set supervision by labelled virtual video.

    Per sample: the cross-entropy of H_inf(F(clip)), normal -> 0, anomalous -> 1. Score: the log-odds of anomalous.
    H_inf is trained on virtual frames and asked about cubes, whose crops are stretched to a square. So in
    training each clip is cropped at random around its middle, in width more than in height, stretched likewise,
    and half of the time mirrored. With `task.virtual_view: whole`, as the work has it, it is mirrored alone: a crop of
    a frame can miss what the frame's label is about.
    """

    name = "virtual"
    order = 7
    alias = "virtual"
    phase = "inference"
    output = "virtual"
    kind = "virtual"
    shortest = 1
    version = 2

    def recipe(self) -> dict[str, Any]:
        return {"view": "whole"} if self._is_whole else {}

    def make_output(self, trunk: nn.Module) -> nn.Module:
        assert isinstance(trunk, InferenceTrunk)
        return nn.Linear(trunk.width, 2)

    def draw(self, key: DrawKey, clip_length: int) -> torch.Tensor:
        """Width, height, place and mirroring of the crop: float32 [B, 5] in [0, 1)."""
        return key.uniform(5)

    def loss(self, backbone: nn.Module, head: nn.Module, inputs: Inputs, draws: torch.Tensor) -> torch.Tensor:
        logits = self._logits(backbone, head, inputs, draws)
        return functional.cross_entropy(logits, inputs.label, reduction="none")

    figures_names = ("accuracy",)

    def figures(
        self, backbone: nn.Module, head: nn.Module, inputs: Inputs, draws: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        """Whether each clip, cropped as in training, is taken for what it is: 0 or 1."""
        return {"accuracy": (self._logits(backbone, head, inputs, draws).argmax(dim=1) == inputs.label).float()}

    def _logits(self, backbone: nn.Module, head: nn.Module, inputs: Inputs, draws: torch.Tensor) -> torch.Tensor:
        seen = _mirrored(inputs.clip, draws) if self._is_whole else _crop(inputs.clip, draws)
        return head(self.output, backbone(seen))

    def measure(self, backbone: nn.Module, head: nn.Module, inputs: Inputs) -> torch.Tensor:
        logits = head(self.output, backbone(inputs.clip))
        return (logits[:, 1] - logits[:, 0])[:, None]

    @property
    def _is_whole(self) -> bool:
        return self.settings.virtual_view == "whole"


def _mirrored(clip: torch.Tensor, draws: torch.Tensor) -> torch.Tensor:
    """Clips [B, 3, T, H, W], half of them mirrored."""
    return torch.where(draws[:, 4, None, None, None, None] < 0.5, clip.flip(4), clip)


def _crop(clip: torch.Tensor, draws: torch.Tensor) -> torch.Tensor:
    """Crop clips [B, 3, T, H, W] as `draws` [B, 5] say, the same in all their frames: [B, 3, T, CROP, CROP].

    Frames much larger than a crop are first made smaller by the mean over squares of pixels, which is free of aliasing.
    """
    shrink = min(clip.shape[3:]) // (CROP + 16)
    if shrink > 1:
        clip = functional.avg_pool3d(clip, (1, shrink, shrink))
    b, c, t, h, w = clip.shape
    wide, high = 0.3 + 0.7 * draws[:, 0], 0.65 + 0.35 * draws[:, 1]
    transform = torch.zeros(b, 2, 3, device=clip.device)
    transform[:, 0, 0] = torch.where(draws[:, 4] < 0.5, -wide, wide)
    transform[:, 0, 2] = 0.35 * (2 * draws[:, 2] - 1) * (1 - wide)
    transform[:, 1, 1] = high
    transform[:, 1, 2] = (2 * draws[:, 3] - 1) * (1 - high)
    grid = functional.affine_grid(transform, [b, c * t, CROP, CROP], align_corners=False)
    flat = functional.grid_sample(clip.reshape(b, c * t, h, w), grid, align_corners=False, padding_mode="border")
    return flat.view(b, c, t, CROP, CROP)

"""`virtual`: normal and anomalous virtual frames told apart."""

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
    and half of the time mirrored.
    """

    name = "virtual"
    order = 7
    alias = "virtual"
    phase = "inference"
    output = "virtual"
    kind = "virtual"
    shortest = 1
    version = 2

    def make_output(self, trunk: nn.Module) -> nn.Module:
        assert isinstance(trunk, InferenceTrunk)
        return nn.Linear(trunk.width, 2)

    def draw(self, key: DrawKey, clip_length: int) -> torch.Tensor:
        """Width, height, place and mirroring of the crop: float32 [B, 5] in [0, 1)."""
        return key.uniform(5)

    def loss(self, backbone: nn.Module, head: nn.Module, inputs: Inputs, draws: torch.Tensor) -> torch.Tensor:
        logits = head(self.output, backbone(_crop(inputs.clip, draws)))
        return functional.cross_entropy(logits, inputs.label, reduction="none")

    def measure(self, backbone: nn.Module, head: nn.Module, inputs: Inputs) -> torch.Tensor:
        logits = head(self.output, backbone(inputs.clip))
        return (logits[:, 1] - logits[:, 0])[:, None]


def _crop(clip: torch.Tensor, draws: torch.Tensor) -> torch.Tensor:
    """Crop clips [B, 3, T, H, W] as `draws` [B, 5] say, the same in all their frames: [B, 3, T, CROP, CROP]."""
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

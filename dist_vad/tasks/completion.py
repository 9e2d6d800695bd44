"""`completion`: an erased frame of the cube filled in."""

import torch
from torch import nn

from dist_vad.base import counters
from dist_vad.model.heads import ComprehensionTrunk, EventDecoder
from dist_vad.tasks.base import DrawKey, Inputs, Task
from dist_vad.tasks.prediction import gradient_difference, rms

GREY = 0.5
"""What an erased frame shows: the backbone sees it as 0."""


class Completion(Task):
    """Comprehension. Yu et al. (ACM MM 2020): a cloze test with video events.

    One frame of the cube, drawn uniformly, is erased; F and H_com fill it in, knowing the scene: X^ is decoded from
    F(erased cube) at that frame's time, with what H_com makes of the whole event added everywhere (an embedding alone
    would give a blur). Per sample, as for `prediction`: RMS(X^ - X) + mean |grad X^ - grad X|. The work also completes
    optical flow, and has a network for each position; here there is no flow, and one network for all.

    Score: RMS(X^ - X) with the middle frame erased.
    """

    name = "completion"
    order = 5
    alias = "completion"
    phase = "comprehension"
    output = "frame"
    kind = "cube"
    score_without_objects = 0.0

    def make_output(self, trunk: nn.Module) -> nn.Module:
        assert isinstance(trunk, ComprehensionTrunk)
        return EventDecoder(trunk)

    def draw(self, key: DrawKey, clip_length: int) -> torch.Tensor:
        """The erased frame's 0-based position: int64 [B, 1]."""
        return torch.from_numpy(counters.integers(0, clip_length, *key.parts))[:, None]

    def loss(self, backbone: nn.Module, head: nn.Module, inputs: Inputs, draws: torch.Tensor) -> torch.Tensor:
        filled, erased = self._fill_in(backbone, head, inputs, draws[:, 0])
        return rms(filled - erased) + gradient_difference(filled, erased)

    def measure(self, backbone: nn.Module, head: nn.Module, inputs: Inputs) -> torch.Tensor:
        b, _, t, _, _ = inputs.clip.shape
        filled, erased = self._fill_in(backbone, head, inputs, torch.full((b,), t // 2, device=inputs.clip.device))
        return rms(filled - erased)[:, None]

    def _fill_in(
        self, backbone: nn.Module, head: nn.Module, inputs: Inputs, position: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The frame at `position` [B] filled in, and as it was, each [B, 3, H, W]."""
        clip, every = inputs.clip, torch.arange(len(position), device=position.device)
        blank = (torch.arange(clip.shape[2], device=clip.device) == position[:, None])[:, None, :, None, None]
        features = backbone(clip.masked_fill(blank, GREY))
        filled = head(self.output, features, inputs.scene, grids=features[every, :, position].unsqueeze(2))
        return filled.squeeze(2), clip[every, :, position]

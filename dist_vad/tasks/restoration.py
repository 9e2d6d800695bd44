"""`restoration`: an event rebuilt from its key frames."""

import torch
from torch import nn

from dist_vad.model.heads import ComprehensionTrunk, EventDecoder
from dist_vad.tasks.base import Inputs, Task
from dist_vad.tasks.prediction import rms


class Restoration(Task):
    """Comprehension. Yang et al. (CVPR 2023): video event restoration based on key frames.

    F sees three key frames of the cube, the first, the middle and the last, as a clip of their own. Its features are
    interpolated linearly to the times of the frames between them, and decoded with what H_com makes of the key frames
    and the scene added everywhere (the work has a Swin transformer with skip connections; F has none). Per sample:
    the mean over the missing frames of RMS(X^_t - X_t), and the mean over neighbouring frames, key frames
    included, of mean |(X^_t+1 - X^_t) - (X_t+1 - X_t)|, the work's adjacent frame difference.

    Score: the first term.
    """

    name = "restoration"
    order = 6
    alias = "restoration"
    phase = "comprehension"
    output = "frame"
    kind = "cube"
    shortest = 5
    score_without_objects = 0.0

    def make_output(self, trunk: nn.Module) -> nn.Module:
        assert isinstance(trunk, ComprehensionTrunk)
        return EventDecoder(trunk)

    def loss(self, backbone: nn.Module, head: nn.Module, inputs: Inputs, draws: torch.Tensor) -> torch.Tensor:
        restored, missing = self._restore(backbone, head, inputs)
        error = torch.zeros_like(inputs.clip).index_copy(2, missing, restored - inputs.clip[:, :, missing])
        return _mean_rms(error[:, :, missing]) + error.diff(dim=2).abs().mean(dim=(1, 2, 3, 4))

    def measure(self, backbone: nn.Module, head: nn.Module, inputs: Inputs) -> torch.Tensor:
        restored, missing = self._restore(backbone, head, inputs)
        return _mean_rms(restored - inputs.clip[:, :, missing])[:, None]

    def _restore(self, backbone: nn.Module, head: nn.Module, inputs: Inputs) -> tuple[torch.Tensor, torch.Tensor]:
        """The missing frames [B, 3, N, H, W] restored, and their positions [N]."""
        length, device = inputs.clip.shape[2], inputs.clip.device
        half = length // 2
        missing = torch.tensor([t for t in range(length) if t % half], device=device)  # keys are 0, half, 2 half
        features = backbone(inputs.clip[:, :, ::half])
        before = missing // half
        share = (missing % half / half).view(-1, 1, 1).to(features.dtype)
        grids = features[:, :, before] * (1 - share) + features[:, :, before + 1] * share
        return head(self.output, features, inputs.scene, grids=grids), missing


def _mean_rms(error: torch.Tensor) -> torch.Tensor:
    """The mean over frames of their RMS: [B, 3, N, H, W] -> [B]."""
    frames = error.transpose(1, 2)
    return rms(frames.flatten(0, 1)).view(frames.shape[:2]).mean(dim=1)

"""`reconstruction`: the middle frame from itself."""

import torch
from torch import nn

from dist_vad.base.head_scores import ErrorScore
from dist_vad.model.heads import FrameDecoder, PerceptionTrunk
from dist_vad.tasks.base import Inputs, Task
from dist_vad.tasks.prediction import gradient_difference, relative_error, rms


class Reconstruction(ErrorScore, Task):
    """Perception. Auto-encoding (Hasan et al., CVPR 2016), here of an object's frame.

    From the middle frame X5 alone, a clip of one frame, F and H_per rebuild X5: X^ = H_per[F(X5)]. Nothing is seen of
    its motion; what is learned is colour and shape. Loss as for `prediction`, whose layers it shares: per sample
    RMS(X^ - X5) + mean |grad X^ - grad X5|. Score: the first term; what looks like nothing in normal video is rebuilt
    badly.

    Evidence: both terms, each relative to what there is to rebuild (`relative_error`).
    """

    name = "reconstruction"
    order = 1
    alias = "rec"
    phase = "perception"
    output = "frame"
    kind = "cube"
    shortest = 1
    score_without_objects = 0.0

    def make_output(self, trunk: nn.Module) -> nn.Module:
        assert isinstance(trunk, PerceptionTrunk)
        return FrameDecoder(trunk.width, doublings=2)

    def loss(self, backbone: nn.Module, head: nn.Module, inputs: Inputs, draws: torch.Tensor) -> torch.Tensor:
        rebuilt, middle = self._rebuild(backbone, head, inputs.clip)
        return rms(rebuilt - middle) + gradient_difference(rebuilt, middle)

    def measure(self, backbone: nn.Module, head: nn.Module, inputs: Inputs) -> torch.Tensor:
        """Error and relative error: [B, 2]."""
        rebuilt, middle = self._rebuild(backbone, head, inputs.clip)
        return torch.stack([rms(rebuilt - middle), relative_error(rebuilt, middle)], dim=1)

    def _rebuild(self, backbone: nn.Module, head: nn.Module, clip: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The rebuilt and the true middle frame, each [B, 3, H, W]."""
        half = clip.shape[2] // 2
        return head(self.output, backbone(clip[:, :, half : half + 1])), clip[:, :, half]

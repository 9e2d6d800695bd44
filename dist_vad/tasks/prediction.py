"""`prediction`: the middle frame from the four before it and, backwards, from the four after it."""

import torch
from torch import nn

from dist_vad.base.head_scores import ErrorScore
from dist_vad.model.heads import FrameDecoder, PerceptionTrunk
from dist_vad.tasks.base import Inputs, Task


class Prediction(ErrorScore, Task):
    """Perception. Zhang et al. (ACM MM 2024), the visual task of model_base.

    With a cube X1..X9, F and H_per predict X5 from the forward clip X1..X4 and from the backward clip X9..X6; the
    prediction X^ is the mean of both. Per sample: L = RMS(X^ - X5) + mean |grad X^ - grad X5|, the paper's L2 norm of
    the error and L1 norm of the error's gradient, each divided by the number of values so that neither depends on
    the crop's size. Score (eq. 8): the first term.

    Evidence: both terms, each relative to what there is to predict in the frame (`relative_error`), of the direction
    that fails more. The error of eq. 8 grows with an object's contrast, so a walker in black and white passes for an
    anomaly; and a fast thing is often still in one of the two clips, where its mean hides what the other missed.
    """

    name = "prediction"
    order = 0
    alias = "pre"
    phase = "perception"
    output = "frame"
    kind = "cube"
    score_without_objects = 0.0  # eq. 9
    version = 2

    def make_output(self, trunk: nn.Module) -> nn.Module:
        assert isinstance(trunk, PerceptionTrunk)
        return FrameDecoder(trunk.width, doublings=2)

    def loss(self, backbone: nn.Module, head: nn.Module, inputs: Inputs, draws: torch.Tensor) -> torch.Tensor:
        predicted, middle = _predict(backbone, head, inputs.clip)
        return rms(predicted - middle) + gradient_difference(predicted, middle)

    def measure(self, backbone: nn.Module, head: nn.Module, inputs: Inputs) -> torch.Tensor:
        """Error and relative error: [B, 2]."""
        forward, backward, middle = _both(backbone, head, inputs.clip)
        relative = torch.maximum(relative_error(forward, middle), relative_error(backward, middle))
        return torch.stack([rms((forward + backward) / 2 - middle), relative], dim=1)


def rms(error: torch.Tensor) -> torch.Tensor:
    """Root of the mean squared error of each frame: [B, 3, H, W] -> [B]. The small constant keeps its slope finite."""
    return (error.square().mean(dim=(1, 2, 3)) + 1e-8).sqrt()


def gradient_difference(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Mean absolute difference of the horizontal and vertical gradients of two frames: [B, 3, H, W] -> [B]."""
    error = a - b
    horizontal = (error[..., 1:] - error[..., :-1]).abs().mean(dim=(1, 2, 3))
    vertical = (error[..., 1:, :] - error[..., :-1, :]).abs().mean(dim=(1, 2, 3))
    return horizontal + vertical


def relative_error(predicted: torch.Tensor, frame: torch.Tensor) -> torch.Tensor:
    """Share of a frame that is not predicted, [B, 3, H, W] each -> [B]: the error's RMS over the frame's standard
    deviation, plus the error's mean gradient over the frame's. Of the order of 1 for a prediction that knows nothing.

    The small constants are those of noise: what hardly differs from an even grey is not predicted badly.
    """
    contrast = frame.mean(dim=1).flatten(1).std(dim=1) + 0.02
    gradient = gradient_difference(frame, torch.zeros_like(frame)) + 0.01
    return rms(predicted - frame) / contrast + gradient_difference(predicted, frame) / gradient


def _predict(backbone: nn.Module, head: nn.Module, clip: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The predicted and the true middle frame, each [B, 3, H, W]."""
    forward, backward, middle = _both(backbone, head, clip)
    return (forward + backward) / 2, middle


def _both(backbone: nn.Module, head: nn.Module, clip: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The middle frame predicted forward and backward, and the true one, each [B, 3, H, W]."""
    half = clip.shape[2] // 2
    # One pass for both directions: the batch is twice as long, the weights are the same.
    both = torch.cat([clip[:, :, :half], clip[:, :, half + 1 :].flip(2)])
    forward, backward = head("frame", backbone(both)).chunk(2)
    return forward, backward, clip[:, :, half]

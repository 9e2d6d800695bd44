"""A moving average of the weights."""

import torch

from dist_vad.curriculum.state import Tensors


class MovingAverage:
    """average <- decay * average + (1 - decay) * weights, after every step.

    Args:
        decay: in [0, 1).
        weights: parameter name -> tensor, with which the average begins; they are copied.
    """

    def __init__(self, decay: float, weights: Tensors) -> None:
        self.decay = decay
        self.average = {name: tensor.detach().clone() for name, tensor in weights.items()}

    @torch.no_grad()
    def update(self, weights: Tensors) -> None:
        """Take in the weights after a step."""
        for name, tensor in weights.items():
            self.average[name].lerp_(tensor, 1 - self.decay)

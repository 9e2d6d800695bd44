"""`virtual`: normal and anomalous virtual frames told apart."""

import torch
from torch import nn
from torch.nn import functional

from dist_vad.tasks.base import Inputs, Task


class Virtual(Task):
    """Inference. Zhang et al. (ACM MM 2024): open-set supervision by labelled virtual video.

    Per sample: the cross-entropy of H_inf(F(clip)), normal -> 0, anomalous -> 1. Score: the log-odds of anomalous.
    H_inf is trained on whole virtual frames and asked about cubes.
    """

    name = "virtual"
    phase = "inference"
    kind = "virtual"

    def loss(self, backbone: nn.Module, head: nn.Module, inputs: Inputs, draws: torch.Tensor) -> torch.Tensor:
        return functional.cross_entropy(head(backbone(inputs.clip)), inputs.label, reduction="none")

    def measure(self, backbone: nn.Module, head: nn.Module, inputs: Inputs) -> torch.Tensor:
        logits = head(backbone(inputs.clip))
        return (logits[:, 1] - logits[:, 0])[:, None]

"""Retention by distillation: earlier heads stay useful because the features that they read move little.

Replay needs nothing here: the earlier tasks' losses simply join those of the stage
(`dist_vad.curriculum.recipes.loss_weights`).
"""

import torch
from torch import nn

from dist_vad.tasks import PARTNER, Inputs

RETAINED = "retained"
"""Name of the loss, beside those of the tasks."""


def distance(backbone: nn.Module, teacher: nn.Module, inputs: dict[str, Inputs]) -> torch.Tensor:
    """How far the backbone's features of each sample are from the teacher's: float [B], the mean over kinds of sample.

    Per sample |F(x) - F'(x)|^2 / |F'(x)|^2, F' being the parent's backbone, as in less-forgetting learning (Jung et
    al., 2016), here relative to the features' own size, so that one weight suits every network. Earlier heads are not
    trained in the meantime; they read features that are nearly those for which they were made.
    """
    kinds = []
    for samples in (samples for kind, samples in inputs.items() if kind != PARTNER):
        with torch.no_grad():
            then = teacher(samples.clip).float().flatten(1)
        now = backbone(samples.clip).float().flatten(1)
        kinds.append((now - then).square().sum(dim=1) / (then.square().sum(dim=1) + 1e-8))
    return torch.stack(kinds).mean(dim=0)

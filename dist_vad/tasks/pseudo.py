"""`pseudo`: normal clips told from synthetic anomalies made of them."""

import torch
from torch import nn
from torch.nn import functional

from dist_vad.model.heads import InferenceTrunk
from dist_vad.tasks.base import DrawKey, Inputs, Task, pick
from dist_vad.tasks.synthetic.transforms import DRAWS, LOOK, MOTION

KINDS = {**MOTION, **{name: LOOK[name] for name in ("patched", "textured")}}
VISIBLE = 2 / 255
"""Mean absolute change of a clip's values from which it counts as an anomaly."""


class Pseudo(Task):
    """Inference. Synthetic anomalies after the pseudo-anomalies of Georgescu et al. (TPAMI 2022), of normal cubes.

    Half of the samples, by draw, are changed in one of five ways: motion accelerated, frames repeated and skipped, time
    reversed, a patch of another object, a patch of a texture. Per sample: the cross-entropy of H_inf(F(clip)),
    as it was -> 0, changed -> 1. A change that cannot be seen, such as the motion of what stands still, is none.
    The work trains decoders to fail on pseudo-anomalies, which it takes from other data sets.

    Score: the log-odds of changed.
    """

    name = "pseudo"
    version = 2
    order = 8
    alias = "pseudo"
    phase = "inference"
    output = "pseudo"
    kind = "cube"

    def make_output(self, trunk: nn.Module) -> nn.Module:
        assert isinstance(trunk, InferenceTrunk)
        return nn.Linear(trunk.width, 2)

    def draw(self, key: DrawKey, clip_length: int) -> torch.Tensor:
        """Whether and how it is changed, and what the kind needs: float32 [B, 2 + DRAWS] in [0, 1]."""
        return key.uniform(2 + DRAWS)

    def loss(self, backbone: nn.Module, head: nn.Module, inputs: Inputs, draws: torch.Tensor) -> torch.Tensor:
        clip, label = changed(inputs.clip, draws)
        return functional.cross_entropy(head(self.output, backbone(clip)), label, reduction="none")

    def measure(self, backbone: nn.Module, head: nn.Module, inputs: Inputs) -> torch.Tensor:
        logits = head(self.output, backbone(inputs.clip))
        return (logits[:, 1] - logits[:, 0])[:, None]


def changed(clip: torch.Tensor, draws: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Clips, half of them changed as `draws` say, and whether that can be seen: int64 [B]."""
    chosen = torch.where(draws[:, 0] < 0.5, pick(draws[:, 1], len(KINDS)), -1)
    synthetic = clip
    for number, kind in enumerate(KINDS.values()):
        synthetic = torch.where((chosen == number)[:, None, None, None, None], kind(clip, draws[:, 2:]), synthetic)
    return synthetic, ((synthetic - clip).abs().mean(dim=(1, 2, 3, 4)) > VISIBLE).long()

"""`semantic_reconstruction`: a clip with a frame taken out, brought near to that frame in meaning."""

from dataclasses import replace
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from dist_vad.base import counters
from dist_vad.base.head_scores import NearestScore
from dist_vad.model.heads import ComprehensionTrunk, Embedding
from dist_vad.tasks.base import DrawKey, Inputs, Task


class SemanticReconstruction(NearestScore, Task):
    """Comprehension. Zhang et al. (ACM MM 2024), the paper's own task.

    From a clip V_c of T frames an anchor frame I is drawn uniformly from positions 2..T-1 (1-based); V_d is the clip
    without it. With e = H_com[F(.), f_scene], p+ = cos(e(V_d), e(I)) and p- = cos(e(V_d), e(V_n)), per sample:
    L = max(0, gamma - (p+ - p-)).

    The negative V_n is a clip of another object, in the same scene feature so that the scene does not give it away
    ("as opposed to disjoint frames"). The paper's formula has V_n = V_c (`task.semantic_negative: same_clip`). Then the
    gradient of p+ outweighs that of p- at first, the loss stays at gamma for long, and what ends it is a shortcut: V_c
    has one frame more than V_d, which shows even in a clip without motion.

    Score: two parts, each standardised by the normal training cubes. What was learned: 1 - cos(e(V_c), e(I)), the mean
    over three frames I; it is large where single frames do not tell what happens. And the distance to the nearest
    normal training cubes of what H_com sees, [pooled F(V_c), f_scene]: it knows *what* happens *where*, and that what
    is normal in another scene is not so here. The paper names no score for this head; the choice was made by synthetic
    anomalies in held-out video (docs/EXPERIMENTS.md).
    """

    name = "semantic_reconstruction"
    order = 3
    alias = "sr"
    phase = "comprehension"
    output = "embedding"
    kind = "cube"
    version = 3

    @property
    def wants_partner(self) -> bool:
        return self.settings.semantic_negative == "other_clip"

    def recipe(self) -> dict[str, Any]:
        return {"margin": self.settings.semantic_margin, "negative": self.settings.semantic_negative}

    def make_output(self, trunk: nn.Module) -> nn.Module:
        assert isinstance(trunk, ComprehensionTrunk)
        return Embedding(trunk)

    def draw(self, key: DrawKey, clip_length: int) -> torch.Tensor:
        """The anchor's 0-based position, in 1..T-2: int64 [B, 1]."""
        return torch.from_numpy(counters.integers(1, clip_length - 1, *key.parts))[:, None]

    def loss(self, backbone: nn.Module, head: nn.Module, inputs: Inputs, draws: torch.Tensor) -> torch.Tensor:
        near, far = self._cosines(backbone, head, inputs, draws)
        return functional.relu(self.settings.semantic_margin - (near - far))

    figures_names = ("p+", "p-", "loss on frozen cubes")

    def figures(
        self, backbone: nn.Module, head: nn.Module, inputs: Inputs, draws: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        """Both cosines, and the loss where no clip moves: with `same_clip`, one that is small there shows the shortcut
        by the clip's length."""
        near, far = self._cosines(backbone, head, inputs, draws)
        middle = inputs.clip.shape[2] // 2
        frozen = replace(inputs, clip=inputs.clip[:, :, middle : middle + 1].expand_as(inputs.clip))
        return {"p+": near, "p-": far, "loss on frozen cubes": self.loss(backbone, head, frozen, draws)}

    def _cosines(
        self, backbone: nn.Module, head: nn.Module, inputs: Inputs, draws: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """p+ and p- of each sample: float [B] each."""
        clip, anchor = inputs.clip, draws[:, 0]
        without, single = _take_out(clip, anchor)
        discontinuous = head(self.output, backbone(without), inputs.scene)
        near = functional.cosine_similarity(discontinuous, head(self.output, backbone(single), inputs.scene))
        negative = clip if inputs.partner is None else inputs.partner
        far = functional.cosine_similarity(discontinuous, head(self.output, backbone(negative), inputs.scene))
        return near, far

    def measure(self, backbone: nn.Module, head: nn.Module, inputs: Inputs) -> torch.Tensor:
        """The pooled features, and in the last column how little single frames tell: float [B, M + 1]."""
        trunk = head.get_submodule("trunk")
        assert isinstance(trunk, ComprehensionTrunk)
        clip, features = inputs.clip, backbone(inputs.clip)
        whole, length = head(self.output, features, inputs.scene), clip.shape[2]
        anchors = [clip[:, :, length * quarter // 4 : length * quarter // 4 + 1] for quarter in (1, 2, 3)]
        single = [head(self.output, backbone(anchor), inputs.scene) for anchor in anchors]
        told = torch.stack([functional.cosine_similarity(whole.float(), each.float()) for each in single]).mean(dim=0)
        return torch.cat([trunk.pool(features).float(), 1 - told[:, None]], dim=1)


def _take_out(clip: torch.Tensor, anchor: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Split [B, 3, T, H, W] into the clip without its anchor frame [B, 3, T-1, H, W] and that frame [B, 3, 1, H, W]."""
    b, c, t, h, w = clip.shape
    frame = torch.arange(t - 1, device=clip.device)
    kept = frame + (frame >= anchor[:, None])  # skip one from the anchor on

    def take(positions: torch.Tensor) -> torch.Tensor:
        index = positions[:, None, :, None, None].expand(b, c, positions.shape[1], h, w)
        return clip.gather(2, index)

    return take(kept), take(anchor[:, None])

"""`semantic_reconstruction`: a clip with a frame taken out, brought near to that frame in meaning."""

from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from dist_vad.base import counters
from dist_vad.base.exact import one_thread
from dist_vad.model.heads import ComprehensionTrunk, Embedding
from dist_vad.tasks.base import DrawKey, HeadOutput, Inputs, Task


class SemanticReconstruction(Task):
    """Comprehension. Zhang et al. (ACM MM 2024), the paper's own task.

    From a clip V_c of T frames an anchor frame I is drawn uniformly from positions 2..T-1 (1-based); V_d is the clip
    without it. With e = H_com[F(.), f_scene], p+ = cos(e(V_d), e(I)) and p- = cos(e(V_d), e(V_n)), per sample:
    L = max(0, gamma - (p+ - p-)).

    The negative V_n is a clip of another object, in the same scene feature so that the scene does not give it away
    ("as opposed to disjoint frames"). The paper's formula has V_n = V_c (`task.semantic_negative: same_clip`). Then the
    gradient of p+ outweighs that of p- at first, the loss stays at gamma for long, and what ends it is a shortcut: V_c
    has one frame more than V_d, which shows even in a clip without motion.

    Score: the distance to the nearest normal training cubes of what H_com sees, [pooled F(V_c), f_scene], each feature
    standardised. The paper names no score for this head. It knows *what* happens *where*: what is normal in another
    scene is far from all that was normal here.
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
        clip, anchor = inputs.clip, draws[:, 0]
        without, single = _take_out(clip, anchor)
        discontinuous = head(self.output, backbone(without), inputs.scene)
        near = functional.cosine_similarity(discontinuous, head(self.output, backbone(single), inputs.scene))
        negative = clip if inputs.partner is None else inputs.partner
        far = functional.cosine_similarity(discontinuous, head(self.output, backbone(negative), inputs.scene))
        return functional.relu(self.settings.semantic_margin - (near - far))

    def measure(self, backbone: nn.Module, head: nn.Module, inputs: Inputs) -> torch.Tensor:
        trunk = head.get_submodule("trunk")
        assert isinstance(trunk, ComprehensionTrunk)
        return trunk.pool(backbone(inputs.clip))

    @staticmethod
    def memory_bank(normal: HeadOutput) -> "MemoryBank":
        return MemoryBank(normal)

    @staticmethod
    @one_thread
    def score(outputs: HeadOutput, bank: "MemoryBank", neighbours: int) -> np.ndarray:
        squared = bank.squared_distances(outputs)
        nearest = np.sort(np.partition(squared, neighbours - 1, axis=1)[:, :neighbours], axis=1)
        return np.sqrt(np.maximum(nearest, 0).mean(axis=1))


class MemoryBank:
    """Normal cubes as points in the space of their standardised features and of the scene features beside them."""

    def __init__(self, normal: HeadOutput) -> None:
        self._mean, self._deviation = normal.values.mean(axis=0), normal.values.std(axis=0) + 1e-6
        # The scene weighs half as much as the features, whose standardised values have a norm of about sqrt(M).
        self._weight = 0.5 * np.sqrt(normal.values.shape[1])
        self._points = self._positions(normal)
        self._norms = np.square(self._points).sum(axis=1)

    def squared_distances(self, outputs: HeadOutput) -> np.ndarray:
        """From each object to each normal cube: float64 [B, N]; rounding can make them less than 0."""
        points = self._positions(outputs)
        return np.square(points).sum(axis=1)[:, None] + self._norms - 2 * points @ self._points.T

    def _positions(self, outputs: HeadOutput) -> np.ndarray:
        standard = (outputs.values - self._mean) / self._deviation
        return np.concatenate([standard, self._weight * outputs.scenes], axis=1).astype(np.float64)


def _take_out(clip: torch.Tensor, anchor: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Split [B, 3, T, H, W] into the clip without its anchor frame [B, 3, T-1, H, W] and that frame [B, 3, 1, H, W]."""
    b, c, t, h, w = clip.shape
    frame = torch.arange(t - 1, device=clip.device)
    kept = frame + (frame >= anchor[:, None])  # skip one from the anchor on

    def take(positions: torch.Tensor) -> torch.Tensor:
        index = positions[:, None, :, None, None].expand(b, c, positions.shape[1], h, w)
        return clip.gather(2, index)

    return take(kept), take(anchor[:, None])

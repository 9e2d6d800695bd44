"""`vision_language`: anomalies that are named in words, found among synthetic anomalies by CLIP."""

from collections.abc import Callable
from functools import cached_property
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from dist_vad.model.heads import InferenceTrunk
from dist_vad.tasks.base import DrawKey, Inputs, Task
from dist_vad.tasks.image_text import ImageText, check_image_text, identity, is_file, load_image_text
from dist_vad.tasks.synthetic.transforms import DRAWS, LOOK


class VisionLanguage(Task):
    """Inference. After Wu et al. (2023): novel anomalies by a pre-trained vision-language model.

    Prompts name what is normal and which anomalies could happen. From each normal cube one candidate of each kind is
    made that a single frame shows: patched, textured, lying, tinted. CLIP gives probabilities of the prompts for
    the middle frame of the cube and of the candidates. The candidate that has most of the anomalies is selected, and
    labelled by the likeliest of them; if the cube itself has more, none is. H_inf has a class for normal and one for
    each named anomaly. Per sample: the mean of the cross-entropies of the cube, normal, and of the candidate, if
    there is one. CLIP is never trained, and not needed for scoring.

    Score: the log-odds of any anomaly, log sum_k exp(logit_k) - logit_normal.
    """

    name = "vision_language"
    order = 9
    alias = "vl"
    phase = "inference"
    output = "vision_language"
    kind = "cube"
    shortest = 1

    def check(self) -> None:
        check_image_text(self.settings.clip_model, self.settings.clip_weights)

    def recipe(self) -> dict[str, Any]:
        settings = self.settings
        prompts = {"normal": settings.normal_prompts, "anomaly": settings.anomaly_prompts}
        return {**identity(settings.clip_model, settings.clip_weights), **prompts}

    def note(self) -> str | None:
        if not is_file(self.settings.clip_model):
            return None
        return (
            f"meaningless, fit for tests of the machinery alone: the CLIP of {self.settings.clip_model} is none that "
            "open_clip publishes"
        )

    def make_output(self, trunk: nn.Module) -> nn.Module:
        assert isinstance(trunk, InferenceTrunk)
        return nn.Linear(trunk.width, 1 + len(self.settings.anomaly_prompts))

    def draw(self, key: DrawKey, clip_length: int) -> torch.Tensor:
        """What each candidate needs: float32 [B, kinds * DRAWS] in [0, 1]."""
        return key.uniform(len(LOOK) * DRAWS)

    def loss(self, backbone: nn.Module, head: nn.Module, inputs: Inputs, draws: torch.Tensor) -> torch.Tensor:
        candidate, label = select(self.judge, len(self.settings.normal_prompts), inputs.clip, draws)
        as_it_was, changed = head(self.output, backbone(torch.cat([inputs.clip, candidate]))).chunk(2)
        normal = functional.cross_entropy(as_it_was, torch.zeros_like(label), reduction="none")
        anomalous = functional.cross_entropy(changed, label, reduction="none")
        return (normal + torch.where(label > 0, anomalous, 0)) / 2

    def measure(self, backbone: nn.Module, head: nn.Module, inputs: Inputs) -> torch.Tensor:
        logits = head(self.output, backbone(inputs.clip))
        return (logits[:, 1:].logsumexp(dim=1) - logits[:, 0])[:, None]

    @cached_property
    def judge(self) -> ImageText:
        """CLIP with all prompts, those of what is normal first; loaded when it is first asked."""
        settings = self.settings
        assert settings.clip_weights is not None, "check comes first"
        return load_image_text(
            settings.clip_model, settings.clip_weights, [*settings.normal_prompts, *settings.anomaly_prompts]
        )


def select(
    judge: Callable[[torch.Tensor], torch.Tensor], normal: int, clip: torch.Tensor, draws: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """The candidate of each clip that shows most of the anomalies, and which one.

    Args:
        judge: from pictures [N, 3, H, W] to probabilities of the prompts [N, P].
        normal: the number of prompts, the first ones, that say what is normal.
        clip: [B, 3, T, H, W].
        draws: [B, kinds * DRAWS].

    Returns:
        [B, 3, T, H, W], and int64 [B]: 1 + the number of the anomaly; 0 where the clip itself shows more of them.
    """
    candidates = [kind(clip, own) for kind, own in zip(LOOK.values(), draws.split(DRAWS, dim=1))]
    views = torch.stack([clip, *candidates])
    said = judge(views[:, :, :, clip.shape[2] // 2].flatten(0, 1)).unflatten(0, views.shape[:2])[..., normal:]
    shown = said.sum(dim=2)
    best = 1 + shown[1:].argmax(dim=0)
    every = torch.arange(len(clip), device=clip.device)
    label = torch.where(shown[best, every] > shown[0], 1 + said[best, every].argmax(dim=1), 0)
    return views[best, every], label

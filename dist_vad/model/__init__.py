"""The network: one backbone, and a head for each phase."""

import hashlib
from collections.abc import Callable, Mapping
from typing import TypeVar

import torch
from torch import nn

from dist_vad.model.backbone import Backbone
from dist_vad.model.heads import ComprehensionTrunk, Head, InferenceTrunk, PerceptionTrunk

M = TypeVar("M", bound=nn.Module)
PHASES = ("perception", "comprehension", "inference")

OutputMakers = Mapping[str, Mapping[str, Callable[[nn.Module], nn.Module]]]
"""Phase -> name of an output layer -> makes it for the trunk of the phase's head."""


class Network(nn.Module):
    """The backbone F, and those of the heads H_per, H_com, H_inf that have an output layer.

    Args:
        width: channels of the backbone's first layer.
        embedding: length of H_com's embedding, width of H_inf's hidden layer.
        scene_size: length of f_scene.
        seed: the weights of each part are drawn from (seed, the part's name), so that a trunk or an output layer starts
            from the same weights in whichever stage it is first trained, whatever is trained beside it.
        outputs: the output layers; a phase without any has no head.
    """

    def __init__(self, width: int, embedding: int, scene_size: int, seed: int, outputs: OutputMakers) -> None:
        super().__init__()
        self.backbone = _seeded(seed, "backbone", lambda: Backbone(width))
        channels = self.backbone.channels
        trunks = {
            "perception": lambda: PerceptionTrunk(channels),
            "comprehension": lambda: ComprehensionTrunk(channels, scene_size, embedding),
            "inference": lambda: InferenceTrunk(channels, embedding),
        }
        self.heads = nn.ModuleDict(
            {phase: _head(seed, phase, trunks[phase], outputs[phase]) for phase in PHASES if phase in outputs}
        )


def _head(
    seed: int, phase: str, trunk_maker: Callable[[], nn.Module], makers: Mapping[str, Callable[[nn.Module], nn.Module]]
) -> Head:
    trunk = _seeded(seed, phase, trunk_maker)
    named = {name: _seeded(seed, f"{phase}/{name}", lambda make=make: make(trunk)) for name, make in makers.items()}
    return Head(trunk, named)


def _seeded(seed: int, part: str, make: Callable[[], M]) -> M:
    """Make a module with weights drawn from (seed, part), leaving the global generator as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int.from_bytes(hashlib.sha256(f"{seed}/{part}".encode()).digest()[:4], "little"))
        return make()

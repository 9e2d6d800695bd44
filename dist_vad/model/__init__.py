"""The network: one backbone, and a head for each phase."""

import hashlib

import torch
from torch import nn

from dist_vad.model.backbone import Backbone
from dist_vad.model.heads import ComprehensionHead, InferenceHead, PerceptionHead

PHASES = ("perception", "comprehension", "inference")


class Network(nn.Module):
    """The backbone F and the heads H_per, H_com, H_inf.

    Args:
        width: channels of the backbone's first layer.
        embedding: length of H_com's embedding, width of H_inf's hidden layer.
        scene_size: length of f_scene.
        seed: the weights of each part are drawn from (seed, the part's name), so that a head starts from the same
            weights in whichever stage it is first trained.
    """

    def __init__(self, width: int, embedding: int, scene_size: int, seed: int) -> None:
        super().__init__()
        self.backbone = _seeded(seed, "backbone", lambda: Backbone(width))
        channels = self.backbone.channels
        makers = {
            "perception": lambda: PerceptionHead(channels),
            "comprehension": lambda: ComprehensionHead(channels, scene_size, embedding),
            "inference": lambda: InferenceHead(channels, embedding),
        }
        self.heads = nn.ModuleDict({phase: _seeded(seed, phase, maker) for phase, maker in makers.items()})


def _seeded(seed, part, make):
    """Make a module with weights drawn from (seed, part), leaving the global generator as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int.from_bytes(hashlib.sha256(f"{seed}/{part}".encode()).digest()[:4], "little"))
        return make()

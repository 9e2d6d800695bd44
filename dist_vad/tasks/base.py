"""What a proxy task is: inputs, a head, a loss per sample, and a measurement that says how unusual an object is."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import nn

from dist_vad.base import counters
from dist_vad.base.head_scores import HeadScore
from dist_vad.settings.run import TaskSettings

PARTNER = "partner"
"""The stream of cubes beside the kind `cube` that gives each sample another one to be told from."""


@dataclass
class Inputs:
    """Samples of one kind on the device."""

    clip: torch.Tensor
    """float [B, 3, T, H, W] in [0, 1]."""
    scene: torch.Tensor
    """float [B, D_B]."""
    label: torch.Tensor
    """int64 [B]: 0 normal, 1 anomalous."""
    partner: torch.Tensor | None = None
    """float [B, 3, T, H, W] in [0, 1]: another clip for each, for tasks that ask for one (`Task.wants_partner`)."""

    def mirrored(self, chosen: np.ndarray) -> "Inputs":
        """These samples, the clips of the chosen ones (bool [B]) mirrored from left to right."""
        mirror = torch.from_numpy(chosen).to(self.clip.device)[:, None, None, None, None]
        return Inputs(torch.where(mirror, self.clip.flip(-1), self.clip), self.scene, self.label)

    @classmethod
    def from_stored(
        cls, clips: torch.Tensor, scenes: torch.Tensor, labels: torch.Tensor, device: torch.device
    ) -> "Inputs":
        """From samples as they are stored, clips as uint8 [B, T, H, W, 3]."""
        clip = clips.to(device, non_blocking=True).permute(0, 4, 1, 2, 3).float() / 255
        return cls(clip, scenes.to(device, non_blocking=True), labels.to(device, non_blocking=True))


@dataclass(frozen=True)
class DrawKey:
    """Address of a batch's random draws: no draw depends on the rank or on the size of a micro-batch."""

    seed: int
    stage: str
    task: str
    step: int
    positions: np.ndarray
    """int64 [B]: positions in the global batch."""

    @property
    def parts(self) -> tuple:
        """The key for dist_vad.base.counters."""
        return (self.seed, self.stage, self.task, self.step, self.positions)

    def uniform(self, count: int) -> torch.Tensor:
        """So many draws for each sample: float32 [B, count] in [0, 1]. `pick` makes a number of one."""
        *address, positions = self.parts
        return torch.from_numpy(counters.uniform(*address, positions[:, None], np.arange(count)).astype(np.float32))

    def permutations(self, length: int, name: str) -> torch.Tensor:
        """A permutation of 0..length-1 for each sample, another for another name: int64 [B, length]."""
        *address, positions = self.parts
        return torch.from_numpy(counters.permutation(length, *address, positions[:, None], name))


def pick(draws: torch.Tensor, count: int) -> torch.Tensor:
    """Numbers of 0..count-1 from uniform draws, which rounding to float32 can have made 1: int64."""
    return (draws * count).long().clamp(max=count - 1)


class Task(HeadScore):
    """A proxy task. Subclasses define the class attributes and the methods that have no default. How the head's output
    becomes a score is a HeadScore, of which a task can inherit another one, or define it itself.

    A loss is one number per sample, so that the loop can sum over samples and divide by the global count.
    """

    name: ClassVar[str]
    alias: ClassVar[str]
    """Its name in a curriculum written as one line."""
    phase: ClassVar[str]
    """Whose head it trains: tasks of one phase share the head's trunk."""
    output: ClassVar[str]
    """The output layer that it trains; tasks of one phase that name the same one share it."""
    kind: ClassVar[str]
    """The kind of sample it learns from."""
    shortest: ClassVar[int] = 3
    """Frames that a clip must have."""
    score_without_objects: ClassVar[float | None] = None
    """Score of a frame without objects; None = the smallest that normal video gives."""
    order: ClassVar[int] = 100
    """Its place among the tasks of its phase: losses are added up in this order, and bits depend on it."""
    version: ClassVar[int] = 1
    """Part of a state's recipe: raise it when layers, loss or draws change."""

    figures_names: ClassVar[tuple[str, ...]] = ()
    """What `figures` tells."""

    def __init__(self, settings: TaskSettings) -> None:
        self.settings = settings

    @property
    def wants_partner(self) -> bool:
        """Whether it compares each sample with one of another stream: `Inputs.partner`."""
        return False

    def check(self) -> None:
        """Raises InputError where something that the task needs for learning is missing on this machine."""

    def recipe(self) -> dict[str, Any]:
        """The settings that decide what is learned; part of a state's recipe."""
        return {}

    def note(self) -> str | None:
        """What must be said beside every figure of this task; None where there is nothing to say."""
        return None

    def make_output(self, trunk: nn.Module) -> nn.Module:
        """The output layer, for the trunk of its phase's head. Tasks that share one make the same."""
        raise NotImplementedError

    def draw(self, key: DrawKey, clip_length: int) -> torch.Tensor:
        """Random draws of a batch, made on the CPU: [B, ...]; nothing by default."""
        return torch.zeros(len(key.positions), 0, dtype=torch.int64)

    def loss(self, backbone: nn.Module, head: nn.Module, inputs: Inputs, draws: torch.Tensor) -> torch.Tensor:
        """Loss of each sample: float [B]."""
        raise NotImplementedError

    def figures(
        self, backbone: nn.Module, head: nn.Module, inputs: Inputs, draws: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        """What shows, beside the loss, whether the task is solved, on held-out cubes: float [B] by `figures_names`; nan
        where a figure does not apply to a sample. It is logged where held-out video is measured."""
        return {}

    def measure(self, backbone: nn.Module, head: nn.Module, inputs: Inputs) -> torch.Tensor:
        """What the trained head says of each cube: float [B, M]; `score` makes one number of it."""
        raise NotImplementedError

"""What a stage trains: the backbone and the heads of its tasks' phases, with one loss for each sample and task."""

import copy
from collections.abc import Callable, Iterable
from dataclasses import replace

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from dist_vad.model import Network
from dist_vad.settings.run import TaskSettings
from dist_vad.tasks import PARTNER, Inputs, Task, make_tasks
from dist_vad.training.retention import RETAINED, distance


class StageModule(nn.Module):
    """The backbone, and of the heads of a stage's tasks the trunks and the output layers, and nothing else.

    Args:
        network: of these tasks, whose parts are trained, in place.
        tasks: names of the tasks whose losses are computed.
        settings: of the tasks.
        precision: `bf16` computes in mixed precision. It does so in here, and not in the engine around, so that every
            engine computes the same.
        distill: hold the backbone's features near those that it gives now.
    """

    def __init__(
        self,
        network: Network,
        tasks: Iterable[str],
        settings: TaskSettings,
        precision: str = "no",
        distill: bool = False,
    ) -> None:
        super().__init__()
        self.tasks = make_tasks(tasks, settings)
        self.backbone = network.backbone
        self.heads = network.heads
        self.precision = precision
        # In a tuple, so that it is no part of this module: it is neither trained, nor saved, nor spread over ranks.
        teacher = copy.deepcopy(network.backbone).requires_grad_(False) if distill else None
        self._teacher: tuple[nn.Module | None] = (teacher,)

    def forward(self, inputs: dict[str, Inputs], draws: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """The loss of each sample by task: float [B]; with `distill`, that of retention too."""
        losses = self.only(self.tasks, inputs, draws)
        (teacher,) = self._teacher
        if teacher is not None:
            with self._autocast(inputs):
                losses[RETAINED] = distance(self.backbone, teacher, inputs)
        return losses

    def only(
        self, names: Iterable[str], inputs: dict[str, Inputs], draws: dict[str, torch.Tensor]
    ) -> dict[str, torch.Tensor]:
        """The loss of each sample by some of the tasks: float [B]."""
        with self._autocast(inputs):
            losses = {name: self._loss(name, inputs, draws) for name in names}
        return {name: loss.float() for name, loss in losses.items()}

    def figures(self, name: str, inputs: dict[str, Inputs], draws: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """A task's figures of each sample by name (`Task.figures`): float [B]."""
        task = self.tasks[name]
        with self._autocast(inputs):
            told = task.figures(self.backbone, self.heads[task.phase], _inputs_of(task, inputs), draws[name])
        return {figure: told[figure].float() for figure in task.figures_names}

    def _loss(self, name: str, inputs: dict[str, Inputs], draws: dict[str, torch.Tensor]) -> torch.Tensor:
        task = self.tasks[name]
        return task.loss(self.backbone, self.heads[task.phase], _inputs_of(task, inputs), draws[name])

    def _autocast(self, inputs: dict[str, Inputs]) -> torch.autocast:
        device = next(iter(inputs.values())).clip.device.type
        return torch.autocast(device, torch.bfloat16, enabled=self.precision == "bf16")

    def _apply(self, fn: Callable[..., torch.Tensor], recurse: bool = True) -> "StageModule":
        for teacher in self._teacher:  # it moves to a device with this module
            if teacher is not None:
                teacher._apply(fn)
        return super()._apply(fn, recurse)


def _inputs_of(task: Task, inputs: dict[str, Inputs]) -> Inputs:
    own = inputs[task.kind]
    return replace(own, partner=inputs[PARTNER].clip) if task.wants_partner else own


def freeze_unused(module: StageModule, inputs: dict[str, Inputs], draws: dict[str, torch.Tensor]) -> int:
    """Freeze the parameters that no loss of the stage depends on, such as output layers of other tasks.

    Otherwise an engine that gives them a gradient of zero would let weight decay shrink them, and another would not.
    Returns the floating-point operations of one forward and backward pass over the samples given.
    """
    with FlopCounterMode(display=False) as counter:
        torch.stack([loss.sum() for loss in module(inputs, draws).values()]).sum().backward()
    for parameter in module.parameters():
        if parameter.grad is None:
            parameter.requires_grad_(False)
        parameter.grad = None
    return counter.get_total_flops()

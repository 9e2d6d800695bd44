"""What all ranks decide together at the end of a step: one small sum over them."""

from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist


@dataclass(frozen=True)
class Agreed:
    """The same on every rank."""

    losses: dict[str, float]
    """Sum over the global batch of each loss."""
    stop: bool
    """Some rank was asked to end."""
    save: bool
    """The main process's clock says that a checkpoint is due."""


class Agreement:
    """Sums a few numbers over all ranks, on the CPU: it neither waits for a GPU's queue nor takes part in it."""

    def __init__(self) -> None:
        self.spread = dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1
        self.main = not self.spread or dist.get_rank() == 0
        gloo = self.spread and dist.get_backend() != "gloo"
        self._group: Any = dist.new_group(backend="gloo") if gloo else dist.group.WORLD

    def reach(self, losses: dict[str, torch.Tensor], stop: bool, save: bool) -> Agreed:
        """Agree on this rank's sums of losses, on whether it was asked to stop, and (of the main process) to save."""
        flags = torch.tensor([stop, save and self.main], dtype=torch.float64)
        sums = [torch.stack([loss.detach().double() for loss in losses.values()]).cpu()] if losses else []
        total = torch.cat([*sums, flags])
        if self.spread:
            dist.all_reduce(total, group=self._group)
        *summed, stopped, saved = total.tolist()
        return Agreed(dict(zip(losses, summed)), stopped > 0, saved > 0)

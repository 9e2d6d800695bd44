"""The all-reduce of a step's sums: by it all ranks know the same losses, and stop or save at the same step."""

from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist


@dataclass(frozen=True)
class StepTotals:
    """The sums of a step over all ranks: the same values on every rank."""

    losses: dict[str, float]
    """Sum over the global batch of each loss."""
    stop: bool
    """Some rank was asked to end."""
    save: bool
    """The main process's clock says that a checkpoint is due."""


class StepSums:
    """Sums a few numbers over all ranks, on the CPU: it neither waits for a GPU's queue nor takes part in it."""

    def __init__(self) -> None:
        self.spread = dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1
        self.main = not self.spread or dist.get_rank() == 0
        gloo = self.spread and dist.get_backend() != "gloo"
        self._group: Any = dist.new_group(backend="gloo") if gloo else dist.group.WORLD

    def all_reduce(self, losses: dict[str, torch.Tensor], stop: bool, save: bool) -> StepTotals:
        """Add up over all ranks the losses, and whether to stop or to save. All ranks must call it.

        Args:
            losses: name -> sum over this rank's samples, a scalar tensor; the same names on every rank.
            stop: this rank was asked to end.
            save: a checkpoint is due; counts on the main process alone.
        """
        flags = torch.tensor([stop, save and self.main], dtype=torch.float64)
        sums = [torch.stack([loss.detach().double() for loss in losses.values()]).cpu()] if losses else []
        total = torch.cat([*sums, flags])
        if self.spread:
            dist.all_reduce(total, group=self._group)
        *summed, stopped, saved = total.tolist()
        return StepTotals(dict(zip(losses, summed)), stopped > 0, saved > 0)

"""Watches the numbers of a run: steps that are not finite, losses that spike."""

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch

from dist_vad.base.errors import InputError
from dist_vad.curriculum.state import Tensors

SETTLING = 20
"""Steps over which the running mean of the loss settles before a spike can be told."""
LARGEST_WEIGHT = 1e6
"""No trained network has larger weights: what grows beyond has left all that it learned."""
MEMORY = 0.98
"""Share of its old value that the running mean keeps at each step."""


class Guard:
    """Counts the steps that changed nothing, and ends a stage that has too many of them.

    Args:
        stage: its name, for messages.
        most: steps that may be skipped.
        spike: warn of a loss so many standard deviations above its running mean; 0 = never.
        skipped: steps skipped before a restart.
    """

    def __init__(self, stage: str, most: int, spike: float, skipped: int = 0) -> None:
        self.stage, self.most, self.spike, self.skipped = stage, most, spike, skipped
        self.skipped_in_row = 0
        """Steps that changed nothing, since the last that did."""
        self._mean, self._square, self._seen = 0.0, 0.0, 0

    def skip(self, step: int, keys: Callable[[], list[str]]) -> str:
        """Count a step whose gradient is not finite; returns a warning.

        Raises InputError, after the most allowed, with the samples that `keys` names: on every rank at the same step.
        """
        self.skipped += 1
        self.skipped_in_row += 1
        samples = keys()
        shown = ", ".join(samples[:8]) + (f" and {len(samples) - 8} more" if len(samples) > 8 else "")
        which = (
            f"the loss is not finite for {shown}"
            if samples
            else f"every loss is finite, the gradient is not; `dist-vad explain --step {step}` lists the samples"
        )
        if self.skipped > self.most:
            raise InputError(
                f"stage {self.stage}: {self.skipped} steps had a loss or gradient that is not finite, train.max_skipped"
                f" allows {self.most}. At step {step} {which}. Look at these samples, or lower "
                f"curriculum.{self.stage}.learning_rate or use train.precision no; the last checkpoint is kept"
            )
        return f"step {step} is skipped: {which} ({self.skipped} of at most {self.most})"

    def spike_warning(self, loss: float) -> str | None:
        """Take in the loss of a step; returns a warning where it is a spike above the running mean."""
        deviation = math.sqrt(max(self._square - self._mean**2, 0.0))
        high = self._mean + self.spike * max(deviation, 0.01 * abs(self._mean))
        is_spike = self.spike > 0 and self._seen >= SETTLING and loss > high
        warning = f"the loss spiked to {loss:.4g}; its running mean is {self._mean:.4g} +- {deviation:.2g}"
        kept = min(MEMORY, self._seen / (self._seen + 1))
        self._mean = kept * self._mean + (1 - kept) * loss
        self._square = kept * self._square + (1 - kept) * loss**2
        self._seen += 1
        return warning if is_spike else None


def divergence(weights: Tensors, skipped_in_row: int, validated: Mapping[str, float] = MappingProxyType({})) -> str:
    """What tells that a stage has diverged at its end; empty where nothing does.

    Args:
        weights: what would be handed on.
        skipped_in_row: steps that changed nothing since the last that did; one at the end can be a sample's fault.
        validated: losses on held-out normal video, as measured last.
    """
    for name, tensor in weights.items():
        if not tensor.is_floating_point() or not tensor.numel():
            continue
        largest = float(tensor.detach().abs().max())
        if not largest <= LARGEST_WEIGHT:  # nan too
            return f"{name} has weights of {largest:.3g}"
    for name, loss in validated.items():
        if not math.isfinite(loss):
            return f"{name} has a loss of {loss} on held-out normal video"
    return f"the last {skipped_in_row} steps had no finite loss" if skipped_in_row > 1 else ""


def poisoned(total: torch.Tensor) -> torch.Tensor:
    """A loss whose gradient is not finite where the loss itself is not, so that the gradient tells every rank."""
    return total * torch.where(torch.isfinite(total), 1.0, math.nan)

"""The loss on held-out normal video: the same samples and draws every time, whatever engine trains."""

import copy
from collections.abc import Callable

import numpy as np
import torch
from accelerate import Accelerator

from dist_vad.base.spacing import evenly_spaced
from dist_vad.curriculum.recipes import Stage
from dist_vad.curriculum.state import Tensors
from dist_vad.data.shard_sets import open_set, shard_store
from dist_vad.settings.run import Settings
from dist_vad.tasks import PARTNER, Inputs
from dist_vad.training.batches import BatchPreparer
from dist_vad.training.stage_module import StageModule
from dist_vad.training.step_sums import StepSums

SAMPLES, BATCH = 256, 32
"""Samples of held-out video at most, and of those in one forward pass."""


class Validation:
    """Measures weights in a copy of the module, so that neither an engine nor a moving average is in the way.

    Only tasks that learn from cubes can be measured: no other kind of sample has a held-out part.
    """

    def __init__(
        self, settings: Settings, stage: Stage, module: StageModule, accelerator: Accelerator, step_sums: StepSums
    ) -> None:
        self.names = [name for name, task in module.tasks.items() if task.kind == "cube"]
        self.weights = stage.weights
        self._settings, self._accelerator, self._step_sums = settings, accelerator, step_sums
        self._module = copy.deepcopy(module).requires_grad_(False).to(accelerator.device)
        self._preparer = BatchPreparer(settings, stage, module, accelerator.device)
        self._shards = open_set(settings, shard_store(settings.shards, "cube", "val")) if self.names else None

    @torch.no_grad()
    def losses(self, weights: Tensors, alive: Callable[[], None]) -> dict[str, float]:
        """Mean loss by task, then its figures as `TASK: FIGURE`; empty where no task can be measured. All ranks must
        call it."""
        if self._shards is None:
            return {}
        self._module.load_state_dict(weights)
        ids = evenly_spaced(len(self._shards), SAMPLES)
        world, rank = self._accelerator.num_processes, self._accelerator.process_index
        figures = [(name, figure) for name in self.names for figure in self._module.tasks[name].figures_names]
        keys = [*self.names, *(f"{name}: {figure}" for name, figure in figures)]
        sums = {
            key: torch.zeros((), device=self._accelerator.device) for key in keys + [f"number of {k}" for k in keys]
        }
        for first in range(0, len(ids), BATCH):
            if first // BATCH % world == rank:
                alive()
                chunk = ids[first : first + BATCH]
                batch = self._shards.read(chunk, positions=first + np.arange(len(chunk)))
                inputs = self._preparer.input(batch)
                draws = {name: self._preparer.draw(name, f"{name}/validation", 0, batch) for name in self.names}
                by_kind = {"cube": inputs, **self._partners(ids, chunk)}
                told = self._module.only(self.names, by_kind, draws)
                for name in self.names:
                    own = self._module.figures(name, by_kind, draws)
                    told |= {f"{name}: {figure}": values for figure, values in own.items()}
                for key, values in told.items():
                    applies = ~values.isnan() if key not in self.names else torch.ones_like(values, dtype=torch.bool)
                    sums[key] += values[applies].sum()
                    sums[f"number of {key}"] += applies.sum()
        totals = self._step_sums.all_reduce(sums, stop=False, save=False).losses
        return {key: totals[key] / max(totals[f"number of {key}"], 1) for key in keys}

    def _partners(self, ids: np.ndarray, chunk: np.ndarray) -> dict[str, Inputs]:
        """Other held-out cubes to compare those of a chunk with: those half of all measured samples away."""
        if self._shards is None or not any(task.wants_partner for task in self._module.tasks.values()):
            return {}
        places = np.searchsorted(ids, chunk) + len(ids) // 2
        return {PARTNER: self._preparer.input(self._shards.read(ids[places % len(ids)]))}

    def total(self, losses: dict[str, float]) -> float:
        """One number of the losses by task: weighted as in training."""
        return sum(self.weights[name] * losses[name] for name in self.names)

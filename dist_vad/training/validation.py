"""The loss on held-out normal and virtual video: the same samples and draws every time, whatever engine trains."""

import copy
import math
from collections.abc import Callable, Iterator

import numpy as np
import torch
from accelerate import Accelerator

from dist_vad.base.spacing import evenly_spaced
from dist_vad.curriculum.recipes import Stage
from dist_vad.curriculum.state import Tensors
from dist_vad.data.manifest import MANIFEST
from dist_vad.data.shard_sets import open_set, shard_store
from dist_vad.data.shardset import ShardSet
from dist_vad.settings.run import Settings
from dist_vad.tasks import PARTNER, Inputs
from dist_vad.training.batches import BatchPreparer
from dist_vad.training.stage_module import StageModule
from dist_vad.training.step_sums import StepSums

SAMPLES, BATCH = 256, 32
"""Samples of held-out video at most, and of those in one forward pass."""


class Validation:
    """Measures weights in a copy of the module, so that neither an engine nor a moving average is in the way.

    Tasks of which the run's shards hold no video out, such as virtual video that was cut before any was held out, are
    not measured.
    """

    def __init__(
        self, settings: Settings, stage: Stage, module: StageModule, accelerator: Accelerator, step_sums: StepSums
    ) -> None:
        self._shards = _held_out(settings, {task.kind for task in module.tasks.values()})
        self.names = [name for name, task in module.tasks.items() if task.kind in self._shards]
        self.weights = stage.weights
        self._settings, self._accelerator, self._step_sums = settings, accelerator, step_sums
        self._module = copy.deepcopy(module).requires_grad_(False).to(accelerator.device)
        self._preparer = BatchPreparer(settings, stage, module, accelerator.device)

    @torch.no_grad()
    def losses(self, weights: Tensors, alive: Callable[[], None]) -> dict[str, float]:
        """Mean loss by task, then its figures as `TASK: FIGURE`; empty where no task can be measured. All ranks must
        call it."""
        if not self._shards:
            return {}
        self._module.load_state_dict(weights)
        figures = [(name, figure) for name in self.names for figure in self._module.tasks[name].figures_names]
        keys = [*self.names, *(f"{name}: {figure}" for name, figure in figures)]
        sums = {
            key: torch.zeros((), device=self._accelerator.device) for key in keys + [f"number of {k}" for k in keys]
        }
        for kind in self._shards:
            for key, values in self._told(kind, alive):
                applies = ~values.isnan() if key not in self.names else torch.ones_like(values, dtype=torch.bool)
                sums[key] += values[applies].sum()
                sums[f"number of {key}"] += applies.sum()
        totals = self._step_sums.all_reduce(sums, stop=False, save=False).losses
        return {key: totals[key] / max(totals[f"number of {key}"], 1) for key in keys}

    def _told(self, kind: str, alive: Callable[[], None]) -> Iterator[tuple[str, torch.Tensor]]:
        """Losses and figures of this rank's share of the held-out samples of one kind, batch by batch: float [B]."""
        shards, names = self._shards[kind], [name for name in self.names if self._module.tasks[name].kind == kind]
        ids = evenly_spaced(len(shards), SAMPLES)
        for first in range(0, len(ids), BATCH):
            if first // BATCH % self._accelerator.num_processes != self._accelerator.process_index:
                continue
            alive()
            chunk = ids[first : first + BATCH]
            batch = shards.read(chunk, positions=first + np.arange(len(chunk)))
            inputs = {kind: self._preparer.input(batch), **(self._partners(ids, chunk) if kind == "cube" else {})}
            draws = {name: self._preparer.draw(name, f"{name}/validation", 0, batch) for name in names}
            yield from self._module.only(names, inputs, draws).items()
            for name in names:
                own = self._module.figures(name, inputs, draws)
                yield from ((f"{name}: {figure}", values) for figure, values in own.items())

    def _partners(self, ids: np.ndarray, chunk: np.ndarray) -> dict[str, Inputs]:
        """Other held-out cubes to compare those of a chunk with: those half of all measured samples away."""
        if not any(task.wants_partner for task in self._module.tasks.values()):
            return {}
        places = np.searchsorted(ids, chunk) + len(ids) // 2
        return {PARTNER: self._preparer.input(self._shards["cube"].read(ids[places % len(ids)]))}

    def total(self, losses: dict[str, float]) -> float:
        """One number of the losses by task, weighted as in training: of those on normal video, or else of all that were
        measured; nan where none was."""
        normal = [name for name in self.names if self._module.tasks[name].kind == "cube"] or self.names
        return sum(self.weights[name] * losses[name] for name in normal) if normal else math.nan


def _held_out(settings: Settings, kinds: set[str]) -> dict[str, ShardSet]:
    """The held-out shard sets of the kinds that some tasks learn from, as far as there are such."""
    stores = {kind: shard_store(settings.shards, kind, "val") for kind in sorted(kinds)}
    wanted = {kind: store for kind, store in stores.items() if kind == "cube" or store.size(MANIFEST) is not None}
    return {kind: open_set(settings, store) for kind, store in wanted.items()}

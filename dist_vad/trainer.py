"""The training loop of one stage: from a parent state to a state, on any number of ranks, exactly resumable."""

import math
import os
import shutil
import time
from contextlib import nullcontext
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import DistributedDataParallelKwargs, broadcast_object_list
from torch import nn
from tqdm import tqdm

from dist_vad import counters
from dist_vad.config import Settings, StageSettings, TaskSettings, TrainSettings
from dist_vad.curriculum import Stage, open_set, shard_store, shares
from dist_vad.errors import InputError
from dist_vad.loader import Loader, Source
from dist_vad.model import Network
from dist_vad.progress import progress_bar
from dist_vad.shardset import Batch, ShardSet, evenly_spaced
from dist_vad.state import Checkpoint, State, Tensors, latest_checkpoint, save_checkpoint, save_state
from dist_vad.stream import Streams
from dist_vad.tasks import DrawKey, Inputs, make_tasks
from dist_vad.tasks.network import build_network, load_weights

VALIDATION_SAMPLES = 256


def make_accelerator(settings: TrainSettings, run: Path) -> Accelerator:
    """The devices of this launch. Arithmetic is made repeatable as far as the device can."""
    torch.use_deterministic_algorithms(True, warn_only=True)
    # With unused parameters looked for, DDP keeps its gradient buckets as they are. Otherwise it rebuilds them after
    # the first step, and a restarted run would add up its gradients in another order than an uninterrupted one.
    wrapping = DistributedDataParallelKwargs(find_unused_parameters=True)
    accelerator = Accelerator(
        cpu=not torch.cuda.is_available(),
        mixed_precision=settings.precision,
        log_with="tensorboard",
        project_dir=run,
        kwargs_handlers=[wrapping],
    )
    if accelerator.device.type == "cpu":
        # The launcher gives a single process one thread; the cores of a machine are shared out over its ranks instead.
        ranks_here = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
        torch.set_num_threads(settings.cpu_threads or max(1, (os.cpu_count() or 1) // ranks_here))
    return accelerator


class StageModule(nn.Module):
    """What a stage trains: the backbone, and of its tasks' heads the trunks and output layers, and nothing else."""

    def __init__(self, network: Network, tasks: list[str], settings: TaskSettings) -> None:
        super().__init__()
        self.tasks = make_tasks(tasks, settings)
        self.backbone = network.backbone
        self.heads = network.heads

    def forward(self, inputs: dict[str, Inputs], draws: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """The loss of each sample by task: float [B]."""
        return {
            name: task.loss(self.backbone, self.heads[task.phase], inputs[task.kind], draws[name])
            for name, task in self.tasks.items()
        }


def train_stage(settings: Settings, stage: Stage, parent: State | None, accelerator: Accelerator) -> State:
    """Train one stage, or the rest of it, and write its state.

    A restart of the same command goes on at the step of the last checkpoint. The global batches, draws and learning
    rates depend on the step alone, so the weights do not depend on where a run was interrupted.
    """
    folder = Path(settings.run) / "training" / stage.folder_name
    tasks = make_tasks(stage.settings.tasks, settings.task)
    network = build_network(tasks.values(), **stage.recipe["model"], seed=settings.seed)
    if parent:
        load_weights(network, parent.load(), make_tasks(parent.tasks, settings.task).values())
    module = StageModule(network, list(stage.settings.tasks), settings.task)
    optimizer = torch.optim.AdamW(
        [
            {"params": module.backbone.parameters(), "share": stage.settings.backbone_rate},
            {"params": module.heads.parameters(), "share": 1.0},
        ],
        lr=stage.settings.learning_rate,
        weight_decay=stage.settings.weight_decay,
    )
    checkpoint = _agreed_checkpoint(folder, accelerator)
    if checkpoint:
        module.load_state_dict(checkpoint.tensors)
        optimizer.load_state_dict(checkpoint.optimizer)
    # The loader is per rank already, and the learning rate is set by the step: neither may be prepared.
    model, optimizer = accelerator.prepare(module, optimizer)
    start = checkpoint.step if checkpoint else 0
    run = _Run(settings, stage, accelerator, model, optimizer, folder)
    run.train(start)
    return _finish(settings, stage, parent, network, run)


def learning_rate(stage: StageSettings, step: int) -> float:
    """The rate of a step (0-based): linear warm-up, then a cosine that ends at 0."""
    if step < stage.warmup:
        return stage.learning_rate * (step + 1) / stage.warmup
    progress = (step - stage.warmup) / max(1, stage.steps - stage.warmup)
    return stage.learning_rate * 0.5 * (1 + math.cos(math.pi * progress))


def open_sources(settings: Settings, stage: Stage, kind: str) -> list[Source]:
    """The training samples of a kind, with the streams of a stage: those of `shards`, then those of each of `mix`."""
    sources, first = [], 0
    for number, (store, share) in enumerate(shares(settings, stage.settings.global_batch, kind)):
        shards = open_set(settings, store)
        samples = [shard.samples for shard in shards.manifest.shards]
        key = (settings.seed, stage.key, kind, *([number] if number else []))
        # Each source has as many streams as divide both its share and what was planned for.
        streams = math.gcd(settings.stream.streams, share)
        made = Streams(samples, share, replace(settings.stream, streams=streams), key, f"{kind} of {shards.where}")
        sources.append(Source(shards, made, first))
        first += share
    return sources


class _Run:
    """One run of the loop, with all that it touches."""

    def __init__(
        self,
        settings: Settings,
        stage: Stage,
        accelerator: Accelerator,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        folder: Path,
    ) -> None:
        self.settings, self.stage, self.accelerator = settings, stage, accelerator
        self.model, self.optimizer, self.folder = model, optimizer, folder
        self.sources = {kind: open_sources(settings, stage, kind) for kind in stage.kinds}
        self.losses: dict[str, float] = {}
        self.validation: dict[str, float] = {}

    def train(self, start: int) -> None:
        """Run the steps start..steps-1."""
        stage, train = self.stage.settings, self.settings.train
        world, rank = self.accelerator.num_processes, self.accelerator.process_index
        pin = self.accelerator.device.type == "cuda"
        loader = Loader(
            self.sources, rank, world, train.micro_batch, train.threads, train.prefetch, pin, train.processes
        )
        bar = progress_bar(
            total=stage.steps * stage.global_batch,
            initial=start * stage.global_batch,
            desc=self.stage.name,
            unit=" samples",
            disable=not self.accelerator.is_main_process,
        )
        saved_at = time.monotonic()
        for step, micro_batches in loader.steps(start, stage.steps):
            for group in self.optimizer.param_groups:
                group["lr"] = group["share"] * learning_rate(stage, step)
            sums = self._accumulate(step, micro_batches)
            self._guard(step)
            self.optimizer.step()
            self.optimizer.zero_grad()

            done = step + 1
            bar.update(stage.global_batch)
            if done % train.log_every == 0 or done == stage.steps:
                self._log(done, sums, bar)
            if stage.validate_every and (done % stage.validate_every == 0 or done == stage.steps):
                self._validate(done)
            by_count = train.checkpoint_steps and done % train.checkpoint_steps == 0
            if done < stage.steps and (by_count or time.monotonic() - saved_at > train.checkpoint_seconds):
                self._checkpoint(done)
                saved_at = time.monotonic()
        bar.close()

    def _accumulate(self, step: int, micro_batches: list[dict[str, Batch]]) -> dict[str, torch.Tensor]:
        """Forward and backward over a rank's share; returns the sum over its samples of each task's loss."""
        stage, world = self.stage.settings, self.accelerator.num_processes
        sums: dict[str, torch.Tensor] = {}
        for i, batches in enumerate(micro_batches):
            last = i == len(micro_batches) - 1
            with nullcontext() if last else self.accelerator.no_sync(self.model), self.accelerator.autocast():
                losses = self.model(self._inputs(step, batches), self._draws(step, batches))
                # A sum over samples divided by the global count: DDP averages over ranks, hence the factor.
                total = sum(stage.tasks[name] * loss.sum() for name, loss in losses.items())
                self.accelerator.backward(total * (world / stage.global_batch))
            for name, loss in losses.items():
                sums[name] = sums.get(name, 0) + loss.detach().sum()
        return sums

    def _inputs(self, step: int, batches: dict[str, Batch]) -> dict[str, Inputs]:
        inputs = {kind: self._input(batch) for kind, batch in batches.items()}
        if self.settings.augment == "mirror":
            for kind, batch in batches.items():
                key = (self.settings.seed, self.stage.key, "mirror", kind, step, batch.positions)
                inputs[kind] = inputs[kind].mirrored(counters.uniform(*key) < 0.5)
        return inputs

    def _input(self, batch: Batch) -> Inputs:
        return Inputs.from_stored(batch.clips, batch.scenes, batch.labels, self.accelerator.device)

    def _draws(self, step: int, batches: dict[str, Batch]) -> dict[str, torch.Tensor]:
        draws = {}
        for name in self.stage.settings.tasks:
            task = self.accelerator.unwrap_model(self.model).tasks[name]
            batch = batches[task.kind]
            key = DrawKey(self.settings.seed, self.stage.key, name, step, batch.positions)
            draws[name] = task.draw(key, batch.clips.shape[1]).to(self.accelerator.device)
        return draws

    def _guard(self, step: int) -> None:
        """Clip the gradient; stop where it is not finite (all ranks see the same gradient, so all stop)."""
        limit = self.stage.settings.clip_norm or math.inf
        norm = self.accelerator.clip_grad_norm_(self.model.parameters(), limit)
        if norm is not None and not torch.isfinite(norm):
            raise InputError(
                f"stage {self.stage.name}: the gradient of step {step} is not finite; lower "
                f"curriculum.{self.stage.name}.learning_rate or train.precision, or look at the data; the last "
                "checkpoint is kept"
            )

    def _log(self, done: int, sums: dict[str, torch.Tensor], bar: tqdm) -> None:
        count = self.stage.settings.global_batch
        reduced = self.accelerator.reduce(sums, reduction="sum")
        self.losses = {name: float(value) / count for name, value in reduced.items()}  # pyright: ignore
        bar.set_postfix({name: f"{loss:.4f}" for name, loss in self.losses.items()}, refresh=False)
        values = {f"{self.stage.name}/{name}": loss for name, loss in self.losses.items()}
        values[f"{self.stage.name}/learning_rate"] = learning_rate(self.stage.settings, done - 1)
        values[f"{self.stage.name}/samples_per_second"] = bar.format_dict["rate"] or 0.0
        self.accelerator.log(values, step=done)

    @cached_property
    def _held_out(self) -> ShardSet:
        return open_set(self.settings, shard_store(self.settings.shards, "cube", "val"))

    @torch.no_grad()
    def _validate(self, done: int) -> None:
        """Mean loss on held-out normal video, of the tasks that learn from cubes; the same samples every time."""
        module = self.accelerator.unwrap_model(self.model)
        names = [name for name, task in module.tasks.items() if task.kind == "cube"]
        if not names:
            return
        shards = self._held_out
        ids = evenly_spaced(len(shards), VALIDATION_SAMPLES)
        world, rank = self.accelerator.num_processes, self.accelerator.process_index
        sums = {name: torch.zeros((), device=self.accelerator.device) for name in names}
        for first in range(0, len(ids), 32):
            if first // 32 % world == rank:
                some = ids[first : first + 32]
                batch = shards.read(some, positions=first + np.arange(len(some)))
                for name in names:
                    key = DrawKey(self.settings.seed, self.stage.key, f"{name}/validation", 0, batch.positions)
                    task, inputs = module.tasks[name], self._input(batch)
                    draws = task.draw(key, batch.clips.shape[1]).to(self.accelerator.device)
                    sums[name] += task.loss(module.backbone, module.heads[task.phase], inputs, draws).sum()
        reduced = self.accelerator.reduce(sums, reduction="sum")
        self.validation = {name: float(value) / len(ids) for name, value in reduced.items()}  # pyright: ignore
        self.accelerator.log({f"{self.stage.name}/val_{n}": v for n, v in self.validation.items()}, step=done)

    def _checkpoint(self, done: int) -> None:
        if self.accelerator.is_main_process:
            tensors = self.accelerator.unwrap_model(self.model).state_dict()
            save_checkpoint(self.folder, Checkpoint(done, tensors, self.optimizer.state_dict()))


def _agreed_checkpoint(folder: Path, accelerator: Accelerator) -> Checkpoint | None:
    """The last whole checkpoint; the main process decides which, so that no two ranks start at different steps."""
    chosen = [latest_checkpoint(folder) if accelerator.is_main_process else None]
    return broadcast_object_list(chosen)[0]


def _finish(settings: Settings, stage: Stage, parent: State | None, network: Network, run: _Run) -> State:
    """Write the state of a finished stage on the main process; every rank returns it."""
    accelerator, folder = run.accelerator, Path(settings.run) / "states" / stage.folder_name
    module = accelerator.unwrap_model(run.model)
    tensors: Tensors = parent.load() if parent else {}
    tensors |= {name: t.detach().cpu() for name, t in module.state_dict().items()}
    state = None
    if accelerator.is_main_process:
        state = save_state(
            folder,
            tensors,
            key=stage.key,
            stage=stage.name,
            lineage=[*parent.lineage, parent.folder.name] if parent else [],
            tasks=[
                *(parent.tasks if parent else []),
                *(t for t in stage.settings.tasks if not parent or t not in parent.tasks),
            ],
            recipe=stage.recipe,
            metrics={"train": run.losses, "val": run.validation},
        )
        shutil.rmtree(run.folder, ignore_errors=True)
    shared = broadcast_object_list([state])[0]
    assert shared is not None, "the main process has just written the state"
    return shared

"""The training of one stage: from a parent state to a state, on any number of ranks, exactly resumable."""

import contextlib
import math
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list, gather_object

from dist_vad.base.errors import InputError, Preempted
from dist_vad.base.log import log
from dist_vad.base.sealed import write_sealed
from dist_vad.curriculum.recipes import Stage, finished_state
from dist_vad.curriculum.state import State, Tensors, save_state
from dist_vad.data.loader import Loader
from dist_vad.data.shardset import Batch
from dist_vad.data.store import open_store
from dist_vad.settings.curriculum import StageSettings
from dist_vad.settings.run import Settings
from dist_vad.tasks import make_tasks
from dist_vad.tasks.network import build_network, load_weights
from dist_vad.training.accelerators import allow_tf32
from dist_vad.training.admission.lock import stage_lock
from dist_vad.training.admission.plan_check import check_memory
from dist_vad.training.batches import BatchPreparer, open_sources, sample_keys
from dist_vad.training.checkpoint import Checkpoint, Checkpoints, threads_differ
from dist_vad.training.compilation import compile_network, compiles, eager_seconds
from dist_vad.training.ema import MovingAverage
from dist_vad.training.engine import make_engine
from dist_vad.training.guard import Guard, divergence, poisoned
from dist_vad.training.heartbeat import Heartbeat
from dist_vad.training.micro_batch import choose, too_large
from dist_vad.training.retention import RETAINED
from dist_vad.training.signals import Signals
from dist_vad.training.stage_module import StageModule, freeze_unused
from dist_vad.training.step_sums import StepSums
from dist_vad.training.tracking import Tracking
from dist_vad.training.validation import Validation

PREEMPTION = "preempted.json"
"""In the folder of a run that was asked to end and has saved; gone once it goes on. Launchers lose the exit status."""


def train_stage(settings: Settings, stage: Stage, parent: State | None, accelerator: Accelerator) -> State:
    """Train one stage, or the rest of it, and write its state.

    A restart of the same command goes on at the step of the last checkpoint. The global batches, draws and learning
    rates depend on the step alone, so the weights do not depend on where a run was interrupted.

    Raises Preempted where SIGTERM or SIGUSR1 came to any rank: then all have saved the same step; Unavailable where
    another process trains the stage in the same folder; InputError where the stage has diverged.
    """
    first = accelerator.is_main_process
    held = stage_lock(Path(settings.run), stage.folder_name) if first else contextlib.nullcontext()
    with Signals() as signals, held:
        made = broadcast_object_list([finished_state(settings, stage) if first else None])[0]
        if made is not None:  # by another process, while this one waited for the lock
            return made
        training = Training(settings, stage, parent, accelerator)
        try:
            training.run(signals)
            state = training.finish()
            training.stop_if_asked(signals)
            return state
        finally:
            training.close()


def learning_rate(stage: StageSettings, step: int) -> float:
    """The rate of a step (0-based): linear warm-up, then a cosine that ends at 0."""
    if step < stage.warmup:
        return stage.learning_rate * (step + 1) / stage.warmup
    progress = (step - stage.warmup) / max(1, stage.steps - stage.warmup)
    return stage.learning_rate * 0.5 * (1 + math.cos(math.pi * progress))


def checkpoint_store(settings: Settings, stage: Stage) -> Checkpoints:
    """Where the checkpoints of a stage lie."""
    place = settings.train.checkpoints or Path(settings.run) / "training"
    return Checkpoints(open_store(place).child(stage.folder_name), settings.train.keep_checkpoints)


class Training:
    """One stage in training, with all that its loop touches.

    Example, as `train_stage` does it:
        with Signals() as signals:
            training = Training(settings, stage, parent, accelerator)
            training.run(signals)
            state = training.finish()
            training.close()
    """

    def __init__(self, settings: Settings, stage: Stage, parent: State | None, accelerator: Accelerator) -> None:
        self.settings, self.stage, self.parent, self.accelerator = settings, stage, parent, accelerator
        train, run = settings.train, Path(settings.run)
        allow_tf32(stage.recipe["precision"])
        network = build_network(
            make_tasks(stage.weights, settings.task).values(), **stage.recipe["model"], seed=settings.seed
        )
        if parent:
            load_weights(network, parent.load(), make_tasks(parent.tasks, settings.task).values())
        distill = bool(stage.earlier) and stage.settings.retain == "distill"
        module = StageModule(network, stage.weights, settings.task, stage.recipe["precision"], distill)
        self.weights = {**stage.weights, **({RETAINED: stage.settings.retain_weight} if distill else {})}
        self.step_sums = StepSums()

        self.checkpoints = checkpoint_store(settings, stage)
        checkpoint = self._agreed_checkpoint()
        if checkpoint:
            module.load_state_dict(checkpoint.groups["weights"])
        facts = checkpoint.facts if checkpoint else {}
        if (warning := threads_differ(facts)) and accelerator.is_main_process:
            log.warning("warning: stage %s: %s", stage.name, warning)
        self.start, self.skipped = (checkpoint.step if checkpoint else 0), facts.get("skipped", 0)

        sources = {kind: open_sources(settings, stage, kind) for kind in stage.kinds}
        world, rank = accelerator.num_processes, accelerator.process_index
        self.preparer = BatchPreparer(settings, stage, module, torch.device("cpu"))
        flops = self._probe(module, Loader(sources, rank, world, 0, 1, 1))
        self.validation = Validation(settings, stage, module, accelerator, self.step_sums)
        self.preparer.device = accelerator.device
        micro_batch = choose(train, run, stage, sources, module, self.preparer, accelerator)
        pin = accelerator.device.type == "cuda"
        self.loader = Loader(sources, rank, world, micro_batch, train.threads, train.prefetch, pin, train.processes)
        check_memory(self.loader.bytes_ahead, train.prefetch, int(os.environ.get("LOCAL_WORLD_SIZE", "1")))
        if compiles(train, run, stage, accelerator, lambda: self._eager_seconds(module)):
            compile_network(module)
        self.engine = make_engine(accelerator, module, stage.settings, self.loader.micro_batches)
        if checkpoint and "moments" in checkpoint.groups:
            self.engine.restore(checkpoint.groups["moments"], checkpoint.step - self.skipped)

        self.guard = Guard(stage.name, train.max_skipped, train.spike, self.skipped)
        self.average = self._moving_average(checkpoint)
        best = checkpoint.groups.get("best") if checkpoint else None
        self.best: tuple[float, Tensors] | None = (facts["best"], best) if best else None
        self.losses: dict[str, float] = facts.get("losses", {})
        self.validated: dict[str, float] = facts.get("validated", {})
        self.tracking = Tracking(
            accelerator, run, stage.name, self.start, stage.settings.steps, stage.settings.global_batch, flops,
            stage.recipe["precision"],
        )  # fmt: skip

    def run(self, signals: Signals) -> None:
        """The loop: next batch, forward, backward, guard, step, log, save, stop."""
        stage, train = self.stage.settings, self.settings.train
        world, rank = self.accelerator.num_processes, self.accelerator.process_index
        saved_at = time.monotonic()
        with Heartbeat(rank, world, train.timeout_seconds) as heart:
            for step, micro_batches in self.tracking.waits(self.loader.steps(self.start, stage.steps)):
                rate = learning_rate(stage, step)
                self.engine.set_rate(rate)
                try:
                    sums, odd = self._accumulate(step, micro_batches, heart)
                except torch.OutOfMemoryError as error:
                    raise self._too_large(step) from error
                norm = self.engine.step()
                heart.at(step, "agreeing")
                due = time.monotonic() - saved_at > train.checkpoint_seconds
                totals = self.step_sums.all_reduce(sums, signals.asked, due)
                self._judge(step, norm, totals.losses, odd)

                done = step + 1
                if done % train.log_every == 0 or done == stage.steps:
                    self.tracking.log(rate)
                if stage.validate_every and (done % stage.validate_every == 0 or done == stage.steps):
                    self._validate(done, heart)
                by_count = train.checkpoint_steps and done % train.checkpoint_steps == 0
                if done < stage.steps and (totals.save or totals.stop or by_count):
                    heart.at(step, "saving")
                    self._checkpoint(done)
                    saved_at = time.monotonic()
                    if totals.stop:
                        self._stop(f"saved at step {done} of {stage.steps}")
                heart.at(done, "reading")

    def _accumulate(
        self, step: int, micro_batches: list[dict[str, Batch]], heart: Heartbeat
    ) -> tuple[dict[str, torch.Tensor], list[torch.Tensor]]:
        """Forward and backward over a rank's share; returns the sum over its samples of each loss, and for each
        micro-batch which samples have a loss that is not finite."""
        world, count = self.accelerator.num_processes, self.stage.settings.global_batch
        sums: dict[str, torch.Tensor] = {}
        odd = []
        for i, batches in enumerate(micro_batches):
            last = i == len(micro_batches) - 1
            heart.at(step, "computing")
            losses = self.engine.forward(self.preparer.inputs(step, batches), self.preparer.draws(step, batches), last)
            total = torch.stack([self.weights[name] * loss.sum() for name, loss in losses.items()]).sum()
            if last:
                heart.at(step, "reducing")
            # A sum over samples divided by the global count: engines average over ranks, hence the factor.
            self.engine.backward(poisoned(total) * (world / count), last)
            for name, loss in losses.items():
                sums[name] = sums.get(name, 0) + loss.detach().sum()
            odd.append(~torch.isfinite(torch.stack([loss.detach() for loss in losses.values()])).all(dim=0))
        return sums, odd

    def _too_large(self, step: int) -> InputError:
        """The message for samples that do not fit into the memory of the device. The steps before are saved, where no
        other rank is needed for it."""
        saved = "the run goes on from its last checkpoint"
        if self.accelerator.num_processes == 1 and step > self.start:
            self._checkpoint(step)
            saved = f"the run goes on from step {step}"
        return too_large(self.loader.sources, self.accelerator.num_processes, self.loader.micro_batches, saved)

    def _judge(self, step: int, norm: float, sums: dict[str, float], odd: list[torch.Tensor]) -> None:
        """Take in the losses of a step, or count it as skipped. All ranks see the same numbers, so all do the same."""
        self.losses = {name: value / self.stage.settings.global_batch for name, value in sums.items()}
        if not math.isfinite(norm):
            self.skipped += 1
            self.tracking.warn(self.guard.skip(step, lambda: self._names(step, odd)))
            self.tracking.step(None)
            return
        self.guard.skipped_in_row = 0
        if self.average:
            self.average.update(self.engine.weights())
        spike = self.guard.spike_warning(sum(self.weights[name] * loss for name, loss in self.losses.items()))
        if spike:
            self.tracking.warn(f"step {step}: {spike}")
        self.tracking.step(self.losses)

    def _names(self, step: int, odd: list[torch.Tensor]) -> list[str]:
        """The samples of all ranks whose loss is not finite."""
        mine: list[str] = []
        for batches, which in zip(self.loader.read(step), odd):
            chosen = np.flatnonzero(which.cpu().numpy())
            for kind, batch in batches.items():
                mine += sample_keys(self.loader.sources[kind], step, batch.positions[chosen])
        return gather_object(mine)

    def _validate(self, done: int, heart: Heartbeat) -> None:
        """Measure what would be handed on now; remember it where it is the best so far and the best is wanted."""
        weights = self._handed_on()
        losses = self.validation.losses(weights, lambda: heart.at(done - 1, "validating"))
        self.validated = losses
        self.tracking.curves({f"val_{name}": loss for name, loss in losses.items()}, done)
        total = self.validation.total(losses)
        better = math.isfinite(total) and (self.best is None or total < self.best[0])
        if self.stage.settings.keep == "best" and better:
            self.best = (total, {name: t.detach().to("cpu", copy=True) for name, t in weights.items()})

    def _handed_on(self) -> Tensors:
        return self.average.average if self.average else self.engine.weights()

    def _checkpoint(self, done: int) -> None:
        """Write a checkpoint after `done` steps: tensors are gathered on all ranks, the main process writes them."""
        groups = {"weights": self.engine.weights(), "moments": self.engine.moments()}
        facts: dict[str, Any] = {
            "stage": self.stage.name,
            "steps": self.stage.settings.steps,
            "skipped": self.skipped,
            "threads": torch.get_num_threads(),
            "losses": self.losses,
            "validated": self.validated,
            "samples_per_second": self.tracking.samples_per_second,
            "time": time.time(),
        }
        if self.average:
            groups["average"] = self.average.average
        if self.best:
            facts["best"], groups["best"] = self.best
        if self.accelerator.is_main_process:
            self.checkpoints.save(Checkpoint(done, groups, facts))

    def stop_if_asked(self, signals: Signals) -> None:
        """Raise Preempted where a signal came to any rank while the stage was finished."""
        if self.step_sums.all_reduce({}, signals.asked, save=False).stop:
            self._stop("finished")

    def _stop(self, outcome: str) -> None:
        """End a run that was asked to, once its checkpoint is written."""
        self.checkpoints.wait()
        if self.accelerator.is_main_process:
            marker = {"stage": self.stage.name, "state": outcome, "time": time.time()}
            write_sealed(Path(self.settings.run) / PREEMPTION, marker)
        self.accelerator.wait_for_everyone()
        raise Preempted(f"stage {self.stage.name} is {outcome}")

    def finish(self) -> State:
        """Write the state of the finished stage on the main process; every rank returns it."""
        weights = self.best[1] if self.best and self.stage.settings.keep == "best" else self._handed_on()
        if diverged := divergence(weights, self.guard.skipped_in_row, self.validated):
            raise InputError(
                f"stage {self.stage.name} has diverged: {diverged}; its weights are not handed on. Lower "
                f"curriculum.{self.stage.name}.learning_rate, or raise its warmup; the states before it are kept"
            )
        parent, tasks = self.parent, list(self.stage.settings.tasks)
        state = None
        if self.accelerator.is_main_process:
            tensors: Tensors = parent.load() if parent else {}
            tensors |= {name: t.detach().cpu() for name, t in weights.items()}
            state = save_state(
                Path(self.settings.run) / "states" / self.stage.folder_name,
                tensors,
                key=self.stage.key,
                stage=self.stage.name,
                lineage=[*parent.lineage, parent.folder.name] if parent else [],
                tasks=list(dict.fromkeys([*(parent.tasks if parent else []), *tasks])),
                recipe=self.stage.recipe,
                metrics={
                    "train": self.losses,
                    "val": self.validated,
                    "skipped": self.skipped,
                    "samples_per_second": self.tracking.samples_per_second,
                },
            )
            self.checkpoints.clear()
        shared = broadcast_object_list([state])[0]
        assert shared is not None, "the main process has just written the state"
        return shared

    def close(self) -> None:
        """Let go of devices, and of what is still being written."""
        self.tracking.close()
        self.engine.close()
        self.checkpoints.wait()

    def _agreed_checkpoint(self) -> Checkpoint | None:
        """The last whole checkpoint; the main process reads it, so that no two ranks start at different steps."""
        if not self.accelerator.is_main_process:
            return broadcast_object_list([None])[0]
        (Path(self.settings.run) / PREEMPTION).unlink(missing_ok=True)
        return broadcast_object_list([self.checkpoints.latest()])[0]

    def _probe(self, module: StageModule, loader: Loader) -> int:
        """Freeze what the stage does not use; returns the floating-point operations of a step on one sample."""
        (batches, *_) = loader.read(self.start)
        one = {kind: batch[:1] for kind, batch in batches.items()}
        return freeze_unused(module, self.preparer.inputs(self.start, one), self.preparer.draws(self.start, one))

    def _eager_seconds(self, module: StageModule) -> float:
        """Seconds of the passes of a step of this rank, not compiled."""
        (batches, *_) = self.loader.read(self.start)
        inputs, draws = self.preparer.inputs(self.start, batches), self.preparer.draws(self.start, batches)

        def loss() -> torch.Tensor:
            return torch.stack([loss.sum() for loss in module(inputs, draws).values()]).sum()

        return self.loader.micro_batches * eager_seconds(module, loss, self.accelerator.device)

    def _moving_average(self, checkpoint: Checkpoint | None) -> MovingAverage | None:
        if not self.stage.settings.ema:
            return None
        weights = self.engine.weights()
        if checkpoint and "average" in checkpoint.groups:
            saved = checkpoint.groups["average"]
            weights = {name: torch.empty_like(weights[name]).copy_(t) for name, t in saved.items()}
        return MovingAverage(self.stage.settings.ema, weights)

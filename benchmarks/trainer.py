"""What the trainer costs beside a bare loop, what a second rank gives, how long checkpoints stop training.

python benchmarks/trainer.py [--width W] [--steps N] [--turns T | --device]

On a CPU, one thread a rank: samples/s of the trainer, and of a bare PyTorch loop over the same network, task and
optimizer with its data already in memory; of a run on two ranks, and of two runs of one rank at the same time, each
rank with the same number of samples a step; the same on the fast path (train.precision auto, compiled where that is
bf16), and that path against fp32 at batch 32; two threads against one, both beside a busy process; the seconds that a
checkpoint stops training for, as a share of the time between two at default settings. With a GPU, besides: bf16,
torch.compile and channels last against fp32 eager, the share of time waiting for data, MFU, and the largest micro-batch
under a cap of 24 GB. The last line is JSON.
"""

import argparse
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from dist_vad.base.machine import has_amx, has_bf16
from dist_vad.curriculum.recipes import plan
from dist_vad.data.loader import Loader
from dist_vad.producer.job import WriteOptions, write_shards
from dist_vad.settings.curriculum import StageSettings
from dist_vad.settings.data import DataSettings, PlazaSettings
from dist_vad.settings.model import ModelSettings
from dist_vad.settings.run import Settings
from dist_vad.settings.stream import StreamSettings
from dist_vad.settings.train import TrainSettings
from dist_vad.training.accelerators import make_accelerator
from dist_vad.training.signals import Signals
from dist_vad.training.trainer import Training, learning_rate

WARM = 3
"""Steps before the clock starts."""
HERE = Path(__file__).resolve()


@dataclass(frozen=True)
class Case:
    """One measurement."""

    what: str = "train"
    """bare, train or checkpoint."""
    batch: int = 16
    """Samples a step on each rank."""
    fast: bool = False
    threads: int = 1
    ranks: int = 1
    width: int = 32
    steps: int = 30


FAST = {"precision": "auto", "compile": has_bf16()}


def settings_for(shards: Path, run: Path, case: Case, **train: Any) -> Settings:
    """A stage of `prediction`, at a width that is used, and otherwise as the defaults are."""
    batch, width, steps = case.batch * int(os.environ.get("WORLD_SIZE", 1)), case.width, case.steps
    train = {"cpu_threads": case.threads, "tracker": "none", **(FAST if case.fast else {}), **train}
    stage = StageSettings(tasks={"prediction": 1}, steps=steps, global_batch=batch, validate_every=0)
    return Settings(
        run=str(run),
        shards=str(shards),
        stream=StreamSettings(streams=batch),
        model=ModelSettings(width=width),
        curriculum={"perception": stage},
        train=TrainSettings(**train),
    )


def open_training(settings: Settings) -> Training:
    accelerator = make_accelerator(settings.train, Path(settings.run))
    return Training(settings, plan(settings)[0], None, accelerator)


class Clocked:
    """The trainer's loop, timed from the end of the warm-up to its last step."""

    def __init__(self, training: Training) -> None:
        self.training, self.times = training, []
        told = training.tracking.step
        training.tracking.step = lambda losses: (told(losses), self.times.append(time.perf_counter()))  # pyright: ignore

    def samples_per_second(self) -> float:
        with Signals() as signals:
            self.training.run(signals)
        samples = (len(self.times) - WARM) * self.training.stage.settings.global_batch
        return samples / (self.times[-1] - self.times[WARM - 1])


def bare(settings: Settings, batch: int) -> float:
    """Samples/s of a loop that only computes: no loader, no all-reduce of sums, no guard, no tracker."""
    training = open_training(settings)
    stage, module, preparer = training.stage, training.engine.module, training.preparer
    loader = Loader(training.loader.sources, 0, 1, 0, 1, 1)
    optimizer = torch.optim.AdamW(module.parameters(), lr=1e-3)
    steps = stage.settings.steps
    held = [loader.read(step)[0] for step in range(min(8, steps))]
    began = 0.0
    for step in range(steps):
        if step == WARM:
            began = time.perf_counter()
        batches = held[step % len(held)]
        losses = module(preparer.inputs(step, batches), preparer.draws(step, batches))
        (losses["prediction"].sum() / batch).backward()
        torch.nn.utils.clip_grad_norm_(module.parameters(), 1.0)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(stage.settings, step)
        optimizer.step()
        optimizer.zero_grad()
    rate = (steps - WARM) * batch / (time.perf_counter() - began)
    training.close()
    return rate


def checkpoint_seconds(settings: Settings) -> float:
    """Seconds that one checkpoint keeps the loop from its next step."""
    training = open_training(settings)
    Clocked(training).samples_per_second()
    began = time.perf_counter()
    training._checkpoint(settings.curriculum["perception"].steps)  # pyright: ignore
    stopped = time.perf_counter() - began
    training.close()
    return stopped


def child(case: Case, shards: Path, run: Path) -> None:
    """Measure in this process, and print the figure."""
    settings = settings_for(shards, run, case)
    if case.what == "bare":
        print(json.dumps(bare(settings, case.batch)))
    elif case.what == "checkpoint":
        print(json.dumps(checkpoint_seconds(settings)))
    else:
        training = open_training(settings)
        rate = Clocked(training).samples_per_second()
        training.accelerator.print(json.dumps(rate))
        training.close()


def started(case: Case, shards: Path, run: Path) -> subprocess.Popen[str]:
    launch = [str(Path(sys.executable).with_name("accelerate")), "launch", "--config_file"]
    config = HERE.parents[1] / f"configs/accelerate/cpu{case.ranks}.yaml"
    # Threads wait as those of the commands do.
    surroundings = {
        "OMP_WAIT_POLICY": "passive",
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(HERE.parents[1]),
    }
    arguments = [str(HERE), "--child", json.dumps(asdict(case)), str(shards), str(run)]
    return subprocess.Popen(
        [*launch, str(config), *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=surroundings
    )


def figure(process: subprocess.Popen[str]) -> float:
    """What a child printed last."""
    out, errors = process.communicate()
    if process.returncode:
        raise SystemExit(f"a measurement failed:\n{errors}")
    return float(json.loads(out.strip().splitlines()[-1]))


@contextmanager
def busy_process() -> Iterator[None]:
    """A process beside that never rests."""
    other = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        other.kill()
        other.wait()


def on_device(shards: Path, folder: Path, case: Case) -> dict[str, Any]:
    """fp32 and bf16 on the device that a run would take; compiled, with MFU and the largest micro-batch, on a GPU."""
    gpu = torch.cuda.is_available()
    found: dict[str, Any] = {"device": torch.cuda.get_device_name() if gpu else "CPU"}
    for name, more in (("fp32", {}), ("bf16", {"precision": "bf16", "compile": gpu})):
        training = open_training(settings_for(shards, folder / name, case, **more))
        logged: list[dict[str, float]] = []
        training.tracking.curves = lambda values, step, logged=logged: logged.append(values)  # pyright: ignore
        found[name] = Clocked(training).samples_per_second()
        found |= {f"{name}_{key}": logged[-1][key] for key in ("mfu", "waiting_for_data") if key in logged[-1]}
        training.close()
    found["bf16_to_fp32"] = found["bf16"] / found["fp32"]
    if not gpu:
        return found
    capped = settings_for(shards, folder / "auto", replace(case, steps=1), micro_batch="auto", memory_gb=24)
    capped.curriculum["perception"].global_batch = 4096  # pyright: ignore
    capped.stream.streams = 256
    training = open_training(capped)
    found["micro_batch_24_gb"] = 4096 // training.loader.micro_batches
    training.close()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description="What the trainer costs beside a bare loop.")
    parser.add_argument("--width", type=int, default=32)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--turns", type=int, default=2)
    parser.add_argument("--device", action="store_true", help="fp32 and bf16 on the device of this machine alone")
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        child(Case(**json.loads(given.child[0])), Path(given.child[1]), Path(given.child[2]))
        return
    base = Case(width=given.width, steps=given.steps)
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        data = DataSettings(plaza=PlazaSettings(train_videos=6, test_videos=2, virtual_videos=2), train_stride=2)
        write_shards(data, folder / "shards", WriteOptions(progress=False))
        if given.device:
            print(json.dumps(on_device(folder / "shards", folder / "device", base)))
            return

        count = itertools.count()

        def ask(**changes: Any) -> subprocess.Popen[str]:
            return started(replace(base, **changes), folder / "shards", folder / f"run{next(count)}")

        def side_by_side(**changes: Any) -> float:
            alone = [ask(**changes) for _ in range(2)]
            return sum(figure(one) for one in alone)

        best: dict[str, float] = {}
        for _ in range(given.turns):  # in turns, so that what else the machine does falls on all
            turn: dict[str, float] = {}
            for path, fast in (("", False), ("_fast", True)):
                turn[f"bare{path}"] = figure(ask(what="bare", fast=fast))
                turn[f"train{path}"] = figure(ask(fast=fast))
                turn[f"two_ranks{path}"] = figure(ask(fast=fast, ranks=2))
                turn[f"two_alone{path}"] = side_by_side(fast=fast)
                turn[f"batch_32{path}"] = figure(ask(fast=fast, batch=32))
            turn["two_threads"] = figure(ask(threads=2))
            with busy_process():
                turn["one_thread_busy"], turn["two_threads_busy"] = figure(ask()), figure(ask(threads=2))
            best = {name: max(rate, best.get(name, 0.0)) for name, rate in turn.items()}
        stopped = figure(ask(what="checkpoint"))
        print("samples/s:", ", ".join(f"{name} {rate:.1f}" for name, rate in best.items()))
        print(f"a checkpoint stops training for {stopped:.3f} s")
        gpu = on_device(folder / "shards", folder / "gpu", base) if torch.cuda.is_available() else {}
    found = {
        "vs_bare_loop": best["train"] / best["bare"],
        "vs_bare_loop_fast": best["train_fast"] / best["bare_fast"],
        "two_ranks_vs_two_alone": best["two_ranks"] / best["two_alone"],
        "two_ranks_vs_two_alone_fast": best["two_ranks_fast"] / best["two_alone_fast"],
        "fast_vs_fp32": best["batch_32_fast"] / best["batch_32"],
        "two_threads_vs_one": best["two_threads"] / best["train"],
        "two_threads_busy_vs_one": best["two_threads_busy"] / best["one_thread_busy"],
    }
    share = round(stopped / TrainSettings().checkpoint_seconds, 5)
    rounded = {name: round(value, 3) for name, value in found.items()}
    print(json.dumps({**rounded, "amx": has_amx(), "checkpoint_share": share, **gpu}))


if __name__ == "__main__":
    main()

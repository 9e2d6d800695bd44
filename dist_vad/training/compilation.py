"""Whether a stage's network is compiled by torch.compile, and how."""

import os
import shutil
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list

from dist_vad.base.errors import InputError
from dist_vad.base.log import log
from dist_vad.base.machine import usable_cores
from dist_vad.base.sealed import read_or, write_sealed
from dist_vad.curriculum.recipes import Stage
from dist_vad.settings.train import TrainSettings
from dist_vad.training.accelerators import zero_stage
from dist_vad.training.stage_module import StageModule

COMPILED = "compile.json"
"""In a run's folder: what `auto` chose, by stage. A restart takes that, so that its weights are bit-identical."""
SECONDS, SAVED = 45.0, 0.25
"""What compiling takes, and the share of a step that it saves at the least, in bf16 on one core with AMX."""


def compiles(
    settings: TrainSettings,
    run: Path,
    stage: Stage,
    accelerator: Accelerator,
    seconds_per_step: Callable[[], float],
) -> bool:
    """Whether the network of a stage is compiled, the same on every rank.

    `auto` compiles in mixed precision, where what is saved over the steps of the stage is more than compiling takes. In
    fp32 the convolutions, which stay what they are, take nearly all of a step.

    Args:
        seconds_per_step: measures a step that is not compiled; asked on the main process alone.
    """
    if settings.compile == "auto":
        path = run / COMPILED
        chosen = None
        if accelerator.is_main_process:
            known = read_or(path, {})
            chosen = known.get(stage.folder_name)
            if chosen is None:
                chosen = _pays(stage, accelerator, seconds_per_step)
                write_sealed(path, {**known, stage.folder_name: chosen})
        return bool(broadcast_object_list([chosen])[0])
    if settings.compile:
        if zero_stage() == 3:
            raise InputError("train.compile is true, which does not go together with ZeRO-3; allowed: false, auto")
        if missing := _missing(accelerator.device.type):
            raise InputError(f"train.compile is true, but {missing}; allowed without it: false, auto")
    return settings.compile


def compile_network(module: StageModule) -> None:
    """Compile the backbone and the heads, for each shape of batch by itself: a stage has few."""
    from torch._dynamo import config as tracing  # not without need: these imports take seconds
    from torch._inductor import config as compiling

    tracing.recompile_limit = 64
    compiling.compile_threads = min(usable_cores(), 8)
    for part in (module.backbone, *module.heads.values()):
        part.compile(dynamic=False)


def _pays(stage: Stage, accelerator: Accelerator, seconds_per_step: Callable[[], float]) -> bool:
    if stage.recipe["precision"] != "bf16" or zero_stage() == 3:
        return False
    if missing := _missing(accelerator.device.type):
        log.info("  %s is not compiled: %s", stage.name, missing)
        return False
    saved = SAVED * stage.settings.steps * seconds_per_step()
    if saved > SECONDS:
        log.info("  %s: the network is compiled first, which takes a minute and saves %.0f", stage.name, saved / 60)
    return saved > SECONDS


def _missing(device: str) -> str | None:
    """What torch.compile lacks on this machine; None where it lacks nothing."""
    if device == "cuda":
        return None if find_spec("triton") else "triton is not installed"
    compiler = os.environ.get("CXX")
    found = shutil.which(compiler) if compiler else next(filter(None, map(shutil.which, ("g++", "clang++"))), None)
    return None if found else f"no C++ compiler was found ({compiler or 'g++, clang++'})"


def eager_seconds(module: StageModule, run: Callable[[], torch.Tensor], device: torch.device) -> float:
    """Seconds of a forward and a backward pass, the second of two. `run` gives the loss."""
    module.to(device)
    seconds = 0.0
    for _ in range(2):
        began = time.perf_counter()
        run().backward()
        if device.type == "cuda":
            torch.cuda.synchronize()
        seconds = time.perf_counter() - began
    module.zero_grad(set_to_none=True)
    return seconds

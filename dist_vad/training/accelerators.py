"""The devices of a launch: which ranks take part, and how they compute."""

import contextlib
import ctypes
import os
import shutil
import signal
import sys
from collections.abc import Mapping, MutableMapping
from datetime import timedelta
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.utils import DeepSpeedPlugin, DistributedDataParallelKwargs, InitProcessGroupKwargs

from dist_vad.base.errors import InputError
from dist_vad.base.log import log
from dist_vad.base.machine import threads_asked, usable_cores
from dist_vad.settings.train import TrainSettings

LAUNCHERS = ("ACCELERATE_MIXED_PRECISION", "TORCHELASTIC_RUN_ID")
"""What `accelerate launch` and torchrun leave in the environment of their ranks."""
PR_SET_PDEATHSIG = 1
"""Of prctl(2)."""
LEAST_SHARED = 2**28
"""Bytes of shared memory below which NCCL would fail in a container: Docker gives 64 MB."""
PATIENCE = timedelta(hours=2)
"""How long ranks wait for each other outside of training, say while the main process writes shards. Within training
`dist_vad.training.heartbeat` is quicker, and names the rank."""


def make_accelerator(settings: TrainSettings, run: Path) -> Accelerator:
    """The devices of this launch. Arithmetic is made repeatable as far as the device can.

    Mixed precision is no business of Accelerate here: `StageModule` does it, the same under every engine.
    """
    on_gpu = torch.cuda.is_available()
    if on_gpu and not take_part(os.environ, torch.cuda.device_count()):
        sys.exit(0)
    end_with_launcher(os.environ)
    stay_inside(os.environ)
    torch.use_deterministic_algorithms(True, warn_only=True)
    # Nothing here reads memory before it is written; filling it first would take some percent of a step.
    torch.utils.deterministic.fill_uninitialized_memory = False  # pyright: ignore[reportAttributeAccessIssue]
    allow_tf32(settings.precision)
    zero = zero_stage()
    accelerator = Accelerator(
        # Under DeepSpeed this flag would silently give plain DDP.
        cpu=not on_gpu and not zero,
        mixed_precision="no",
        log_with=_tracker(settings.tracker),
        project_dir=run,
        deepspeed_plugin=_deepspeed(zero, on_gpu) if zero else None,
        kwargs_handlers=[
            # With unused parameters looked for, DDP keeps its gradient buckets as they are. Otherwise it rebuilds them
            # after the first step, and a restarted run would add up its gradients in another order than one that was
            # not interrupted.
            DistributedDataParallelKwargs(find_unused_parameters=True),
            # Without a backend DeepSpeed lets every rank on a CPU believe that it is alone.
            InitProcessGroupKwargs(backend="gloo" if zero and not on_gpu else None, timeout=PATIENCE),
        ],
    )
    if accelerator.device.type == "cpu":
        ranks_here = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
        threads = settings.cpu_threads or threads_asked() or max(1, usable_cores() // ranks_here)
        torch.set_num_threads(threads)
    if settings.ranks > accelerator.num_processes and accelerator.is_main_process:
        log.info(
            "train.ranks plans for %s ranks, this launch has %s: each accumulates more micro-batches a step; what is "
            "learned is the same",
            settings.ranks,
            accelerator.num_processes,
        )
    return accelerator


def allow_tf32(precision: str) -> None:
    """Let a GPU round the products of fp32 to TF32, unless the precision is plain fp32."""
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = precision != "no"


def stay_inside(environment: MutableMapping[str, str]) -> None:
    """Have the ranks of one machine listen to each other alone, and do without shared memory where a container has
    next to none. What a user has set stays."""
    world, here = environment.get("WORLD_SIZE", "1"), environment.get("LOCAL_WORLD_SIZE", "1")
    if world == here != "1" and Path("/sys/class/net/lo").exists():
        for backend in ("GLOO", "NCCL"):
            environment.setdefault(f"{backend}_SOCKET_IFNAME", "lo")
    with contextlib.suppress(OSError):
        if shutil.disk_usage("/dev/shm").total < LEAST_SHARED:
            environment.setdefault("NCCL_SHM_DISABLE", "1")


def end_with_launcher(environment: Mapping[str, str]) -> None:
    """Have the system ask this rank to end, as Slurm would, when its launcher is killed: it then saves, and no orphan
    keeps a GPU. Linux only."""
    if set(LAUNCHERS) & set(environment) and sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def take_part(environment: MutableMapping[str, str], devices: int) -> bool:
    """Whether this process has a GPU to work on.

    A launch file may name more processes than this machine has GPUs. Where all ranks are on one machine, those without
    a GPU leave, and the others go on as a smaller world: `environment` is changed to say so.
    """
    world, here = int(environment.get("WORLD_SIZE", "1")), int(environment.get("LOCAL_WORLD_SIZE", "1"))
    rank = int(environment.get("LOCAL_RANK", "0"))
    if devices >= here:
        return True
    if here != world:
        raise InputError(
            f"this machine has {devices} GPUs, but {here} ranks were started on it and {world - here} on others; give "
            "--num_processes as the sum of the GPUs of all machines, the same number on each"
        )
    fewer = max(n for n in range(1, devices + 1) if world % n == 0)
    if rank >= fewer:
        return False
    if rank == 0:
        log.info("%s processes were started, %s GPUs found: %s go on, with more accumulation", here, devices, fewer)
    environment["WORLD_SIZE"] = environment["LOCAL_WORLD_SIZE"] = str(fewer)
    return True


def zero_stage() -> int:
    """DeepSpeed's ZeRO stage that the launch asks for; 0 without DeepSpeed."""
    if os.environ.get("ACCELERATE_USE_DEEPSPEED", "false") != "true":
        return 0
    stage = int(os.environ.get("ACCELERATE_DEEPSPEED_ZERO_STAGE", "2"))
    if stage not in (1, 2, 3):
        raise InputError(f"zero_stage of the launch is {stage}; allowed: 1, 2, 3, or configs/accelerate/multi_gpu.yaml")
    return stage


def _deepspeed(stage: int, on_gpu: bool) -> DeepSpeedPlugin:
    """All that DeepSpeed is told, but for what `ZeroEngine` knows: accumulation and clipping."""
    if not on_gpu:
        os.environ["DS_ACCELERATOR"] = "cpu"
    try:
        import deepspeed
    except ImportError as error:
        raise InputError(
            f"the launch asks for DeepSpeed, which is not installed ({error}): pip install '.[deepspeed]', or launch "
            "with configs/accelerate/multi_gpu.yaml"
        ) from error
    if not on_gpu:
        # An operator for shared memory that would take minutes to compile, and that gloo does without.
        deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False  # pyright: ignore[reportAttributeAccessIssue]
    plugin = DeepSpeedPlugin(
        zero_stage=stage,
        gradient_accumulation_steps=1,
        offload_optimizer_device="none",
        offload_param_device="none",
        zero3_init_flag=False,
    )
    plugin.deepspeed_config.update(
        train_micro_batch_size_per_gpu=1,  # for its own count of samples, which nobody reads
        zero_allow_untested_optimizer=True,
        steps_per_print=1 << 60,
    )
    plugin.deepspeed_config["zero_optimization"]["overlap_comm"] = False
    return plugin


def _tracker(name: str) -> str | None:
    if name == "none":
        return None
    if name == "wandb":
        try:
            import wandb  # noqa: F401  # pyright: ignore[reportMissingImports]
        except ImportError as error:
            raise InputError(f"train.tracker is wandb, which is not installed: pip install wandb ({error})") from error
    return name
